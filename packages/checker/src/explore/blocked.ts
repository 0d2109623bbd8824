// SPDX-License-Identifier: MIT

import { isLatest } from './causal-order.js';
import type { AccessSite } from './execution.js';
import { type Graph, READS } from './graph.js';
import * as N from './node.js';
import type { Threads } from './threads.js';
import { SLEEP } from './translate.js';
import { HELD_UP } from './waiting-grace-periods.js';

/** Why a thread of a graph waits; events by the graph's numbers. */
export interface Wait {
  readonly thread: number;
  readonly reason: 'lock' | 'sleep' | 'spin' | 'grace-period';
  readonly site: AccessSite;
  readonly address: number;
  readonly loads: readonly number[];
  /** Call stack of the access that the next round of its loop would begin with. */
  readonly head?: AccessSite;
}

/** The threads that have not ended in a graph in which nobody can run. */
export function waitsOf(graph: Graph, threads: Threads): Wait[] {
  const waits: Wait[] = [];
  for (let thread = 0; thread < graph.threads; thread++) {
    if (!threads.exists(graph, thread)) continue;
    const node = threads.cursor(graph, thread);
    if (node.kind === N.RMW) waits.push({ thread, reason: 'lock', site: node.site, address: node.address, loads: [] });
    if (node === HELD_UP) waits.push({ thread, reason: 'grace-period', site: node.site, address: 0, loads: [] });
    if (node.kind !== N.WAIT || node === HELD_UP) continue;
    const loads = lastRound(graph, thread, node);
    if (node.operation === SLEEP && node.location === -1) {
      const { site, address } = graph.nodes[graph.last[thread]];
      waits.push({ thread, reason: 'sleep', site, address, loads });
    } else {
      const { site, address } = graph.nodes[loads[0]] ?? node;
      waits.push({ thread, reason: 'spin', site, address, loads, head: node.site });
    }
  }
  return waits;
}

/** The loads of the last round of a thread's loop, in program order. */
function lastRound(graph: Graph, thread: number, node: N.TraceNode): number[] {
  const loads: number[] = [];
  let e = graph.last[thread];
  for (let i = 0; i < node.window; i++, e = graph.programBefore[e]) if ((graph.flags[e] & READS) !== 0) loads.push(e);
  return loads.reverse();
}

/** Whether they wait for ever: nothing that they look at is going to change. */
export const areStuck = (graph: Graph, waits: readonly Wait[]): boolean =>
  waits.every(({ loads }) => loads.every((load) => isLatest(graph, load)));
