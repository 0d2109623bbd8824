// SPDX-License-Identifier: GPL-2.0-only
import type { LitmusCode } from './litmus-code.js';
import type { TableName } from './primitives.js';

/** What a thread needs to know when it starts: everything that all runs share. */
export interface ThreadData {
  readonly thread: number;
  readonly control: Int32Array;
  readonly words: SharedArrayBuffer;
  readonly out: SharedArrayBuffer;
  /** Guards that are left out. */
  readonly without: readonly string[];
  readonly noise: boolean;
}

/** What is to be run. */
export type Task =
  | {
      readonly kind: 'litmus';
      readonly code: LitmusCode;
      readonly table: TableName;
      readonly weakened: readonly string[];
      readonly seed: number;
    }
  /** The program of a scenario, by its name. */
  | { readonly kind: 'scenario'; readonly name: string; readonly seed: number };

/** A task, and how long at most. */
export type Job = Task & { readonly batches: number };

/** What a thread answers. */
export type Answer =
  | { readonly kind: 'ready' }
  | Counted
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * A thread's share of one batch, or of all since it told last. It tells of the first one at once, and then a few times a second: a thread that is stuck tells
 * nothing any more, and one that tells too often keeps the processor from those that work.
 */
export interface Counted {
  readonly kind: 'counted';
  readonly batch: number;
  /** Outcomes, in the words of the job; `first` is the batch in which one was seen first. */
  readonly seen: readonly { readonly outcome: string; readonly count: number; readonly first: number }[];
  readonly givenUp: number;
  readonly meetings: number;
  readonly met: number;
}
