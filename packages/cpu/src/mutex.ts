// SPDX-License-Identifier: MIT
import { load, store } from './access.js';
import { atomicCmpxchg, atomicDecReturn, atomicRead, atomicSet, atomicXchg } from './atomic.js';
import { bugOn } from './bug.js';
import { HELD_MUTEX } from './held-entry.js';
import { lockReleased, lockReleasing, lockTaken, lockTaking } from './held-locks.js';
import { initListHead, ListHead, listAddTail, listDelInit, listEmpty } from './list.js';
import type { Op } from './op.js';
import { current, mightSleep } from './preempt.js';
import { schedule, setCurrentState, TASK_RUNNING, TASK_UNINTERRUPTIBLE, TaskStruct, wakeUpProcess } from './sched.js';
import type { SpinLock } from './spinlock.js';
import { spinLock, spinUnlock } from './spinlock.js';
import type { StructOf } from './struct.js';
import { containerOf, struct } from './struct.js';
import type { Embed, Null, Ptr } from './word.js';
import { NULL } from './word.js';

/** struct mutex: `count` 1 unlocked, 0 locked, negative locked with possible waiters. */
export interface Mutex {
  count: number;
  waitLock: SpinLock;
  waitList: Embed<ListHead>;
  owner: Ptr<TaskStruct> | Null;
}
export const Mutex: StructOf<Mutex> = struct<Mutex>('mutex', { count: 1, waitLock: 1, waitList: ListHead, owner: 1 });

/** mutex_init(). */
export function* mutexInit(lock: Ptr<Mutex>): Op<void> {
  yield* store(Mutex.waitLock(lock), 0 as SpinLock);
  yield* initListHead(Mutex.waitList(lock));
  yield* store(Mutex.owner(lock), NULL);
  yield* atomicSet(Mutex.count(lock), 1);
}

/** mutex_lock(): sleeps until taken. *Source*: kernel/mutex.c, 2.6.27. */
export function* mutexLock(lock: Ptr<Mutex>): Op<void> {
  mightSleep();
  if (yield* mutexLockBegin(lock)) return;
  do yield* schedule();
  while (!(yield* mutexLockAgain(lock)));
}

/** The part of {@link mutexLock} before the first sleep: true when taken; otherwise the task is queued, and asleep as soon as it calls schedule(). */
export function* mutexLockBegin(lock: Ptr<Mutex>): Op<boolean> {
  lockTaking(lock | HELD_MUTEX);
  if ((yield* atomicDecReturn(Mutex.count(lock))) >= 0) {
    yield* becomeOwner(lock);
    return true;
  }
  yield* spinLock(Mutex.waitLock(lock));
  yield* listAddTail(TaskStruct.waiter(current()), Mutex.waitList(lock));
  return yield* lockSlowpath(lock);
}

/** The part after each sleep: true when taken. */
export function* mutexLockAgain(lock: Ptr<Mutex>): Op<boolean> {
  yield* spinLock(Mutex.waitLock(lock));
  return yield* lockSlowpath(lock);
}

/** One turn of __mutex_lock_common(). Called queued and with waitLock held; returns without it. */
function* lockSlowpath(lock: Ptr<Mutex>): Op<boolean> {
  // xchg to -1: whoever holds it now must come to the slow path on unlock and wake us.
  if ((yield* atomicXchg(Mutex.count(lock), -1)) !== 1) {
    yield* setCurrentState(TASK_UNINTERRUPTIBLE);
    yield* spinUnlock(Mutex.waitLock(lock));
    return false;
  }
  yield* setCurrentState(TASK_RUNNING);
  yield* listDelInit(TaskStruct.waiter(current()));
  if (yield* listEmpty(Mutex.waitList(lock))) yield* atomicSet(Mutex.count(lock), 0);
  yield* spinUnlock(Mutex.waitLock(lock));
  yield* becomeOwner(lock);
  return true;
}

function* becomeOwner(lock: Ptr<Mutex>): Op<void> {
  yield* store(Mutex.owner(lock), current());
  lockTaken(lock | HELD_MUTEX);
}

/** mutex_trylock(): true when taken (the kernel's 1). */
export function* mutexTrylock(lock: Ptr<Mutex>): Op<boolean> {
  lockTaking(lock | HELD_MUTEX);
  if ((yield* atomicCmpxchg(Mutex.count(lock), 1, 0)) !== 1) {
    lockReleased(lock | HELD_MUTEX);
    return false;
  }
  yield* becomeOwner(lock);
  return true;
}

/** mutex_unlock(). BUG unless the caller holds it. */
export function* mutexUnlock(lock: Ptr<Mutex>): Op<void> {
  bugOn((yield* load(Mutex.owner(lock))) !== current(), 'mutex_unlock by a task that does not hold the mutex');
  lockReleasing(lock | HELD_MUTEX);
  yield* store(Mutex.owner(lock), NULL);
  if ((yield* atomicXchg(Mutex.count(lock), 1)) !== 0) yield* wakeNext(lock);
  lockReleased(lock | HELD_MUTEX);
}

function* wakeNext(lock: Ptr<Mutex>): Op<void> {
  yield* spinLock(Mutex.waitLock(lock));
  const head = Mutex.waitList(lock);
  const first = yield* load(ListHead.next(head));
  if (first !== head) yield* wakeUpProcess(containerOf(first, TaskStruct, 'waiter'));
  yield* spinUnlock(Mutex.waitLock(lock));
}

/** mutex_is_locked(). */
export function* mutexIsLocked(lock: Ptr<Mutex>): Op<boolean> {
  return (yield* atomicRead(Mutex.count(lock))) !== 1;
}
