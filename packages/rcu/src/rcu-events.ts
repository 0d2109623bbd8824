// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  atomicCmpxchgRelease,
  atomicIncReturn,
  defineStatic,
  peek,
  poke,
  readOnce,
  smpLoadAcquire,
  struct,
} from '@lockless/cpu';

/*
 * Grace periods that are events are numbered here, when boot asks for it, so that somebody can be told whether one has passed. A number is
 * taken before the event and noted after it. Who read `begun` as n - 1 or less did so before grace period n began; who reads n in `ended`
 * does so after it.
 */

interface NumberedEvents {
  /** 1: numbers are given. Written at boot. */
  counted: number;
  /** Number of the last grace period that somebody began to wait for. */
  begun: number;
  /** The highest number of those that are over; lower ones may still go on. */
  ended: number;
}
const NumberedEvents: StructOf<NumberedEvents> = struct<NumberedEvents>('rcu_numbered_events', {
  counted: 1,
  begun: 1,
  ended: 1,
});
const events: Ptr<NumberedEvents> = defineStatic(NumberedEvents, 'rcu_events');

/** Boot. */
export const countRcuEvents = (): void => poke(NumberedEvents.counted(events), 1);
/** Constant after boot. */
export const rcuEventsCounted = (): boolean => peek(NumberedEvents.counted(events)) !== 0;

/** Before the event. *Ordering*: full. *Returns* the grace period's number. */
export const beginRcuEvent = (): Access<number> => atomicIncReturn(NumberedEvents.begun(events));

/** After the event. *Ordering*: release; partner: {@link lastRcuEvent}. */
export function* endRcuEvent(number: number): Op<void> {
  const ended = NumberedEvents.ended(events);
  for (let last = yield* readOnce(ended); last < number; ) {
    const seen = yield* atomicCmpxchgRelease(ended, last, number);
    if (seen === last) return;
    last = seen;
  }
}

/** The last grace period that has begun. *Context*: after a full barrier, so that the next one begins after what precedes that. */
export const begunRcuEvents = (): Access<number> => readOnce(NumberedEvents.begun(events));

/** The last grace period that is over. *Ordering*: acquire; partner: {@link endRcuEvent}. */
export const lastRcuEvent = (): Access<number> => smpLoadAcquire(NumberedEvents.ended(events));
