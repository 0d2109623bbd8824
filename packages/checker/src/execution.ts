// SPDX-License-Identifier: MIT
import type { Located } from '@lockless/cpu';
import type { StepFrame } from './result.js';

/*
 * One execution as reports, replay tokens and drawings see it: a graph of events with the stacks they were made on. It does not say how
 * it was found, so the explorer and the naive engine both lead here.
 */

/** One access that was made, or that a thread waits to make. */
export interface ExecutedEvent {
  /** Index in {@link Execution.threads}. */
  readonly thread: number;
  /** Position in its thread, from 0. */
  readonly position: number;
  /** Row of cpu's table of primitives. */
  readonly code: number;
  /** Word address, or what the primitive names (cache, task). */
  readonly address: number;
  readonly operand: number;
  readonly expected: number;
  /** What it read: of a read-modify-write the old value, of an allocation the object, of a choice the number. Null when it reads nothing. */
  readonly read: number | null;
  /** What it stored: null when it stores nothing, as a failed cmpxchg. */
  readonly written: number | null;
  /** The store that it read: null for the initial value, or when it reads nothing. */
  readonly from: ExecutedEvent | null;
  /** Who made it, innermost first: kernel functions only, no engine. */
  readonly frames: readonly StepFrame[];
}

export interface ExecutedThread {
  readonly name: string;
  /** Its task_struct, 0 when it has none. */
  readonly task: number;
  readonly events: readonly ExecutedEvent[];
  /** The call_rcu() that this thread is the callback of; null for a thread of the program. */
  readonly startedBy: ExecutedEvent | null;
  /** `done`; `waits` for a lock, a wake-up or a change of what it read last; or cut off where the execution went wrong. */
  readonly end: 'done' | 'waits' | 'cut';
  /** What it waits to do, which is not among the events: taking a lock, going on after a sleep. Null when it spins on what it read. */
  readonly pending: ExecutedEvent | null;
  /** Of a thread that spins: the loads that it makes again and again, the last of its events. */
  readonly spins: readonly ExecutedEvent[];
}

export interface Execution {
  readonly threads: readonly ExecutedThread[];
  /** Stores of each word in the order in which they hit memory; the initial value comes before them. */
  readonly coherence: ReadonlyMap<number, readonly ExecutedEvent[]>;
  /** What boot left in a word. */
  initial(address: number): number;
  /** The object that a word lies in. */
  locate(address: number): Located | null;
}
