// SPDX-License-Identifier: MIT
import type { EventType, Tag } from '@lockless/memory-model';
import type { Position } from './ast.js';
import type { Term } from './elaborate-value.js';

/** An event of a thread on one of its control paths, before anybody chose what its loads read. */
export interface Planned {
  /** Over all threads and paths. */
  readonly id: number;
  readonly thread: number;
  readonly type: EventType;
  readonly tag: Tag;
  /** Where: null for fences. synchronize_srcu() has an address too. */
  readonly address: Term | null;
  /** What a store writes; null for everything else. */
  readonly value: Term | null;
  /** Loads on which it depends, as herd's C front end has it: through its address, through what it stores, through the conditions of the `if`s around it. */
  readonly addr: readonly Planned[];
  readonly data: readonly Planned[];
  readonly ctrl: readonly Planned[];
  /** For the store of a read-modify-write, its load. */
  readonly load: Planned | null;
  readonly segment: Segment;
  readonly at: Position;
  /** Events whose address or value needs what this load returns. */
  readonly users: Planned[];
}

/** What turns out about a load when it is known which arm is taken: that the cmpxchg failed, that the trylock got the lock. */
export interface Becomes {
  readonly load: Planned;
  readonly type: EventType;
  readonly tag: Tag;
  readonly failed: boolean;
}

/** Events without a branch between them. The segments of a thread form a tree: what follows an `if` is in both of its arms. */
export interface Segment {
  /** Over all threads. */
  readonly id: number;
  readonly thread: number;
  /** Null for the first one of the thread. */
  readonly parent: Segment | null;
  /** Which arm of the parent: 0 where the condition holds. */
  readonly arm: 0 | 1;
  readonly becomes: Becomes | null;
  readonly events: Planned[];
  end: End;
  /** Stores of the segments below, which exist if the thread goes there. */
  storesBelow: readonly Planned[];
}

export type End =
  | { readonly kind: 'branch'; readonly condition: Term; readonly arms: readonly [Segment, Segment] }
  | { readonly kind: 'finish'; readonly registers: ReadonlyMap<string, Term> }
  /** A loop that would go on. */
  | { readonly kind: 'cut'; readonly bound: number; readonly at: Position };

export function isStore({ type }: { readonly type: EventType }): boolean {
  return type === 'W' || type === 'LKW' || type === 'UL';
}

export function isLoad({ type }: { readonly type: EventType }): boolean {
  return type === 'R' || type === 'LKR' || type === 'LF' || type === 'RL' || type === 'RU';
}
