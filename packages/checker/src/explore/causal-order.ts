// SPDX-License-Identifier: MIT
import { type Graph, NONE, NOT_A_READ } from './graph.js';

/** The graph's events, each after its predecessor and after what it reads from. */
export function causalOrder(graph: Graph): number[] {
  const order: number[] = [];
  const done = new Uint8Array(graph.size);
  // Stamps are nearly such an order: only loads that were revisited have a later store to wait for.
  const todo: number[] = [];
  for (let first = 0; first < graph.size; first++) {
    todo.push(first);
    while (todo.length > 0) {
      const e = todo[todo.length - 1];
      const before = graph.programBefore[e] === NONE ? graph.startedBy[graph.thread[e]] : graph.programBefore[e];
      const source = graph.readsFrom[e];
      if (done[e] === 1) todo.pop();
      else if (before !== NONE && done[before] === 0) todo.push(before);
      else if (source !== NOT_A_READ && source >= 0 && done[source] === 0) todo.push(source);
      else {
        done[e] = 1;
        order.push(e);
        todo.pop();
      }
    }
  }
  return order;
}

/** Whether a load reads from the coherence-latest store (its own, if it is a read-modify-write, not counted). */
export const isLatest = (graph: Graph, e: number): boolean => {
  const store = graph.readsFrom[e];
  const latest = graph.lastStore[graph.location[e]];
  return store === latest || (latest === e && graph.coherenceBefore[e] === store);
};
