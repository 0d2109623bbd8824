// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, SpinLock, StructOf } from '@lockless/cpu';
import { bugOn, load, readOnce, spinLockIrqsave, spinUnlockIrqrestore, store, struct } from '@lockless/cpu';
import { ENOMEM } from '@lockless/mm-types';

/** struct res_counter: how much of something a group uses. *Source*: include/linux/res_counter.h, 2.6.27. *Differs*: pages, not bytes. */
export interface ResCounter {
  usage: number;
  maxUsage: number;
  limit: number;
  /** How often the limit was hit. */
  failcnt: number;
  lock: SpinLock;
}
export const ResCounter: StructOf<ResCounter> = struct<ResCounter>('res_counter', {
  usage: 1,
  maxUsage: 1,
  limit: 1,
  failcnt: 1,
  lock: 1,
});

/** No limit. */
export const RES_COUNTER_MAX = 0x7fffffff;

/** res_counter_init(). */
export function* resCounterInit(counter: Ptr<ResCounter>): Op<void> {
  for (const field of ['usage', 'maxUsage', 'failcnt'] as const) yield* store(ResCounter[field](counter), 0);
  yield* store(ResCounter.lock(counter), 0 as SpinLock);
  yield* store(ResCounter.limit(counter), RES_COUNTER_MAX);
}

/** res_counter_charge(). *Context*: any. *Returns* 0, or -ENOMEM: over the limit. *Source*: kernel/res_counter.c, 2.6.27. */
export function* resCounterCharge(counter: Ptr<ResCounter>, pages: number): Op<number> {
  const flags = yield* spinLockIrqsave(ResCounter.lock(counter));
  const usage = (yield* load(ResCounter.usage(counter))) + pages;
  const fits = usage <= (yield* load(ResCounter.limit(counter)));
  if (fits) {
    yield* store(ResCounter.usage(counter), usage);
    if (usage > (yield* load(ResCounter.maxUsage(counter)))) yield* store(ResCounter.maxUsage(counter), usage);
  } else {
    yield* store(ResCounter.failcnt(counter), (yield* load(ResCounter.failcnt(counter))) + 1);
  }
  yield* spinUnlockIrqrestore(ResCounter.lock(counter), flags);
  return fits ? 0 : -ENOMEM;
}

/** res_counter_uncharge(). *Context*: any. *Source*: kernel/res_counter.c, 2.6.27, where going below 0 is a warning. */
export function* resCounterUncharge(counter: Ptr<ResCounter>, pages: number): Op<void> {
  const flags = yield* spinLockIrqsave(ResCounter.lock(counter));
  const usage = (yield* load(ResCounter.usage(counter))) - pages;
  bugOn(usage < 0, 'res_counter_uncharge: more than was charged');
  yield* store(ResCounter.usage(counter), usage);
  yield* spinUnlockIrqrestore(ResCounter.lock(counter), flags);
}

/** res_counter_check_under_limit(). */
export function* resCounterCheckUnderLimit(counter: Ptr<ResCounter>): Op<boolean> {
  const flags = yield* spinLockIrqsave(ResCounter.lock(counter));
  const under = (yield* load(ResCounter.usage(counter))) < (yield* load(ResCounter.limit(counter)));
  yield* spinUnlockIrqrestore(ResCounter.lock(counter), flags);
  return under;
}

/** What is charged at the moment. */
export const resCounterUsage = (counter: Ptr<ResCounter>): Access<number> => readOnce(ResCounter.usage(counter));

/** res_counter_write() of `limit`. What is charged already stays. */
export function* resCounterSetLimit(counter: Ptr<ResCounter>, limit: number): Op<void> {
  const flags = yield* spinLockIrqsave(ResCounter.lock(counter));
  yield* store(ResCounter.limit(counter), limit);
  yield* spinUnlockIrqrestore(ResCounter.lock(counter), flags);
}
