// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, Null, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  atomicCmpxchgRelease,
  atomicXchgAcquire,
  defineStatic,
  load,
  localBhDisable,
  localBhEnable,
  Mutex,
  mightSleep,
  mutexInit,
  mutexLock,
  mutexUnlock,
  NULL,
  peek,
  pointedFunction,
  readOnce,
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
  /** Held from the taking of the list to the last callback on it. */
  reclaim: Embed<Mutex>;
  /** Callbacks that were invoked, for statistics; under the mutex. */
  invoked: number;
}
const UrcuCallbacks: StructOf<UrcuCallbacks> = struct<UrcuCallbacks>('urcu_callbacks', {
  first: 1,
  reclaim: Mutex,
  invoked: 1,
});
const callbacks: Ptr<UrcuCallbacks> = defineStatic(UrcuCallbacks, 'urcu_callbacks');

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
 * *Context*: may sleep; not inside a reader, nor in a callback. Callbacks run with softirqs off, as they are used to.
 */
export function* urcuReclaim(): Op<void> {
  mightSleep();
  yield* mutexLock(UrcuCallbacks.reclaim(callbacks));
  const last = yield* atomicXchgAcquire<Ptr<RcuHead> | Null>(UrcuCallbacks.first(callbacks), NULL);
  if (last !== NULL) {
    yield* urcuSynchronizeRcu();
    yield* invoke(yield* reversed(last));
  }
  yield* mutexUnlock(UrcuCallbacks.reclaim(callbacks));
}

/** The list in the order in which it was queued. */
function* reversed(last: Ptr<RcuHead>): Op<Ptr<RcuHead> | Null> {
  let first: Ptr<RcuHead> | Null = NULL;
  let at: Ptr<RcuHead> | Null = last;
  while (at !== NULL) {
    const before: Ptr<RcuHead> | Null = yield* load(RcuHead.next(at));
    yield* store(RcuHead.next(at), first);
    first = at;
    at = before;
  }
  return first;
}

function* invoke(first: Ptr<RcuHead> | Null): Op<void> {
  localBhDisable();
  let count = 0;
  for (let at = first; at !== NULL; count++) {
    // The callback may free the object that the head is part of.
    const next = yield* load(RcuHead.next(at));
    yield* pointedFunction(yield* load(RcuHead.func(at)))(at);
    at = next;
  }
  localBhEnable();
  const invoked = UrcuCallbacks.invoked(callbacks);
  yield* store(invoked, ((yield* load(invoked)) + count) | 0);
}

/** Callbacks that were invoked, and those that wait, from outside. */
export function urcuCallbacks(): { readonly queued: number; readonly invoked: number } {
  const invoked = peek(UrcuCallbacks.invoked(callbacks));
  let queued = invoked;
  for (let at = peek(UrcuCallbacks.first(callbacks)); at !== NULL; at = peek(RcuHead.next(at))) queued++;
  return { queued, invoked };
}
