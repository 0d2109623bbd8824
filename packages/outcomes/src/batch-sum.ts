// SPDX-License-Identifier: GPL-2.0-only
import type { Seen } from './crew.js';
import type { Counted } from './protocol.js';

/** Adds up what threads count. Batches of which a thread has not told are not counted: the tables are consistent whenever a run ends. */
export class BatchSum {
  private readonly outcomes: Map<string, number> = new Map();
  private readonly found: Map<string, number> = new Map();
  private givenUp = 0;
  private meetings = 0;
  private met = 0;
  private readonly threads: number;
  private readonly instances: number;
  /** By the number of the last batch that they tell of. */
  private readonly incomplete: Map<number, readonly Counted[]> = new Map();

  /** `instances`: of a batch. */
  constructor(threads: number, instances: number) {
    this.threads = threads;
    this.instances = instances;
  }

  add(counted: Counted): void {
    const { batch } = counted;
    const parts = [...(this.incomplete.get(batch) ?? []), counted];
    if (parts.length < this.threads) {
      this.incomplete.set(batch, parts);
      return;
    }
    this.incomplete.delete(batch);
    for (const { seen, givenUp, meetings, met } of parts) {
      this.givenUp += givenUp;
      this.meetings += meetings;
      this.met += met;
      for (const { outcome, count, first } of seen) {
        this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count);
        const found = first * this.instances;
        this.found.set(outcome, Math.min(this.found.get(outcome) ?? found, found));
      }
    }
  }

  get seen(): Pick<Seen, 'outcomes' | 'found' | 'givenUp' | 'met'> {
    const { outcomes, found, givenUp, meetings } = this;
    return { outcomes, found, givenUp, met: meetings === 0 ? 1 : this.met / meetings };
  }
}
