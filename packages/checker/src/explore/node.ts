// SPDX-License-Identifier: MIT
import type { AccessSite } from './execution.js';

/* What a node of a thread's trie, and the event made from it, is. */
export const READ = 0;
export const WRITE = 1;
/** Load and store in one event: read-modify-writes and locks. The store is there only if the operation succeeds. */
export const RMW = 2;
/** Neither reads nor writes: fences, RCU, allocation. */
export const FENCE = 3;
/** A number that the explorer chooses. */
export const CHOOSE = 4;
/** Leaves: the thread has returned, has thrown, or goes round a loop that only reads. */
export const END = 5;
export const BUG = 6;
export const WAIT = 7;

/* What a FENCE is. */
export const F_MB = 1;
export const F_RMB = 2;
export const F_WMB = 3;
export const F_BEFORE_ATOMIC = 4;
export const F_AFTER_ATOMIC = 5;
export const F_AFTER_SPINLOCK = 6;
export const F_AFTER_UNLOCK_LOCK = 7;
export const F_BARRIER = 8;
export const F_RCU_LOCK = 9;
export const F_RCU_UNLOCK = 10;
export const F_RCU_SYNC = 11;
export const F_CALL_RCU = 12;
export const F_ALLOC = 13;
export const F_FREE = 14;

/* Bits of TraceNode.order. */
export const ACQUIRE = 1;
export const RELEASE = 2;
/** Full barrier before and after (a read-modify-write that succeeds). */
export const FULL = 4;
export const PLAIN = 8;
/** A read-modify-write that returns nothing: its load is not ordered by smp_rmb(). */
export const NORETURN = 16;
/** A spinlock's word: LKMM knows more of it (lock.cat). */
export const LOCK = 32;

/** Who can execute a thread again up to an access. */
export interface SiteFinder {
  siteOf(node: TraceNode): AccessSite;
}

/** One access of a thread, after one history of what it read: a node of the trie. */
export class TraceNode {
  readonly kind: number;
  /** Row of the primitive table. */
  readonly code: number;
  readonly weakened: boolean;
  readonly address: number;
  readonly operand: number;
  readonly expected: number;
  /** Number of the location, -1 when there is none. */
  readonly location: number;
  /** FENCE: which one. RMW: which operation (read-modify-write.ts). */
  readonly operation: number;
  readonly order: number;
  /** Position among the events of its thread. */
  readonly index: number;
  readonly parent: TraceNode | null;
  /** What the code was given to come here from the parent. */
  readonly fed: unknown;
  /** Positions in the thread of the loads that the address comes from. */
  addressFrom: readonly number[] = NOTHING;
  /** WAIT: how many events of the thread are the last round of the loop. BUG, END, allocations: what was thrown or returned. */
  window = 0;
  outcome: unknown = undefined;
  /** END: stores to words that no other thread touches. */
  own: ReadonlyMap<number, number> | null = null;
  /** This load decides about going round a loop again: better made when its word has got all its values. */
  awaits = false;

  /** Children by what the code was given, as a number. Most nodes have one or two. */
  private key0 = 0;
  private child0: TraceNode | null = null;
  private key1 = 0;
  private child1: TraceNode | null = null;
  private others: Map<number, TraceNode> | null = null;

  private known: AccessSite | null;
  private readonly finder: SiteFinder | null;

  /** `site`: where it is in the code, or who can find that out. */
  constructor(
    kind: number,
    code: number,
    site: AccessSite | SiteFinder,
    weakened: boolean,
    access: { readonly address: number; readonly operand: number; readonly expected: number },
    location: number,
    operation: number,
    order: number,
    parent: TraceNode | null,
    fed: unknown,
  ) {
    this.kind = kind;
    this.code = code;
    this.known = 'frames' in site ? site : null;
    this.finder = 'frames' in site ? null : site;
    this.weakened = weakened;
    this.address = access.address;
    this.operand = access.operand;
    this.expected = access.expected;
    this.location = location;
    this.operation = operation;
    this.order = order;
    this.index = parent === null ? 0 : parent.index + 1;
    this.parent = parent;
    this.fed = fed;
  }

  /** Where it is in the code. Call stacks are dear, and most are never asked for: so the thread is executed again for it. */
  get site(): AccessSite {
    this.known ??= (this.finder as SiteFinder).siteOf(this);
    return this.known;
  }

  child(key: number): TraceNode | null {
    if (this.child0 !== null && this.key0 === key) return this.child0;
    if (this.child1 !== null && this.key1 === key) return this.child1;
    return this.others === null ? null : (this.others.get(key) ?? null);
  }

  adopt(key: number, child: TraceNode): void {
    if (this.child0 === null) {
      this.key0 = key;
      this.child0 = child;
    } else if (this.child1 === null) {
      this.key1 = key;
      this.child1 = child;
    } else {
      this.others ??= new Map();
      this.others.set(key, child);
    }
  }

  children(): TraceNode[] {
    return [this.child0, this.child1, ...(this.others?.values() ?? [])].filter((c) => c !== null);
  }

  /** Forgets all children; returns them. */
  orphan(): TraceNode[] {
    const all = this.children();
    this.child0 = null;
    this.child1 = null;
    this.others = null;
    return all;
  }
}

const NOTHING: readonly number[] = [];

/** All nodes from the root to this one. */
export function pathTo(node: TraceNode): TraceNode[] {
  const path: TraceNode[] = [];
  for (let at: TraceNode | null = node; at !== null; at = at.parent) path.push(at);
  return path.reverse();
}
