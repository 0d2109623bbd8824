// SPDX-License-Identifier: GPL-2.0-only
import type { Random } from './random.js';

/** What is run natively, as one thread of the run sees it: a batch of instances of a program, again and again. */
export interface Cases {
  /** Instances of a batch. */
  readonly instances: number;
  readonly threads: number;
  /** Steps of delay that a batch chooses from: as long as what a thread does in an instance, and longer. See Pace. */
  readonly delays: readonly number[];
  /** Draws what the next batch is like; all threads draw the same. */
  draw(random: Random): void;
  /** Puts instances into their initial state, of which each thread does its part, before a barrier. */
  prepare(thread: number): void;
  /** Runs the part of a thread in all instances of the batch. `meet(i)` stands before the part of each. */
  run(thread: number, meet: (instance: number) => void): void;
  /** Counts what the thread's share of the instances ended in, when all threads are behind a barrier. */
  count(thread: number, tally: Tally): void;
  /** The words for an outcome that was counted. */
  describe(key: Key): string;
}

/** An outcome: numbers are quicker. */
export type Key = number | string;

/** How often each outcome was seen by one thread since it told of it. */
export class Tally {
  /** Batch that is counted. */
  batch = 0;
  readonly seen: Map<Key, { count: number; readonly first: number }> = new Map();
  /** Instances that were given up, of which nothing is known. */
  givenUp = 0;

  add(key: Key, count: number = 1): void {
    const known = this.seen.get(key);
    if (known === undefined) this.seen.set(key, { count, first: this.batch });
    else known.count += count;
  }
}

/** A thread's share of the instances. */
export function share(instances: number, thread: number, threads: number): readonly [from: number, to: number] {
  return [Math.floor((instances * thread) / threads), Math.floor((instances * (thread + 1)) / threads)];
}
