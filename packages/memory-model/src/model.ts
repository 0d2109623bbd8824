// SPDX-License-Identifier: MIT
import type { Event } from './event.js';
import type { Relation } from './relation.js';

/** What the program fixes before anybody chooses who reads from whom: events in program order, and dependencies. */
export interface Skeleton {
  readonly events: readonly Event[];
  /** Syntactic dependencies from loads: to accesses whose address, stores whose value, events whose execution depends on them. */
  readonly addr: Relation;
  readonly data: Relation;
  readonly ctrl: Relation;
}

/** Who reads from whom, and in what order the stores to a location hit memory. Both may be partial while an execution grows. */
export interface Witness {
  /** Reads-from, as the store of each load: number of the store, or -1 when not chosen (yet) or no load. */
  readonly rf: Int32Array;
  /** Coherence: a transitively closed strict partial order of stores to the same location, initial stores first. */
  readonly co: Relation;
}

/** A model with the skeleton of one execution filled in: what does not depend on the witness is computed once. */
export interface Checker {
  /**
   * Name of the first axiom that the execution breaks, or null. Axioms are monotone: an execution that breaks one keeps breaking it however
   * many reads-from and coherence edges are added, so a search may cut there.
   */
  broken(witness: Witness): string | null;
  /** What a complete, consistent execution is flagged with: `data-race`, `unmatched-rcu-lock`, ... In the order of linux-kernel.cat. */
  flags(witness: Witness): readonly string[];
  /** Two accesses of a complete, consistent execution that race (the flag `data-race`), or null: the earlier of the pair in co, rf or fr first. */
  race(witness: Witness): readonly [number, number] | null;
}

/** A memory model as named axioms. */
export interface MemoryModel {
  readonly name: 'sc' | 'tso' | 'lkmm';
  /** Names of its axioms, in the order in which they are checked. */
  readonly axioms: readonly string[];
  /**
   * With `axioms`, `broken` checks only those: a search may leave the expensive ones, or those that are not maximally extensible (`rcu`), for the
   * end.
   */
  instantiate(skeleton: Skeleton, axioms?: readonly string[]): Checker;
}
