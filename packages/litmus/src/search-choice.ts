// SPDX-License-Identifier: MIT
import { INITIAL } from '@lockless/memory-model';
import { FREE } from './elaborate-atomic.js';
import { isStore, type Planned } from './elaborate-event.js';
import type { Graph } from './search-graph.js';

/** A load and all that it may read from: stores that are there, and stores on paths that their threads have not taken yet. */
export interface Choice {
  readonly load: number;
  readonly stores: readonly number[];
  readonly beyond: readonly Planned[];
}

/**
 * The load with the fewest stores to choose from, since what is wrong then shows soonest. Locks come first: the order of their critical sections decides
 * most of what is read inside. Loads that could read from stores that may not happen come last: most of those get settled by then.
 * Null when every load that has an address reads from something.
 */
export function nextChoice(graph: Graph): Choice | null {
  let best: Choice | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (let location = 0; location < graph.loads.length; location++) {
    const loads = graph.loads[location];
    for (let k = 0; k < loads.length; k++) {
      const load = loads[k];
      if (graph.rf[load] !== -1) continue;
      const choice: Choice = { load, stores: presentStores(graph, load), beyond: storesBeyond(graph, load) };
      const { type } = graph.events[load];
      const lock = type === 'LKR' || type === 'LF';
      const cost = choice.stores.length + 100 * choice.beyond.length - (lock ? 10_000 : 0);
      if (cost >= least) continue;
      best = choice;
      least = cost;
      if (choice.stores.length + choice.beyond.length === 0) return choice;
    }
  }
  return best;
}

/** Stores to the location that coherence lets the load read, and those whose location is not known yet. */
function presentStores(graph: Graph, load: number): number[] {
  const { events, coherence } = graph;
  const { location } = events[load];
  const found: number[] = [];
  const stores = coherence.stores[location];
  for (let k = 0; k < stores.length; k++) if (canRead(graph, load, stores[k])) found.push(stores[k]);
  for (let store = 0; store < events.length; store++) {
    const event = events[store];
    if (event.location === -1 && isStore(event) && (event.thread !== events[load].thread || store < load))
      if (fits(graph, load, event.type, undefined)) found.push(store);
  }
  return found;
}

/** Whether a lock word that is read so is free or held as it has to be. */
function fits(graph: Graph, load: number, type: string, value: unknown): boolean {
  if (graph.events[load].type !== 'LKR') return true;
  return type === 'UL' || (type === 'W' && value === FREE);
}

function canRead(graph: Graph, load: number, store: number): boolean {
  const { events, coherence, rf } = graph;
  const { location, thread, partner } = events[load];
  const { thread: writer, type } = events[store];
  if (writer === thread && store > load) return false;
  if (!fits(graph, load, type, writer === INITIAL ? graph.values[store] : undefined)) return false;
  if (partner !== -1 && coherence.has(partner, store)) return false;
  const stores = coherence.stores[location];
  for (let k = 0; k < stores.length; k++) {
    const other = stores[k];
    if (other === store || events[other].thread !== thread) continue;
    if (other < load ? coherence.has(store, other) : coherence.has(other, store)) return false;
  }
  const loads = graph.loads[location];
  for (let k = 0; k < loads.length; k++) {
    const other = loads[k];
    const source = rf[other];
    if (source === -1 || other === load) continue;
    // A store is read by one read-modify-write at most.
    if (source === store && partner !== -1 && events[other].partner !== -1) return false;
    if (source === store || events[other].thread !== thread) continue;
    if (other < load ? coherence.has(store, source) : coherence.has(source, store)) return false;
  }
  return true;
}

function storesBeyond(graph: Graph, load: number): readonly Planned[] {
  const { thread, location } = graph.events[load];
  let found: Planned[] | null = null;
  for (let other = 0; other < graph.current.length; other++) {
    if (other === thread) continue;
    const { storesBelow } = graph.current[other];
    for (let k = 0; k < storesBelow.length; k++) {
      const { address, type } = storesBelow[k];
      if (address === null || (address.kind === 'value' && address.value !== graph.places[location])) continue;
      if (!fits(graph, load, type, undefined)) continue;
      found ??= [];
      found.push(storesBelow[k]);
    }
  }
  return found ?? [];
}
