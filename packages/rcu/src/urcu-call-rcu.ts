// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Embed, FunctionPointer, Null, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  atomicCmpxchgAcquire,
  atomicCmpxchgRelease,
  defineGuard,
  defineStatic,
  load,
  localBhDisable,
  localBhEnable,
  Mutex,
  mightSleep,
  mutexInit,
  mutexLock,
  mutexTrylock,
  mutexUnlock,
  NULL,
  peek,
  pointedFunction,
  readOnce,
  smpLoadAcquire,
  store,
  struct,
} from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import { initUrcuMb, urcuSynchronizeRcu } from './urcu-mb.js';

/*
 * Callbacks of user-space RCU: one list, pushed to without a lock, and taken as a whole by whoever processes it. liburcu has helper threads for
 * that (urcu-call-rcu-impl.h); here anybody who may sleep calls urcuReclaim(), a helper thread of the application, or an idle CPU.
 */

interface UrcuCallbacks {
  /** What was queued, last first. */
  first: Ptr<RcuHead> | Null;
  /** The last queued of those that are being reclaimed. Under the mutex. */
  taken: Ptr<RcuHead> | Null;
  /** Held from the taking of the list to the last callback on it. */
  reclaim: Embed<Mutex>;
  /** The one that is being invoked, until its callback says that it has it (urcuBegun()), or returns. Under the mutex. */
  invoking: Ptr<RcuHead> | Null;
  /** Callbacks that were invoked, for statistics; under the mutex. */
  invoked: number;
}
const UrcuCallbacks: StructOf<UrcuCallbacks> = struct<UrcuCallbacks>('urcu_callbacks', {
  first: 1,
  taken: 1,
  reclaim: Mutex,
  invoking: 1,
  invoked: 1,
});
const callbacks: Ptr<UrcuCallbacks> = defineStatic(UrcuCallbacks, 'urcu_callbacks');

const takesOver = defineGuard('urcuReclaim.takeOver', 'what a thread that died had taken is forgotten');

/** Boot. */
export function* initUrcu(): Op<void> {
  yield* initUrcuMb();
  yield* mutexInit(UrcuCallbacks.reclaim(callbacks));
}

/** call_rcu(). *Source*: `call_rcu`, liburcu. */
export function* urcuCallRcu(head: Ptr<RcuHead>, func: FunctionPointer<RcuCallback>): Op<void> {
  const list = UrcuCallbacks.first(callbacks);
  yield* store(RcuHead.func(head), func);
  for (;;) {
    const first = yield* readOnce(list);
    yield* store(RcuHead.next(head), first);
    // Release, pairs with the acquire of who takes the list: head and object are complete, and unpublished before the grace period begins.
    if ((yield* atomicCmpxchgRelease(list, first, head)) === first) return;
  }
}

/**
 * Waits for a grace period and invokes, in order, the callbacks that were queued before. When it returns, every callback queued before the call was
 * invoked: others take callbacks under the same mutex, which they hold until they have invoked them. So it is rcu_barrier() as well.
 *
 * A thread that dies here (natively) leaves the rest of its callbacks in `taken`, for who gets the mutex next. The one that it was invoking is neither invoked again nor ended,
 * unless its owner sees to that: {@link urcuInvoking}.
 *
 * *Context*: may sleep; not inside a reader, nor in a callback. Callbacks run with softirqs off, as they are used to.
 */
export function* urcuReclaim(): Op<void> {
  mightSleep();
  yield* mutexLock(UrcuCallbacks.reclaim(callbacks));
  yield* reclaimLocked();
  yield* mutexUnlock(UrcuCallbacks.reclaim(callbacks));
}

/**
 * As {@link urcuReclaim}, unless somebody is at it already: for threads that must not sleep until he is done. Still waits for the readers.
 *
 * *Returns* whether it did.
 */
export function* urcuTryReclaim(): Op<boolean> {
  mightSleep();
  if (!(yield* mutexTrylock(UrcuCallbacks.reclaim(callbacks)))) return false;
  yield* reclaimLocked();
  yield* mutexUnlock(UrcuCallbacks.reclaim(callbacks));
  return true;
}

/**
 * Does something while nobody invokes callbacks, unless somebody is at it: for who looks for what a dead thread may have queued ({@link urcuIsQueued}).
 *
 * *Returns* whether it did.
 */
export function* urcuTryExclude(work: () => Op<void>): Op<boolean> {
  if (!(yield* mutexTrylock(UrcuCallbacks.reclaim(callbacks)))) return false;
  yield* work();
  yield* mutexUnlock(UrcuCallbacks.reclaim(callbacks));
  return true;
}

/** Whether a head waits, for its grace period or for its callback. *Context*: {@link urcuTryExclude}; others only add in front meanwhile. */
export function* urcuIsQueued(head: Ptr<RcuHead>): Op<boolean> {
  // Acquire, pairs with the release of who queues.
  for (const list of [UrcuCallbacks.first(callbacks), UrcuCallbacks.taken(callbacks)])
    for (let at = yield* smpLoadAcquire(list); at !== NULL; at = yield* load(RcuHead.next(at)))
      if (at === head) return true;
  return false;
}

/** Under the mutex. */
function* reclaimLocked(): Op<void> {
  const left = yield* load(UrcuCallbacks.taken(callbacks));
  if (left !== NULL && takesOver()) yield* afterGracePeriod(left);
  // Acquire, pairs with the release of who queues: heads and objects are complete.
  const last = yield* smpLoadAcquire(UrcuCallbacks.first(callbacks));
  yield* store(UrcuCallbacks.taken(callbacks), last);
  if (last !== NULL) yield* afterGracePeriod(last);
}

function* afterGracePeriod(last: Ptr<RcuHead>): Op<void> {
  yield* detach(last);
  yield* urcuSynchronizeRcu();
  yield* invoke();
}

/** Takes `last` and what was queued before it from the list, if that was not done yet: `taken` has said since before whose they are. */
function* detach(last: Ptr<RcuHead>): Op<void> {
  const list = UrcuCallbacks.first(callbacks);
  if ((yield* atomicCmpxchgAcquire<Ptr<RcuHead> | Null>(list, last, NULL)) === last) return;
  // More have been queued since, in front. Nobody but us goes behind the first.
  for (let at = yield* smpLoadAcquire(list); at !== NULL; ) {
    const next: Ptr<RcuHead> | Null = yield* load(RcuHead.next(at));
    if (next === last) yield* store(RcuHead.next(at), NULL);
    at = next === last ? NULL : next;
  }
}

/** Invokes what is taken, first queued first. Each leaves the list before: the list says what is still to be done. */
function* invoke(): Op<void> {
  const heads: Ptr<RcuHead>[] = [];
  for (let at = yield* load(UrcuCallbacks.taken(callbacks)); at !== NULL; at = yield* load(RcuHead.next(at)))
    heads.push(at);
  const invoked = UrcuCallbacks.invoked(callbacks);
  for (let i = heads.length - 1; i >= 0; i--) {
    yield* store(UrcuCallbacks.invoking(callbacks), heads[i]);
    if (i > 0) yield* store(RcuHead.next(heads[i - 1]), NULL);
    else yield* store(UrcuCallbacks.taken(callbacks), NULL);
    localBhDisable();
    yield* pointedFunction(yield* load(RcuHead.func(heads[i])))(heads[i]);
    localBhEnable();
    yield* urcuBegun();
    yield* store(invoked, ((yield* load(invoked)) + 1) | 0);
  }
}

/**
 * What a reclaimer that died was invoking: it left the list, or was about to, and its callback has not said that it began. NULL: none, or nobody knows how far it came.
 *
 * *Context*: the mutex, taken over from the dead.
 */
export function* urcuInvoking(): Op<Ptr<RcuHead> | Null> {
  const head = yield* load(UrcuCallbacks.invoking(callbacks));
  return head !== NULL && (yield* urcuIsQueued(head)) ? NULL : head;
}

/** A callback has written down what it has to do: should this thread die, that tells how far it came. Also says that it is done. */
export const urcuBegun = (): Access<void> => store(UrcuCallbacks.invoking(callbacks), NULL);

/** What waits for a grace period, or to be invoked after it, from outside: for who looks for what nobody will free any more. */
export function urcuQueued(): ReadonlySet<Ptr<RcuHead>> {
  const queued = new Set<Ptr<RcuHead>>();
  for (const list of [UrcuCallbacks.first(callbacks), UrcuCallbacks.taken(callbacks)])
    for (let at = peek(list); at !== NULL; at = peek(RcuHead.next(at))) queued.add(at);
  return queued;
}

/** Callbacks that were invoked, and those that wait, from outside. */
export function urcuCallbacks(): { readonly queued: number; readonly invoked: number } {
  const invoked = peek(UrcuCallbacks.invoked(callbacks));
  return { queued: invoked + urcuQueued().size, invoked };
}
