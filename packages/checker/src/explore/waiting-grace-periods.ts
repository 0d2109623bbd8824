// SPDX-License-Identifier: MIT
import { causalOrder } from './causal-order.js';
import type { ReferenceConsistency } from './consistency.js';
import { type Graph, NONE } from './graph.js';
import * as N from './node.js';

/*
 * A grace period is an event that never waits: the model forbids the executions in which it did not. But a reader that waits for ever, inside of its
 * critical section, keeps the grace period from ending, and what comes after it never happens. So in a graph in which such a reader waits for what
 * comes after the grace period, the truth is the graph without that.
 */

/** A grace period that cannot end in this graph: of those that readers which wait for ever keep from ending. NONE if there is none. */
export function waitingGracePeriod(graph: Graph, waiting: readonly number[], reference: ReferenceConsistency): number {
  const sections = waiting.flatMap((thread) => openSection(graph, thread));
  if (sections.length === 0) return NONE;
  const order = causalOrder(graph);
  for (const period of order) {
    const { kind, operation } = graph.nodes[period];
    if (kind !== N.FENCE || operation !== N.F_RCU_SYNC) continue;
    for (const section of sections) {
      if (graph.thread[section] === graph.thread[period]) continue;
      // It need not wait if the section may have begun after it did.
      if (!reference.allows(graph, order, null, { before: period, after: section })) return period;
    }
  }
  return NONE;
}

/** The rcu_read_lock() of the outermost section in which a thread stops. */
function openSection(graph: Graph, thread: number): number[] {
  let depth = 0;
  let outermost = NONE;
  for (let e = graph.last[thread]; e !== NONE; e = graph.programBefore[e]) {
    const { kind, operation } = graph.nodes[e];
    if (kind !== N.FENCE) continue;
    if (operation === N.F_RCU_UNLOCK) depth--;
    if (operation === N.F_RCU_LOCK && ++depth === 1) {
      outermost = e;
      depth = 0;
    }
  }
  return outermost === NONE ? [] : [outermost];
}

/** Whether events of no other thread than the grace period's come after it: only then is what is left a state that the others stay in. */
export function concernsOnlyItsThread(graph: Graph, period: number): boolean {
  for (let e = 0; e < graph.size; e++) {
    if (graph.thread[e] === graph.thread[period]) continue;
    if (graph.isCause(period, e)) return false;
    const source = graph.readsFrom[e];
    if (source >= 0 && source < graph.size && (source === period || graph.isCause(period, source))) return false;
  }
  return true;
}
