// SPDX-License-Identifier: MIT
import { type Graph, NONE } from './graph.js';
import * as N from './node.js';

/** The outermost rcu_read_lock() of each thread that stops in a section. */
export function openSections(graph: Graph): number[] {
  const found: number[] = [];
  for (let thread = 0; thread < graph.threads; thread++) {
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
    if (outermost !== NONE) found.push(outermost);
  }
  return found;
}
