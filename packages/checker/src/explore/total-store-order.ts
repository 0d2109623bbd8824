// SPDX-License-Identifier: MIT
import { type Graph, NONE, NOT_A_READ, WRITES } from './graph.js';
import * as N from './node.js';
import type { Consistency } from './sequential-consistency.js';
import type { Visibility } from './visibility.js';

/**
 * acyclic (program order that x86 keeps | rfe | co | fr), as {@link SequentialConsistency} does it. A load is not ordered after the plain stores
 * that come before it in its thread, but for those before a full fence or a locked instruction (any read-modify-write). Coherence is seen to where
 * candidates are chosen, but for a load that a revisit gives an older store than its thread knows.
 */
export class TotalStoreOrder implements Consistency {
  readonly visibility: Visibility | null = null;
  private seen: Int32Array = new Int32Array(64);
  private round = 0;
  private readonly todo: number[] = [];

  isConsistent(graph: Graph, changed: number, revisited: number): boolean {
    if (!isCoherent(graph, changed) || this.isInCycle(graph, changed)) return false;
    return revisited === NONE || (isCoherent(graph, revisited) && !this.isInCycle(graph, revisited));
  }

  private isInCycle(graph: Graph, changed: number): boolean {
    if (this.seen.length < graph.size) this.seen = new Int32Array(graph.size * 2);
    const { seen, todo } = this;
    const round = ++this.round;
    todo.length = 0;
    todo.push(changed);
    const visit = (event: number): void => {
      if (event < 0 || seen[event] === round) return;
      seen[event] = round;
      todo.push(event);
    };
    for (let e = todo.pop(); e !== undefined; e = todo.pop()) {
      visit(keptBefore(graph, e));
      visit(storeBefore(graph, e));
      const source = graph.readsFrom[e];
      if (source !== NOT_A_READ && source >= 0 && graph.thread[source] !== graph.thread[e]) visit(source);
      if ((graph.flags[e] & WRITES) === 0) continue;
      const overwritten = graph.coherenceBefore[e];
      visit(overwritten);
      for (let r = graph.readersOf(overwritten); r !== NONE; r = graph.nextReader[r]) if (r !== e) visit(r);
    }
    return seen[changed] === round;
  }
}

/** The nearest event that an event stays after. For a load, stores are no such events, nor is what orders nothing. */
function keptBefore(graph: Graph, event: number): number {
  let before = graph.programBefore[event];
  if (isLoad(graph, event))
    while (before !== NONE && letsPass(graph.nodes[before])) before = graph.programBefore[before];
  return before === NONE ? graph.startedBy[graph.thread[event]] : before;
}

/** Stores stay in order whatever loads are between, which do not stay after the first: so the nearest event before that is no load counts as well. */
function storeBefore(graph: Graph, event: number): number {
  if (isLoad(graph, event)) return NONE;
  let before = graph.programBefore[event];
  while (before !== NONE && isLoad(graph, before)) before = graph.programBefore[before];
  return before;
}

/** A trylock of a spinlock that fails is a plain load too. */
function isLoad(graph: Graph, event: number): boolean {
  const { kind, order } = graph.nodes[event];
  return kind === N.READ || (kind === N.RMW && (order & N.LOCK) !== 0 && (graph.flags[event] & WRITES) === 0);
}

const letsPass = ({ kind, operation }: N.TraceNode): boolean =>
  kind === N.WRITE || kind === N.CHOOSE || (kind === N.FENCE && operation !== N.F_MB && operation !== N.F_RCU_SYNC);

/** An event sees no older store than the event before it in its thread on the same location does. */
export function isCoherent(graph: Graph, event: number): boolean {
  const before = graph.sameBefore[event];
  if (before === NONE) return true;
  const known = (graph.flags[before] & WRITES) !== 0 ? before : graph.readsFrom[before];
  const source = graph.readsFrom[event];
  const seen = source !== NOT_A_READ ? source : graph.coherenceBefore[event];
  if (known < 0) return true;
  for (let s = known; s !== NONE; s = graph.coherenceAfter[s]) if (s === seen) return true;
  return false;
}
