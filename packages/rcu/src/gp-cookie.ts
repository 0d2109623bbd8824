// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Op, Ptr, Ref, StructOf } from '@lockless/cpu';
import {
  atomicIncReturn,
  bugOn,
  containerOf,
  defineGuard,
  defineWord,
  functionPointer,
  GFP_ATOMIC,
  inInterrupt,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  peek,
  readOnce,
  smpLoadAcquire,
  smpMb,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import { type RcuCallback, RcuHead } from '@lockless/mm-types';
import { FLAVOUR_CLASSIC, FLAVOUR_EVENTS, rcuFlavour } from './flavour.js';
import { beginRcuEvent, begunRcuEvents, endRcuEvent, lastRcuEvent, rcuEventsCounted } from './rcu-events.js';
import { nrRcuCpus, RcuCtrlblk, rcuCtrlblk } from './rcu-struct.js';
import { callRcu, synchronizeRcu } from './rcupdate.js';
import { gp, UrcuGp } from './urcu-words.js';

/*
 * Whether a grace period has passed since some moment, without waiting for one. Grace periods have numbers, and a cookie is the number of the first
 * that surely begins after it was taken:
 *
 *  1. who takes it passes a full barrier and reads the number of the last grace period that has begun. A grace period with a higher number
 *     begins after that: its start and this read cannot miss each other, because either side has a barrier (of rcuclassic.ts: B, at
 *     who learns of a batch);
 *  2. the one in progress does not count: it began before, and a reader that began in between is none that it waits for;
 *  3. who asks reads the number of the last one that is over, by an acquire: readers that 1 came after are over.
 *
 * A number may be too high, then only time is lost. It must never be too low.
 */

const nextOneCounts = defineGuard(
  'getStateSynchronizeRcu.nextGracePeriod',
  'a grace period that is in progress counts, although it may have begun before readers that the cookie is about',
);
const asksRcu = defineGuard(
  'rcuGpCookieElapsed.gracePeriod',
  'the stand-in of the series as posted: true, but for each 16th call',
);

/** Number of a grace period; see above. */
export type RcuState = number & { readonly rcuState: never };

/** The last grace period that has begun, as far as numbers tell. *Context*: after a full barrier. */
function* lastBegun(): Op<number> {
  const flavour = rcuFlavour();
  if (flavour === FLAVOUR_CLASSIC) return yield* readOnce(RcuCtrlblk.cur(rcuCtrlblk));
  if (flavour === FLAVOUR_EVENTS) {
    bugOn(!rcuEventsCounted(), 'a grace-period cookie, and boot did not ask for numbers: bootRcuEvents(true)');
    return yield* begunRcuEvents();
  }
  // They are counted when they end, so one more may have begun: two must pass.
  return ((yield* readOnce(UrcuGp.completed(gp))) + 1) | 0;
}

/** The last grace period that is over. *Ordering*: acquire. */
function* lastEnded(): Op<number> {
  const flavour = rcuFlavour();
  if (flavour === FLAVOUR_CLASSIC) return yield* smpLoadAcquire(RcuCtrlblk.completed(rcuCtrlblk));
  if (flavour === FLAVOUR_EVENTS) return yield* lastRcuEvent();
  return yield* smpLoadAcquire(UrcuGp.completed(gp));
}

/**
 * get_state_synchronize_rcu(): names the moment, for {@link pollStateSynchronizeRcu} and {@link condSynchronizeRcu}.
 *
 * *Context*: any.
 * *Ordering*: full before the number is read: what precedes is seen by every reader that the grace period does not wait for.
 * *Source*: `get_state_synchronize_rcu`, kernel/rcu/tree.c, 765a3f4fed70 (3.15).
 */
export function* getStateSynchronizeRcu(): Op<RcuState> {
  yield* smpMb();
  return (((yield* lastBegun()) + (nextOneCounts() ? 1 : 0)) | 0) as RcuState;
}

/**
 * poll_state_synchronize_rcu(): whether every reader that ran at that moment has ended.
 *
 * *Returns* false also when nobody knows: that a grace period has passed is noted late, and on some flavours two must pass.
 * *Context*: any; on one CPU, not in a reader that began before that moment.
 * *Ordering*: acquire when it returns true: what those readers did is over.
 * *Source*: `poll_state_synchronize_rcu`, kernel/rcu/tree.c, 7abb18bd7567 (5.13).
 */
export function* pollStateSynchronizeRcu(state: RcuState): Op<boolean> {
  // The only CPU runs us, so only what we interrupted can be a reader.
  if (rcuFlavour() === FLAVOUR_CLASSIC && peek(nrRcuCpus) === 1) return !inInterrupt();
  return (((yield* lastEnded()) - state) | 0) >= 0;
}

/**
 * cond_synchronize_rcu(): waits for a grace period, unless one has passed since that moment.
 *
 * *Context*: may sleep; not inside a reader. *Ordering*: full.
 * *Source*: `cond_synchronize_rcu`, kernel/rcu/tree.c, 765a3f4fed70 (3.15).
 */
export function* condSynchronizeRcu(state: RcuState): Op<void> {
  if (yield* pollStateSynchronizeRcu(state)) yield* smpMb();
  else yield* synchronizeRcu();
}

/** A callback that asks for nothing but the grace period before it. */
interface RcuPoll {
  head: Embed<RcuHead>;
  /** Its number, where grace periods are events. */
  number: number;
}
const RcuPoll: StructOf<RcuPoll> = struct<RcuPoll>('rcu_poll', { head: RcuHead, number: 1 });
const rcuPollCachep: KmemCache<RcuPoll> = kmemCacheCreate(RcuPoll);

const pollOver: FunctionPointer<RcuCallback> = functionPointer(
  'rcu_poll_over',
  function* (head: Ptr<RcuHead>): Op<void> {
    const poll = containerOf(head, RcuPoll, 'head');
    if (rcuEventsCounted()) yield* endRcuEvent(yield* load(RcuPoll.number(poll)));
    yield* kmemCacheFree(rcuPollCachep, poll);
  },
);

/**
 * start_poll_synchronize_rcu(): {@link getStateSynchronizeRcu}, and somebody waits for the grace period, so that it comes.
 *
 * *Context*: any, hardirq excluded.
 * *Source*: `start_poll_synchronize_rcu`, kernel/rcu/tree.c, 7abb18bd7567 (5.13).
 * *Differs*: a callback asks for it, where the kernel has a bit. When there is no memory for one, other grace periods must do.
 */
export function* startPollSynchronizeRcu(): Op<RcuState> {
  const state = yield* getStateSynchronizeRcu();
  const poll = yield* kmemCacheAlloc(rcuPollCachep, GFP_ATOMIC);
  if (poll === NULL) return state;
  if (rcuEventsCounted()) yield* store(RcuPoll.number(poll), yield* beginRcuEvent());
  yield* callRcu(RcuPoll.head(poll), pollOver);
  return state;
}

/** struct rcu_cookie: one word, so that it fits where nothing else needs the place. */
export type RcuCookie = RcuState;

/** What the stand-in of the series writes, to see that nobody else does. */
const STAND_IN = 12345678 as RcuCookie;
const standInCalls: Ref<number> = defineWord('rcu_cookie_calls');

/**
 * rcu_get_gp_cookie(): writes down the moment.
 *
 * *Context*: any; before whatever is asked about it later can be found. *Ordering*: as {@link getStateSynchronizeRcu}.
 * *Source*: Michel Lespinasse, 2011-08-19, [PATCH 7/9] "rcu: rcu_get_gp_cookie() / rcu_gp_cookie_elapsed() stand-ins".
 */
export function* rcuGetGpCookie(cookie: Ref<RcuCookie>): Op<void> {
  yield* writeOnce(cookie, asksRcu() ? yield* getStateSynchronizeRcu() : STAND_IN);
}

/**
 * rcu_gp_cookie_elapsed(): whether a full grace period has surely passed since then.
 *
 * *Returns* false also when nobody knows. The caller then gives up its locks, calls synchronizeRcu() and asks again: true after two of them at the latest.
 * *Context*, *Ordering*: as {@link pollStateSynchronizeRcu}.
 * *Source*: as {@link rcuGetGpCookie}; a stand-in there, which this is without its guard.
 */
export function* rcuGpCookieElapsed(cookie: Ref<RcuCookie>): Op<boolean> {
  const state = yield* readOnce(cookie);
  if (asksRcu()) return yield* pollStateSynchronizeRcu(state);
  bugOn(state !== STAND_IN, 'rcu_gp_cookie_elapsed: not a cookie');
  return (yield* atomicIncReturn(standInCalls)) % 16 !== 0;
}
