// SPDX-License-Identifier: GPL-2.0-only
import type { Random } from './random.js';

/** What is run natively, as one thread of the run sees it: a batch of instances of a program, again and again. */
export interface Cases {
  /** Instances of a batch. */
  readonly instances: number;
  readonly threads: number;
  /** Draws what the next batch is like; all threads draw the same. */
  draw(random: Random): void;
  /** Puts instances `from` to `to` - 1 into their initial state; each thread does its share, before a barrier. */
  prepare(from: number, to: number): void;
  /** Runs the part of a thread in all instances of the batch. `meet(i)` stands before the part of each. */
  run(thread: number, meet: (instance: number) => void): void;
  /** Counts what instances `from` to `to` - 1 ended in, when all threads are behind a barrier. */
  count(from: number, to: number, tally: Tally): void;
  /** The words for an outcome that was counted. */
  describe(key: Key): string;
}

/** An outcome: numbers are quicker. */
export type Key = number | string;

/** How often each outcome was seen, by one thread. */
export class Tally {
  readonly seen: Map<Key, number> = new Map();
  /** Instances that were given up, of which nothing is known. */
  givenUp = 0;

  add(key: Key): void {
    this.seen.set(key, (this.seen.get(key) ?? 0) + 1);
  }
}

/** A thread's share of the instances. */
export function share(instances: number, thread: number, threads: number): readonly [from: number, to: number] {
  return [Math.floor((instances * thread) / threads), Math.floor((instances * (thread + 1)) / threads)];
}
