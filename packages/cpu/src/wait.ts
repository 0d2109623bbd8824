// SPDX-License-Identifier: MIT
import { load, store } from './access.js';
import { waitingOn } from './held-locks.js';
import { initListHead, ListHead, listAdd, listAddTail, listDelInit, listEmpty } from './list.js';
import type { Op } from './op.js';
import { current } from './preempt.js';
import {
  schedule,
  setCurrentState,
  setCurrentStateRelaxed,
  signalPending,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  TaskStruct,
  WaitQueueEntry,
  wakeUpProcess,
} from './sched.js';
import type { SpinLock } from './spinlock.js';
import { spinLockIrqsave, spinUnlockIrqrestore } from './spinlock.js';
import type { StructOf } from './struct.js';
import { containerOf, struct } from './struct.js';
import type { Embed, Ptr } from './word.js';
import { NULL } from './word.js';

/** wait_queue_head_t: tasks that wait for something. The lock is taken with interrupts off: wake-ups come from handlers too. */
export interface WaitQueueHead {
  lock: SpinLock;
  taskList: Embed<ListHead>;
}
export const WaitQueueHead: StructOf<WaitQueueHead> = struct<WaitQueueHead>('wait_queue_head_t', {
  lock: 1,
  taskList: ListHead,
});

/** init_waitqueue_head(). */
export function* initWaitqueueHead(q: Ptr<WaitQueueHead>): Op<void> {
  yield* store(WaitQueueHead.lock(q), 0 as SpinLock);
  yield* initListHead(WaitQueueHead.taskList(q));
}

/**
 * prepare_to_wait(): 1. on the queue, 2. state set with a full barrier, 3. the caller tests its condition. The waker does it the other
 * way round: condition, barrier, look at the queue. So one of the two sees the other.
 * `key` restricts wake-ups on a shared queue (0: any); `exclusive` waiters are woken one at a time, in order.
 */
export function* prepareToWait(q: Ptr<WaitQueueHead>, state: number, key = 0, exclusive = false): Op<void> {
  const wait = TaskStruct.wait(current());
  const entry = WaitQueueEntry.entry(wait);
  waitingOn(q);
  const flags = yield* spinLockIrqsave(WaitQueueHead.lock(q));
  if ((yield* load(WaitQueueEntry.task(wait))) === NULL) {
    yield* store(WaitQueueEntry.task(wait), current());
    yield* store(WaitQueueEntry.key(wait), key);
    yield* store(WaitQueueEntry.exclusive(wait), exclusive ? 1 : 0);
    if (exclusive) yield* listAddTail(entry, WaitQueueHead.taskList(q));
    else yield* listAdd(entry, WaitQueueHead.taskList(q));
  }
  yield* setCurrentState(state);
  yield* spinUnlockIrqrestore(WaitQueueHead.lock(q), flags);
}

/** finish_wait(): running again, and off the queue unless the wake-up took us off. */
export function* finishWait(q: Ptr<WaitQueueHead>): Op<void> {
  const wait = TaskStruct.wait(current());
  yield* setCurrentStateRelaxed(TASK_RUNNING);
  const flags = yield* spinLockIrqsave(WaitQueueHead.lock(q));
  if ((yield* load(WaitQueueEntry.task(wait))) !== NULL) yield* removeWaiter(wait);
  yield* spinUnlockIrqrestore(WaitQueueHead.lock(q), flags);
  waitingOn(NULL);
}

function* removeWaiter(wait: Ptr<WaitQueueEntry>): Op<void> {
  yield* listDelInit(WaitQueueEntry.entry(wait));
  yield* store(WaitQueueEntry.task(wait), NULL);
}

/** __wake_up(): wakes waiters whose key matches and takes them off the queue; of the exclusive ones at most `nrExclusive` (0: all). */
export function* wakeUpKey(q: Ptr<WaitQueueHead>, key: number, nrExclusive: number): Op<void> {
  const flags = yield* spinLockIrqsave(WaitQueueHead.lock(q));
  const head = WaitQueueHead.taskList(q);
  let exclusiveLeft = nrExclusive;
  let at = yield* load(ListHead.next(head));
  while (at !== head) {
    const next = yield* load(ListHead.next(at));
    const wait = containerOf(at, WaitQueueEntry, 'entry');
    const task = yield* load(WaitQueueEntry.task(wait));
    const waitsFor = yield* load(WaitQueueEntry.key(wait));
    if (task !== NULL && (waitsFor === key || waitsFor === 0 || key === 0)) {
      const exclusive = (yield* load(WaitQueueEntry.exclusive(wait))) !== 0;
      yield* removeWaiter(wait);
      yield* wakeUpProcess(task);
      if (exclusive && nrExclusive > 0 && --exclusiveLeft === 0) break;
    }
    at = next;
  }
  yield* spinUnlockIrqrestore(WaitQueueHead.lock(q), flags);
}

/** wake_up(): all ordinary waiters and one exclusive one. */
export const wakeUp = (q: Ptr<WaitQueueHead>): Op<void> => wakeUpKey(q, 0, 1);
/** wake_up_all(). */
export const wakeUpAll = (q: Ptr<WaitQueueHead>): Op<void> => wakeUpKey(q, 0, 0);

/** waitqueue_active(): only a hint, unless a full barrier stands between the caller's change and this test. */
export function* waitqueueActive(q: Ptr<WaitQueueHead>): Op<boolean> {
  return !(yield* listEmpty(WaitQueueHead.taskList(q)));
}

/** wait_event(): sleeps until the condition holds; nothing interrupts it. */
export function* waitEvent(q: Ptr<WaitQueueHead>, condition: () => Op<boolean>): Op<void> {
  for (;;) {
    yield* prepareToWait(q, TASK_UNINTERRUPTIBLE);
    if (yield* condition()) break;
    yield* schedule();
  }
  yield* finishWait(q);
}

/** wait_event_interruptible(): 0, or -EINTR (-4) when a signal came first. */
export function* waitEventInterruptible(q: Ptr<WaitQueueHead>, condition: () => Op<boolean>): Op<number> {
  let error = 0;
  for (;;) {
    yield* prepareToWait(q, TASK_INTERRUPTIBLE);
    if (yield* condition()) break;
    if (yield* signalPending()) {
      error = -4;
      break;
    }
    yield* schedule();
  }
  yield* finishWait(q);
  return error;
}
