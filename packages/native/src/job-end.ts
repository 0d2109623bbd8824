// SPDX-License-Identifier: MIT
import { enterIdle, words } from '@lockless/cpu/native';

const now: Promise<void> = Promise.resolve();

/**
 * Says that this thread has nothing more to do when the job of the event loop that runs now is over: a microtask, so what was begun in a job ends with it, in Node
 * and in browsers. (`setImmediate` would come once for all jobs of a turn, and costs thirty times as much.)
 */
export class JobEnd {
  private readonly memory: Int32Array;
  private asked = false;

  constructor(memory: Int32Array) {
    this.memory = memory;
  }

  ask(): void {
    if (this.asked) return;
    this.asked = true;
    void now.then(() => {
      this.asked = false;
      // The thread may have detached.
      if (words === this.memory) enterIdle();
    });
  }
}
