// SPDX-License-Identifier: MIT
import { everyNowAndThen } from './surroundings.js';

/** Milliseconds between two signs of life. */
const BEAT = 250;

/** What a thread does now and then as long as it takes part. It keeps the program alive only while something sleeps without blocking the thread: in Node a promise alone does not. */
export class Heartbeat {
  private readonly timer: ReturnType<typeof everyNowAndThen>;
  private asleep = 0;

  constructor(beat: () => void) {
    this.timer = everyNowAndThen(BEAT, beat);
  }

  async whileAsleep(sleep: () => Promise<void>): Promise<void> {
    this.asleep += 1;
    this.timer.keepAlive(true);
    try {
      await sleep();
    } finally {
      this.asleep -= 1;
      if (this.asleep === 0) this.timer.keepAlive(false);
    }
  }

  stop(): void {
    this.timer.stop();
  }
}
