// SPDX-License-Identifier: MIT
import type { Skeleton, Witness } from '@lockless/memory-model';
import type { InitialValue, Place, Position } from './ast.js';

/**
 * What a place holds in the end: a number, the address of a shared variable, or a value that the axioms do not determine (an execution out of thin
 * air in which a value depends on itself only): herd prints those as `S` and a number, and so do we.
 */
export type FinalValue = InitialValue | { readonly symbol: number };

/** One final state: what each of {@link Outcome.places} holds, in their order. */
export type State = readonly FinalValue[];

/** Why some executions were not counted, or none: what herd leaves out in silence. */
export type Trouble =
  /** Every path of the program ends with a thread that waits for a lock that nobody will release; `at` is where. */
  | { readonly kind: 'deadlock'; readonly thread: number; readonly variable: string; readonly at: Position }
  /** A loop wanted to go on after `bound` iterations: those executions were cut, and the verdict is only about the others. */
  | { readonly kind: 'bounded'; readonly thread: number; readonly bound: number; readonly at: Position };

/** An execution to draw. */
export interface Execution {
  readonly skeleton: Skeleton;
  readonly witness: Witness;
  /** Name of each location number of the skeleton's events. */
  readonly locations: ReadonlyMap<number, string>;
  /** What each event read or wrote, in herd's notation (`0`, `1`, an address by its name); null for fences. Parallel to the skeleton's events. */
  readonly values: readonly (string | null)[];
  /** Line of the source that each event comes from, 0 for the initial stores. Parallel to the skeleton's events. */
  readonly lines: readonly number[];
  /** Whether the condition (without its quantifier) holds in its final state. */
  readonly satisfies: boolean;
  readonly flags: readonly string[];
}

/** What the search found out about a test: all that the output is made of. */
export interface Outcome {
  readonly model: 'lkmm' | 'tso' | 'sc';
  /** Places of a state, as `observedPlaces` gives them. */
  readonly places: readonly Place[];
  /** The distinct final states of the executions that pass the filter, in any order: the output sorts them as herd does. */
  readonly states: readonly State[];
  /** Consistent executions that pass the filter and in which the condition (without its quantifier: for `~exists (c)` it is c) holds, and does not. */
  readonly positive: number;
  readonly negative: number;
  /** Of all counted executions together, in the order of linux-kernel.cat: `data-race`, `unmatched-rcu-unlock`, ... */
  readonly flags: readonly string[];
  readonly troubles: readonly Trouble[];
  /** The first counted execution in which the condition holds; where there is none, the first counted one; null when none is counted or none was asked for. */
  readonly execution: Execution | null;
  readonly seconds: number;
}

export interface SolveOptions {
  /** Default: lkmm. */
  readonly model?: 'lkmm' | 'tso' | 'sc';
  /** How often the body of a loop may run. Default 4. */
  readonly unroll?: number;
  /** Keep an execution for drawing. Default: no. */
  readonly execution?: boolean;
  /** Called now and then with the executions counted so far; an abort makes solve throw the signal's reason. */
  readonly onProgress?: (executions: number) => void;
  readonly signal?: AbortSignal;
}
