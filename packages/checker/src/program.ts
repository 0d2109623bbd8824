// SPDX-License-Identifier: MIT
import type { Op } from '@lockless/cpu';

/** What one execution came to, for {@link Program.finally}. */
export interface Outcome {
  /** What each thread returned. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Notes that this execution shows something: see {@link Program.mustReach}. */
  reach(label: string): void;
}

/**
 * A concurrent program: kernel-side code, a thread each. The code must be a function of what it reads: no clock, no random numbers, and
 * nothing in TypeScript variables that two threads share (what threads share is in words). It is executed many times.
 */
export interface Program<S = unknown> {
  readonly name: string;
  /** Boots: runs alone, once, before the threads. What it returns is given to each thread, and must not be changed by them. */
  readonly setup: () => Op<S>;
  /** By name, in the order of their columns. Each is the only task of a CPU of its own, numbered from 0. */
  readonly threads: Readonly<Record<string, (shared: S) => Op<unknown>>>;
  /** Runs alone after all threads of an execution have ended, on what memory holds then: assertions on the outcome. */
  readonly finally?: (shared: S, outcome: Outcome) => Op<void>;
  /** Labels that at least one execution must {@link Outcome.reach}: without them the program passes in vain. */
  readonly mustReach?: readonly string[];
  /** Whether races of plain accesses are violations. 2.6.27 has many that it considers benign, so it is asked for: default 'ignore'. */
  readonly races?: 'report' | 'ignore';
  /**
   * Whether an object is a violation that a thread allocated, nobody freed, and nothing points to when all threads have ended. Default 'ignore': who
   * drops the last reference is not always part of a program.
   */
  readonly leaks?: 'report' | 'ignore';
}
