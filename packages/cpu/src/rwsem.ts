// SPDX-License-Identifier: MIT
import { load, readOnce, smpStoreRelease, store } from './access.js';
import { smpMb } from './barrier.js';
import { bugOn } from './bug.js';
import { HELD_READ, HELD_RWSEM } from './held-entry.js';
import { lockReleased, lockReleasing, lockTaken, lockTaking } from './held-locks.js';
import { initListHead, ListHead, listAddTail, listDelInit, listEmpty } from './list.js';
import type { Op } from './op.js';
import { current, mightSleep } from './preempt.js';
import { schedule, setCurrentState, TASK_RUNNING, TASK_UNINTERRUPTIBLE, TaskStruct, wakeUpProcess } from './sched.js';
import type { SpinLock } from './spinlock.js';
import { spinLock, spinUnlock } from './spinlock.js';
import type { StructOf } from './struct.js';
import { containerOf, struct } from './struct.js';
import type { Embed, Ptr } from './word.js';

/** struct rw_semaphore as in lib/rwsem-spinlock.c: `activity` n readers, 0 free, -1 one writer. Waiters are served in order. */
export interface RwSemaphore {
  activity: number;
  waitLock: SpinLock;
  waitList: Embed<ListHead>;
}
export const RwSemaphore: StructOf<RwSemaphore> = struct<RwSemaphore>('rw_semaphore', {
  activity: 1,
  waitLock: 1,
  waitList: ListHead,
});

const WANTS_READ = 1;
const WANTS_WRITE = 2;

/** init_rwsem(). */
export function* initRwsem(sem: Ptr<RwSemaphore>): Op<void> {
  yield* store(RwSemaphore.activity(sem), 0);
  yield* store(RwSemaphore.waitLock(sem), 0 as SpinLock);
  yield* initListHead(RwSemaphore.waitList(sem));
}

/** down_read(): shared; sleeps while a writer holds it or waits first. */
export function* downRead(sem: Ptr<RwSemaphore>): Op<void> {
  mightSleep();
  if (!(yield* downReadBegin(sem))) yield* sleepUntilGranted(sem | HELD_RWSEM | HELD_READ);
}

/** down_write(): alone. */
export function* downWrite(sem: Ptr<RwSemaphore>): Op<void> {
  mightSleep();
  if (!(yield* downWriteBegin(sem))) yield* sleepUntilGranted(sem | HELD_RWSEM);
}

/** The part of {@link downRead} before the first sleep: true when taken; otherwise the task is queued, and asleep as soon as it calls schedule(). */
export function* downReadBegin(sem: Ptr<RwSemaphore>): Op<boolean> {
  lockTaking(sem | HELD_RWSEM | HELD_READ);
  yield* spinLock(RwSemaphore.waitLock(sem));
  const activity = yield* load(RwSemaphore.activity(sem));
  const free = activity >= 0 && (yield* listEmpty(RwSemaphore.waitList(sem)));
  if (free) yield* store(RwSemaphore.activity(sem), activity + 1);
  else yield* queueUp(sem, WANTS_READ);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  if (free) lockTaken(sem | HELD_RWSEM | HELD_READ);
  return free;
}

/** The same of {@link downWrite}. */
export function* downWriteBegin(sem: Ptr<RwSemaphore>): Op<boolean> {
  lockTaking(sem | HELD_RWSEM);
  yield* spinLock(RwSemaphore.waitLock(sem));
  const free = (yield* load(RwSemaphore.activity(sem))) === 0 && (yield* listEmpty(RwSemaphore.waitList(sem)));
  if (free) yield* store(RwSemaphore.activity(sem), -1);
  else yield* queueUp(sem, WANTS_WRITE);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  if (free) lockTaken(sem | HELD_RWSEM);
  return free;
}

/** The part after each sleep: true when taken. */
export function* downReadAgain(sem: Ptr<RwSemaphore>): Op<boolean> {
  yield* setCurrentState(TASK_UNINTERRUPTIBLE);
  return yield* granted(sem | HELD_RWSEM | HELD_READ);
}

/** The same of {@link downWrite}. */
export function* downWriteAgain(sem: Ptr<RwSemaphore>): Op<boolean> {
  yield* setCurrentState(TASK_UNINTERRUPTIBLE);
  return yield* granted(sem | HELD_RWSEM);
}

/** Called with waitLock held. */
function* queueUp(sem: Ptr<RwSemaphore>, wants: number): Op<void> {
  const self = current();
  yield* store(TaskStruct.waiterWants(self), wants);
  yield* listAddTail(TaskStruct.waiter(self), RwSemaphore.waitList(sem));
  yield* setCurrentState(TASK_UNINTERRUPTIBLE);
}

/** The semaphore is granted by the one who releases it. `entry`: see held-entry.ts. */
function* sleepUntilGranted(entry: number): Op<void> {
  while (!(yield* granted(entry))) {
    yield* schedule();
    yield* setCurrentState(TASK_UNINTERRUPTIBLE);
  }
}

function* granted(entry: number): Op<boolean> {
  if ((yield* readOnce(TaskStruct.waiterWants(current()))) !== 0) return false;
  // The granter's release of waiterWants pairs with this: what the last holder did is over.
  yield* smpMb();
  yield* setCurrentState(TASK_RUNNING);
  lockTaken(entry);
  return true;
}

/** down_read_trylock(): true when taken (the kernel's 1). */
export function* downReadTrylock(sem: Ptr<RwSemaphore>): Op<boolean> {
  lockTaking(sem | HELD_RWSEM | HELD_READ);
  yield* spinLock(RwSemaphore.waitLock(sem));
  const activity = yield* load(RwSemaphore.activity(sem));
  const free = activity >= 0 && (yield* listEmpty(RwSemaphore.waitList(sem)));
  if (free) yield* store(RwSemaphore.activity(sem), activity + 1);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  if (free) lockTaken(sem | HELD_RWSEM | HELD_READ);
  else lockReleased(sem | HELD_RWSEM | HELD_READ);
  return free;
}

/** down_write_trylock(): true when taken. */
export function* downWriteTrylock(sem: Ptr<RwSemaphore>): Op<boolean> {
  lockTaking(sem | HELD_RWSEM);
  yield* spinLock(RwSemaphore.waitLock(sem));
  const free = (yield* load(RwSemaphore.activity(sem))) === 0;
  if (free) yield* store(RwSemaphore.activity(sem), -1);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  if (free) lockTaken(sem | HELD_RWSEM);
  else lockReleased(sem | HELD_RWSEM);
  return free;
}

/** up_read(). */
export function* upRead(sem: Ptr<RwSemaphore>): Op<void> {
  lockReleasing(sem | HELD_RWSEM | HELD_READ);
  yield* spinLock(RwSemaphore.waitLock(sem));
  const activity = yield* load(RwSemaphore.activity(sem));
  bugOn(activity <= 0, 'up_read of a semaphore that no reader holds');
  yield* store(RwSemaphore.activity(sem), activity - 1);
  if (activity === 1) yield* grantWaiters(sem, true);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  lockReleased(sem | HELD_RWSEM | HELD_READ);
}

/** up_write(). */
export function* upWrite(sem: Ptr<RwSemaphore>): Op<void> {
  lockReleasing(sem | HELD_RWSEM);
  yield* spinLock(RwSemaphore.waitLock(sem));
  bugOn((yield* load(RwSemaphore.activity(sem))) !== -1, 'up_write of a semaphore that no writer holds');
  yield* store(RwSemaphore.activity(sem), 0);
  yield* grantWaiters(sem, true);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  lockReleased(sem | HELD_RWSEM);
}

/** downgrade_write(): the writer becomes a reader; readers that wait in front come in. */
export function* downgradeWrite(sem: Ptr<RwSemaphore>): Op<void> {
  yield* spinLock(RwSemaphore.waitLock(sem));
  bugOn((yield* load(RwSemaphore.activity(sem))) !== -1, 'downgrade_write of a semaphore that no writer holds');
  yield* store(RwSemaphore.activity(sem), 1);
  yield* grantWaiters(sem, false);
  yield* spinUnlock(RwSemaphore.waitLock(sem));
  lockReleasing(sem | HELD_RWSEM);
  lockReleased(sem | HELD_RWSEM);
  lockTaking(sem | HELD_RWSEM | HELD_READ);
  lockTaken(sem | HELD_RWSEM | HELD_READ);
}

/** __rwsem_do_wake(): one writer from the front, or all readers up to the first writer. */
function* grantWaiters(sem: Ptr<RwSemaphore>, writersToo: boolean): Op<void> {
  const head = RwSemaphore.waitList(sem);
  for (;;) {
    const first = yield* load(ListHead.next(head));
    if (first === head) return;
    const task = containerOf(first, TaskStruct, 'waiter');
    const activity = yield* load(RwSemaphore.activity(sem));
    const writer = (yield* load(TaskStruct.waiterWants(task))) === WANTS_WRITE;
    if (writer && (activity !== 0 || !writersToo)) return;
    yield* listDelInit(first);
    yield* store(RwSemaphore.activity(sem), writer ? -1 : activity + 1);
    yield* smpStoreRelease(TaskStruct.waiterWants(task), 0);
    yield* wakeUpProcess(task);
    if (writer) return;
  }
}
