// SPDX-License-Identifier: MIT
import { FIXED, type Graph, NONE, READS, WRITES } from './graph.js';
import type { Visibility } from './visibility.js';

/*
 * What a new event may read from, and where a new store may stand in coherence order. Both ask only for what coherence forbids; what else the
 * model forbids is found by its check. SC and TSO order an event after all of its causes, so a store that is among them, or that one of them
 * reads from, is the earliest it can see. LKMM does so for accesses of its own thread, and for what its `visibility` knows.
 */

/** The coherence-earliest store that a new event could see or overwrite. */
function earliest(graph: Graph, event: number, visibility: Visibility | null): number {
  let store = graph.lastStore[graph.location[event]];
  if (store === event) store = graph.coherenceBefore[event];
  if (visibility !== null) {
    const known = ownView(graph, event);
    if (store === known) return store;
    const seen = visibility.seenBy(graph, event);
    while (store !== known && ((seen[store >>> 5] >>> (store & 31)) & 1) === 0) store = graph.coherenceBefore[store];
    return store;
  }
  while (store >= 0 && !isSeen(graph, store, event)) store = graph.coherenceBefore[store];
  return store;
}

/** What the event before it in its thread on the same location saw. */
function ownView(graph: Graph, event: number): number {
  const before = graph.sameBefore[event];
  if (before === NONE) return ~graph.location[event];
  return (graph.flags[before] & WRITES) !== 0 ? before : graph.readsFrom[before];
}

function isSeen(graph: Graph, store: number, event: number): boolean {
  if (graph.isCause(store, event)) return true;
  for (let r = graph.firstReader[store]; r !== NONE; r = graph.nextReader[r])
    if (r !== event && graph.isCause(r, event)) return true;
  return false;
}

/** Stores that a load, which reads from the latest one now, may read from, in coherence order; the latest one last. */
export function coherentStores(graph: Graph, event: number, visibility: Visibility | null, into: number[]): void {
  const location = graph.location[event];
  into.length = 0;
  for (let s = earliest(graph, event, visibility); ; s = graph.storeAfter(s, location)) {
    into.push(s);
    if (s === graph.readsFrom[event]) return;
  }
}

/**
 * Stores right after which a new one, which stands last now, may stand; the last place left out. No place splits a read-modify-write from the
 * store it read.
 */
export function coherentPlaces(graph: Graph, event: number, visibility: Visibility | null, into: number[]): void {
  const location = graph.location[event];
  into.length = 0;
  for (let s = earliest(graph, event, visibility); ; ) {
    const next = graph.storeAfter(s, location);
    if (next === event) return;
    if (graph.readsFrom[next] !== s) into.push(s);
    s = next;
  }
}

/**
 * Whether a read-modify-write must not read from a store because another one, which is there to stay, has. Reading from a store that a
 * read-modify-write which may still be revisited has read is how the later one gets the chance to go first.
 */
export function isTaken(graph: Graph, store: number, event: number): boolean {
  for (let r = graph.readersOf(store); r !== NONE; r = graph.nextReader[r]) {
    if (r === event || (graph.flags[r] & WRITES) === 0) continue;
    if ((graph.flags[r] & FIXED) !== 0 || graph.isCause(r, event)) return true;
  }
  return false;
}

/** The earliest added of the other read-modify-writes that read from the same store and succeeded; NONE if there is none. */
export function conflicting(graph: Graph, event: number): number {
  if ((graph.flags[event] & (READS | WRITES)) !== (READS | WRITES)) return NONE;
  let first = NONE;
  for (let r = graph.readersOf(graph.readsFrom[event]); r !== NONE; r = graph.nextReader[r])
    if (r !== event && (graph.flags[r] & WRITES) !== 0 && (first === NONE || r < first)) first = r;
  return first;
}
