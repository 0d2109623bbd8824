// SPDX-License-Identifier: MIT
import { INITIAL } from '@lockless/memory-model';
import { FREE } from './elaborate-atomic.js';
import { isStore, type Planned } from './elaborate-event.js';
import type { Graph } from './search-graph.js';

/** A load may read from a store: one that is there, or one on a path that its thread has not taken yet. */
export interface Option {
  readonly load: number;
  readonly store: number | Planned;
}

/**
 * What to decide next, as options that exclude each other; null when every load that has an address reads from something.
 *
 * First who takes a lock (or, in general, who is the next read-modify-write where there are no other stores): that order is put together from the
 * beginning, since most of what is read follows from it. Then the load with the fewest stores to choose from, since what is wrong shows soonest there.
 * Loads that could read from stores that may not happen come last: most of those get settled by then.
 */
export function nextOptions(graph: Graph): readonly Option[] | null {
  let best: readonly Option[] | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (let location = 0; location < graph.loads.length; location++) {
    const successors = nextInLine(graph, location);
    if (successors !== null) return successors;
    const loads = graph.loads[location];
    for (let k = 0; k < loads.length; k++) {
      const load = loads[k];
      if (graph.rf[load] !== -1) continue;
      const options: Option[] = [];
      addPresentStores(graph, load, options);
      const present = options.length;
      addStoresBeyond(graph, load, options);
      const cost = present + 100 * (options.length - present);
      if (cost >= least) continue;
      best = options;
      least = cost;
      if (cost === 0) return best;
    }
  }
  return best;
}

/**
 * Where all stores are those of read-modify-writes or of locks, the next of them reads the last one so far. Null where there are others, where more may
 * come, and where nobody is left.
 */
function nextInLine(graph: Graph, location: number): Option[] | null {
  const { events, rf, clocks } = graph;
  const loads = graph.loads[location];
  let last = graph.initialStores[location];
  let chained = 1;
  const waiting: number[] = [];
  for (let k = 0; k < loads.length; k++) {
    const load = loads[k];
    if (events[load].partner === -1) continue;
    if (rf[load] === -1) waiting.push(load);
  }
  if (waiting.length === 0 || !isLine(graph, location)) return null;
  for (let k = 0; k < loads.length; k++) {
    const { partner, type } = events[loads[k]];
    if (rf[loads[k]] !== last || partner === -1) continue;
    chained++;
    last = type === 'LKR' ? releaseOf(graph, partner) : partner;
    // A lock that nobody releases: who waits does so for ever.
    if (last === -1) break;
    k = -1;
  }
  // Somebody has chosen what to read from the middle of the line.
  const reads = loads.reduce((count, load) => count + (events[load].partner !== -1 && rf[load] !== -1 ? 1 : 0), 1);
  if (chained !== reads) return null;
  const store = last;
  const first = waiting.filter((load) => !waiting.some((other) => other !== load && clocks.precedes(other, load)));
  return store === -1 ? [] : first.filter((load) => canRead(graph, load, store)).map((load) => ({ load, store }));
}

function isLine(graph: Graph, location: number): boolean {
  const { events, coherence, current, places } = graph;
  const stores = coherence.stores[location];
  for (let k = 1; k < stores.length; k++) {
    const { type, partner } = events[stores[k]];
    if (type === 'W' && partner === -1) return false;
  }
  for (let number = 0; number < events.length; number++)
    if (events[number].location === -1 && events[number].type !== 'F') return false;
  for (const { storesBelow } of current)
    for (const { address } of storesBelow)
      if (address === null || address.kind !== 'value' || address.value === places[location]) return false;
  return true;
}

/** The store that releases what another took, or -1. */
function releaseOf({ events }: Graph, taken: number): number {
  const { thread, location } = events[taken];
  for (let number = taken + 1; number < events.length; number++) {
    const event = events[number];
    if (event.thread !== thread || event.location !== location) continue;
    if (event.type === 'UL') return number;
    if (event.type === 'LKW') return -1;
  }
  return -1;
}

/** Stores to the location that coherence lets the load read, and those whose location is not known yet. */
function addPresentStores(graph: Graph, load: number, options: Option[]): void {
  const { events, coherence } = graph;
  const stores = coherence.stores[events[load].location];
  for (let k = 0; k < stores.length; k++) if (canRead(graph, load, stores[k])) options.push({ load, store: stores[k] });
  for (let store = 0; store < events.length; store++) {
    const event = events[store];
    if (event.location !== -1 || !isStore(event) || (event.thread === events[load].thread && store > load)) continue;
    if (fits(graph, load, event.type, undefined)) options.push({ load, store });
  }
}

/** Whether a lock word that is read so is free, where it has to be. */
function fits(graph: Graph, load: number, type: string, value: unknown): boolean {
  if (graph.events[load].type !== 'LKR') return true;
  return type === 'UL' || (type === 'W' && value === FREE);
}

/** What the order of the stores as far as it is known says against it, as Accesses would find out. */
function canRead(graph: Graph, load: number, store: number): boolean {
  const { events, coherence, clocks, rf } = graph;
  const { location, thread, partner, tag } = events[load];
  if (events[store].thread === thread && store > load) return false;
  if (!fits(graph, load, events[store].type, events[store].thread === INITIAL ? graph.values[store] : undefined))
    return false;
  if (partner !== -1 && coherence.has(partner, store)) return false;
  const plain = tag === 'plain' || events[store].tag === 'plain';
  const counts = (other: number, source: number): boolean =>
    events[other].thread === thread || !(plain || events[other].tag === 'plain' || events[source].tag === 'plain');
  const stores = coherence.stores[location];
  for (let k = 0; k < stores.length; k++) {
    const other = stores[k];
    if (other === store || !counts(other, other)) continue;
    if (
      clocks.precedes(other, load)
        ? coherence.has(store, other)
        : clocks.precedes(load, other) && coherence.has(other, store)
    )
      return false;
  }
  // What comes after the load cannot be what it reads.
  if (clocks.precedes(load, store) && counts(store, store)) return false;
  const loads = graph.loads[location];
  for (let k = 0; k < loads.length; k++) {
    const other = loads[k];
    const source = rf[other];
    if (source === -1 || other === load) continue;
    // A store is read by one read-modify-write at most.
    if (source === store && partner !== -1 && events[other].partner !== -1) return false;
    if (source === store || events[source].location === -1 || !counts(other, source)) continue;
    if (
      clocks.precedes(other, load)
        ? coherence.has(store, source)
        : clocks.precedes(load, other) && coherence.has(source, store)
    )
      return false;
  }
  return true;
}

function addStoresBeyond(graph: Graph, load: number, options: Option[]): void {
  const { thread, location } = graph.events[load];
  for (let other = 0; other < graph.current.length; other++) {
    if (other === thread) continue;
    const { storesBelow } = graph.current[other];
    for (let k = 0; k < storesBelow.length; k++) {
      const store = storesBelow[k];
      const { address, type } = store;
      if (address === null || (address.kind === 'value' && address.value !== graph.places[location])) continue;
      if (fits(graph, load, type, undefined)) options.push({ load, store });
    }
  }
}
