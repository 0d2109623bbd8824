// SPDX-License-Identifier: MIT
import type { Completion, Mutex, Op, Ptr, RwSemaphore, TaskStruct, WaitQueueHead } from '@lockless/cpu/native';
import {
  downReadAgain,
  downReadBegin,
  downWriteAgain,
  downWriteBegin,
  finishWait,
  mutexLockAgain,
  mutexLockBegin,
  prepareToWait,
  TASK_UNINTERRUPTIBLE,
  tryWaitForCompletion,
} from '@lockless/cpu/native';

/** What an {@link AsyncTask} needs of its machine. */
export interface TaskHost {
  asTask<T>(task: Ptr<TaskStruct>, call: () => T): T;
  sleepAsync(task: Ptr<TaskStruct>): Promise<void>;
  retire(task: Ptr<TaskStruct>): void;
}

/**
 * A task of this thread that waits without blocking it: what it waits for is the kernel's, between two waits it runs kernel-side code by
 * {@link AsyncTask.run}. Several may wait at a time; each waits in one place at a time. A lock that a task took is released by the same task.
 */
export class AsyncTask {
  private readonly host: TaskHost;
  /** Its TaskStruct; null when it has ended. */
  private task: Ptr<TaskStruct> | null;

  constructor(host: TaskHost, task: Ptr<TaskStruct>) {
    this.host = host;
    this.task = task;
  }

  /** Runs code as this task, at once. It must not sleep. */
  run<T>(call: () => T): T {
    return this.host.asTask(this.alive(), call);
  }

  /** schedule(): resolves when the task was woken, at once if its state is TASK_RUNNING. */
  schedule(): Promise<void> {
    return this.host.sleepAsync(this.alive());
  }

  /** mutex_lock(). Release it by `task.run(() => mutexUnlock(lock))`. */
  mutexLock(lock: Ptr<Mutex>): Promise<void> {
    return this.take(
      () => mutexLockBegin(lock),
      () => mutexLockAgain(lock),
    );
  }

  /** down_read(). */
  downRead(sem: Ptr<RwSemaphore>): Promise<void> {
    return this.take(
      () => downReadBegin(sem),
      () => downReadAgain(sem),
    );
  }

  /** down_write(). */
  downWrite(sem: Ptr<RwSemaphore>): Promise<void> {
    return this.take(
      () => downWriteBegin(sem),
      () => downWriteAgain(sem),
    );
  }

  /** wait_for_completion(). */
  waitForCompletion(x: Ptr<Completion>): Promise<void> {
    const wait = (): boolean => tryWaitForCompletion(x);
    return this.take(wait, wait);
  }

  /** wait_event(): until the condition holds. `key`: as prepareToWait() has it. */
  async waitEvent(q: Ptr<WaitQueueHead>, condition: () => Op<boolean>, key = 0): Promise<void> {
    const wait = (): boolean => {
      prepareToWait(q, TASK_UNINTERRUPTIBLE, key);
      if (!condition()) return false;
      finishWait(q);
      return true;
    };
    await this.take(wait, wait);
  }

  /** The task ends. It holds nothing and waits nowhere. */
  end(): void {
    this.host.retire(this.alive());
    this.task = null;
  }

  private async take(begin: () => boolean, again: () => boolean): Promise<void> {
    let taken = this.run(begin);
    while (!taken) {
      await this.schedule();
      taken = this.run(again);
    }
  }

  private alive(): Ptr<TaskStruct> {
    if (this.task === null) throw new Error('this task has ended');
    return this.task;
  }
}
