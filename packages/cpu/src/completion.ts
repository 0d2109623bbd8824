// SPDX-License-Identifier: MIT
import { load, store } from './access.js';
import type { Op } from './op.js';
import { schedule, TASK_UNINTERRUPTIBLE } from './sched.js';
import type { SpinLock } from './spinlock.js';
import { spinLockIrqsave, spinUnlockIrqrestore } from './spinlock.js';
import type { StructOf } from './struct.js';
import { struct } from './struct.js';
import { finishWait, initWaitqueueHead, prepareToWait, WaitQueueHead, wakeUpAll, wakeUpKey } from './wait.js';
import type { Embed, Ptr } from './word.js';

/** struct completion: `done` counts completions not yet waited for. */
export interface Completion {
  done: number;
  lock: SpinLock;
  wait: Embed<WaitQueueHead>;
}
export const Completion: StructOf<Completion> = struct<Completion>('completion', {
  done: 1,
  lock: 1,
  wait: WaitQueueHead,
});

const ALL = 0x3fffffff;

/** init_completion(). */
export function* initCompletion(x: Ptr<Completion>): Op<void> {
  yield* store(Completion.done(x), 0);
  yield* store(Completion.lock(x), 0 as SpinLock);
  yield* initWaitqueueHead(Completion.wait(x));
}

function* tryConsume(x: Ptr<Completion>): Op<boolean> {
  const flags = yield* spinLockIrqsave(Completion.lock(x));
  const done = yield* load(Completion.done(x));
  if (done > 0 && done < ALL) yield* store(Completion.done(x), done - 1);
  yield* spinUnlockIrqrestore(Completion.lock(x), flags);
  return done > 0;
}

/** wait_for_completion(): sleeps until complete() was called once for this waiter. */
export function* waitForCompletion(x: Ptr<Completion>): Op<void> {
  while (!(yield* tryWaitForCompletion(x))) yield* schedule();
}

/** One turn of {@link waitForCompletion}: true when it is over; otherwise the task is queued, and asleep as soon as it calls schedule(). */
export function* tryWaitForCompletion(x: Ptr<Completion>): Op<boolean> {
  yield* prepareToWait(Completion.wait(x), TASK_UNINTERRUPTIBLE, 0, true);
  if (!(yield* tryConsume(x))) return false;
  yield* finishWait(Completion.wait(x));
  return true;
}

/**
 * complete(): lets one waiter go on. Callable from interrupt handlers.
 * The completion may be freed by the waiter as soon as the lock is dropped, so the wake-up happens under it.
 */
export function* complete(x: Ptr<Completion>): Op<void> {
  const flags = yield* spinLockIrqsave(Completion.lock(x));
  yield* store(Completion.done(x), (yield* load(Completion.done(x))) + 1);
  yield* wakeUpKey(Completion.wait(x), 0, 1);
  yield* spinUnlockIrqrestore(Completion.lock(x), flags);
}

/** complete_all(): lets all go on, for ever. */
export function* completeAll(x: Ptr<Completion>): Op<void> {
  const flags = yield* spinLockIrqsave(Completion.lock(x));
  yield* store(Completion.done(x), ALL);
  yield* wakeUpAll(Completion.wait(x));
  yield* spinUnlockIrqrestore(Completion.lock(x), flags);
}
