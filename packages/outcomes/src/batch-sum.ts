// SPDX-License-Identifier: GPL-2.0-only
import type { Counted } from './protocol.js';

/** Adds up what threads count. A batch of which a thread has not told is not counted: the tables are consistent whenever a run ends. */
export class BatchSum {
  readonly outcomes: Map<string, number> = new Map();
  /** Instances. */
  givenUp = 0;
  private readonly threads: number;
  /** By the number of the batch. */
  private readonly incomplete: Map<number, readonly Counted[]> = new Map();

  constructor(threads: number) {
    this.threads = threads;
  }

  add(counted: Counted): void {
    const { batch } = counted;
    const parts = [...(this.incomplete.get(batch) ?? []), counted];
    if (parts.length < this.threads) {
      this.incomplete.set(batch, parts);
      return;
    }
    this.incomplete.delete(batch);
    for (const { seen, givenUp } of parts) {
      this.givenUp += givenUp;
      for (const [outcome, count] of seen) this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count);
    }
  }
}
