// SPDX-License-Identifier: MIT
import { conflicting } from './candidates.js';
import { ADDED_MAX, FIXED, type Graph, NONE, READS, WRITES } from './graph.js';

/*
 * Backward revisits (TruSt). A store w that was just added may be what an earlier load r reads from, although w was not there when r was added.
 * The graph in which r reads w keeps V, what was added up to r and the causes of w, and loses D, the rest. Many graphs differ only in their
 * D; the revisit is made from exactly one of them, the one in which all of D, and r, was added in the maximal way. So each graph comes
 * about once and none has to be remembered.
 */

export interface RevisitRules {
  /** The revisited load must have been added in the maximal way, too. */
  readonly includesRevisited: boolean;
  /** What is deleted took the latest store, or was placed last. */
  readonly addedMax: boolean;
  /** No store that stays is coherence-later than what is deleted. */
  readonly notBeforeKept: boolean;
  /** The revisiting store is not counted there. */
  readonly revisitingIsLeftOut: boolean;
  /** No deleted load reads from a deleted store that was added later. */
  readonly notRevisitedByDeleted: boolean;
  /** The store after the revisiting one stays. */
  readonly nextStoreIsKept: boolean;
  /** The causes of the revisiting store are final in the new graph. */
  readonly causesAreFixed: boolean;
  /** A read-modify-write that reads what another one read revisits only what deletes the other one. */
  readonly conflictIsDeleted: boolean;
  /** It does so before it is given up. */
  readonly conflictRevisits: boolean;
}

/** All of them. Tests leave out each in turn, to see that they notice. */
export const RULES: RevisitRules = {
  includesRevisited: true,
  addedMax: true,
  notBeforeKept: true,
  revisitingIsLeftOut: true,
  notRevisitedByDeleted: true,
  nextStoreIsKept: true,
  causesAreFixed: true,
  conflictIsDeleted: true,
  conflictRevisits: true,
};

export class Revisits {
  private readonly rules: RevisitRules;
  private causes: Int32Array = new Int32Array(0);
  private readonly found: number[] = [];

  constructor(rules: RevisitRules) {
    this.rules = rules;
  }

  /** The loads that a store revisits, the latest added first. Valid until the next call. */
  of(graph: Graph, store: number): readonly number[] {
    const { found } = this;
    found.length = 0;
    if (this.causes.length !== graph.threads) this.causes = new Int32Array(graph.threads);
    graph.prefix(store, this.causes);
    const location = graph.location[store];
    // Two read-modify-writes of one store: only a revisit that deletes the other one mends that.
    const conflict = this.rules.conflictIsDeleted ? conflicting(graph, store) : NONE;
    for (let s = ~location; s !== NONE; s = graph.storeAfter(s, location))
      for (let r = graph.readersOf(s); r !== NONE; r = graph.nextReader[r]) {
        if (r === store || (graph.flags[r] & FIXED) !== 0 || this.isCause(graph, r)) continue;
        if (conflict === NONE || r <= conflict) found.push(r);
      }
    if (found.length > 1) found.sort((a, b) => b - a);
    let kept = 0;
    // A revisit of an earlier load deletes more, so once one is not maximal no earlier one is.
    while (kept < found.length && this.isMaximalExtension(graph, found[kept], store)) kept++;
    found.length = kept;
    return found;
  }

  private isCause(graph: Graph, event: number): boolean {
    return graph.index[event] < this.causes[graph.thread[event]];
  }

  /** Whether D, and r, is what the exploration adds to V when it always takes the maximal choice. */
  private isMaximalExtension(graph: Graph, r: number, w: number): boolean {
    const { rules } = this;
    const next = graph.coherenceAfter[w];
    // Otherwise the same graph would come of several places of w.
    if (rules.nextStoreIsKept && (graph.flags[w] & READS) === 0 && next !== NONE && !this.isKept(graph, next, r))
      return false;
    for (let e = rules.includesRevisited ? r : r + 1; e < graph.size; e++) {
      if (e === w || (e !== r && this.isCause(graph, e))) continue;
      if (rules.addedMax && (graph.flags[e] & ADDED_MAX) === 0) return false;
      if (rules.notBeforeKept && this.isBeforeKept(graph, e, r, w)) return false;
      if (rules.notRevisitedByDeleted && this.isRevisitedByDeleted(graph, e, r)) return false;
    }
    return true;
  }

  /** In V, where r counts as deleted: as a read-modify-write its store goes away. */
  private isKept(graph: Graph, event: number, r: number): boolean {
    return event < r || (event !== r && this.isCause(graph, event));
  }

  /** A store that stays (w apart) is coherence-later than the deleted store, or than the store that the deleted load reads from. */
  private isBeforeKept(graph: Graph, e: number, r: number, w: number): boolean {
    const location = graph.location[e];
    if (location === NONE) return false;
    const flags = graph.flags[e];
    let s = NONE;
    if ((flags & READS) !== 0) s = graph.storeAfter(graph.readsFrom[e], location);
    else if ((flags & WRITES) !== 0) s = graph.coherenceAfter[e];
    for (; s !== NONE; s = graph.coherenceAfter[s])
      if ((s !== w || !this.rules.revisitingIsLeftOut) && this.isKept(graph, s, r)) return true;
    return false;
  }

  /** The load was itself revisited, by a store that is deleted with it. */
  private isRevisitedByDeleted(graph: Graph, e: number, r: number): boolean {
    if ((graph.flags[e] & READS) === 0) return false;
    const source = graph.readsFrom[e];
    return source > e && !this.isKept(graph, source, r);
  }
}
