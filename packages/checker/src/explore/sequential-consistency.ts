// SPDX-License-Identifier: MIT
import { type Graph, NONE, NOT_A_READ, WRITES } from './graph.js';
import type { Visibility } from './visibility.js';

/**
 * Whether a graph that was consistent still is, now that an event was added or re-pointed that is the last of its thread; or two, a store and a
 * load that it revisits.
 */
export interface Consistency {
  /** What an event cannot come before, when that is not just all of its causes: see candidates.ts. */
  readonly visibility: Visibility | null;
  isConsistent(graph: Graph, changed: number, revisited: number): boolean;
}

/**
 * acyclic (po | rf | co | fr). A cycle goes through the changed event, so the search starts there and goes against the edges; for coherence
 * and from-reads only the immediate ones are walked, the search closes them.
 */
export class SequentialConsistency implements Consistency {
  readonly visibility: Visibility | null = null;
  private seen: Int32Array = new Int32Array(64);
  private round = 0;
  private readonly todo: number[] = [];

  isConsistent(graph: Graph, changed: number, revisited: number): boolean {
    return !this.isInCycle(graph, changed) && (revisited === NONE || !this.isInCycle(graph, revisited));
  }

  private isInCycle(graph: Graph, changed: number): boolean {
    if (this.seen.length < graph.size) this.seen = new Int32Array(graph.size * 2);
    const { seen, todo } = this;
    const round = ++this.round;
    todo.length = 0;
    todo.push(changed);
    let depth = 1;
    const visit = (event: number): void => {
      if (event < 0 || seen[event] === round) return;
      seen[event] = round;
      todo.push(event);
      depth++;
    };
    while (depth > 0) {
      depth--;
      const e = todo.pop() as number;
      const before = graph.programBefore[e];
      visit(before === NONE ? graph.startedBy[graph.thread[e]] : before);
      const source = graph.readsFrom[e];
      if (source !== NOT_A_READ) visit(source);
      if ((graph.flags[e] & WRITES) === 0) continue;
      const overwritten = graph.coherenceBefore[e];
      visit(overwritten);
      for (let r = graph.readersOf(overwritten); r !== NONE; r = graph.nextReader[r]) if (r !== e) visit(r);
    }
    return seen[changed] === round;
  }
}
