// SPDX-License-Identifier: MIT
import { load, readOnce, store } from './access.js';
import { defineGuard } from './guard.js';
import { ListHead, listAddTail, listDelInit } from './list.js';
import { defineStatic, poke } from './memory.js';
import type { Op } from './op.js';
import { current } from './preempt.js';
import { schedule, setCurrentState, TASK_UNINTERRUPTIBLE, TaskStruct, WaitQueueEntry, wakeUpProcess } from './sched.js';
import { spinLock, spinUnlock } from './spinlock.js';
import { containerOf } from './struct.js';
import { WaitQueueHead } from './wait.js';
import type { Ptr, Ref } from './word.js';

/*
 * Sleeping on a word, as FUTEX_WAIT and FUTEX_WAKE, or as `Atomics.wait` and `Atomics.notify`, which futex.native.ts calls. Here they are spelt out in
 * the form in which ECMAScript defines them, a list of waiters with a critical section, for who checks protocols that sleep so.
 */
const waiters: Ptr<WaitQueueHead> = defineStatic(WaitQueueHead, 'futex_waiters');

const compareUnderLock = defineGuard(
  'sleepOnWord.compare',
  'a thread goes to sleep though the word has changed already',
);

/** Boot, wherever words are slept on. */
export function initFutex(): void {
  const head = WaitQueueHead.taskList(waiters);
  poke(ListHead.next(head), head);
  poke(ListHead.prev(head), head);
}

/** Sleeps until somebody calls {@link wakeWord}, if the word has this value; returns at once otherwise. May also return for no reason. */
export function* sleepOnWord(word: Ref<number>, value: number): Op<void> {
  const wait = TaskStruct.wait(current());
  yield* spinLock(WaitQueueHead.lock(waiters));
  if ((yield* readOnce(word)) !== value && compareUnderLock()) {
    yield* spinUnlock(WaitQueueHead.lock(waiters));
    return;
  }
  yield* store(WaitQueueEntry.task(wait), current());
  yield* store(WaitQueueEntry.key(wait), word);
  yield* listAddTail(WaitQueueEntry.entry(wait), WaitQueueHead.taskList(waiters));
  yield* setCurrentState(TASK_UNINTERRUPTIBLE);
  yield* spinUnlock(WaitQueueHead.lock(waiters));
  yield* schedule();
}

/** Wakes whoever sleeps on the word: who has slept longest, or all. */
export function* wakeWord(word: Ref<number>, all: boolean): Op<void> {
  yield* spinLock(WaitQueueHead.lock(waiters));
  const head = WaitQueueHead.taskList(waiters);
  let at = yield* load(ListHead.next(head));
  while (at !== head) {
    const next = yield* load(ListHead.next(at));
    const wait = containerOf(at, WaitQueueEntry, 'entry');
    if ((yield* load(WaitQueueEntry.key(wait))) === word) {
      yield* listDelInit(at);
      yield* wakeUpProcess((yield* load(WaitQueueEntry.task(wait))) as Ptr<TaskStruct>);
      if (!all) break;
    }
    at = next;
  }
  yield* spinUnlock(WaitQueueHead.lock(waiters));
}
