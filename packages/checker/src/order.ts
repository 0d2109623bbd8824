// SPDX-License-Identifier: MIT
import type { Snapshot, SnapshotEvent } from './snapshot.js';

/** States of the search for the best order; above that the order is chosen step by step. */
const MOST_STATES = 400_000;
/** A load that does not read the latest store costs more than any number of switches. */
const OUT_OF_ORDER = 10_000;

interface Placement {
  readonly execution: Snapshot;
  readonly threads: readonly (readonly SnapshotEvent[])[];
  /** Position of each event among those of its thread that are ordered. */
  readonly index: ReadonlyMap<SnapshotEvent, number>;
  /** Coherence-later stores among the ordered events, by event: those that make it out of order when they come first. */
  readonly overtakers: ReadonlyMap<SnapshotEvent, readonly SnapshotEvent[]>;
}

/** Stores of the same word that come, in coherence, after what the event reads or stores. */
function overtakersOf(
  execution: Snapshot,
  index: ReadonlyMap<SnapshotEvent, number>,
): Map<SnapshotEvent, SnapshotEvent[]> {
  const place = new Map<SnapshotEvent, number>();
  for (const stores of execution.coherence.values()) stores.forEach((store, i) => void place.set(store, i));
  const found = new Map<SnapshotEvent, SnapshotEvent[]>();
  for (const event of index.keys()) {
    const stores = execution.coherence.get(event.address);
    if (stores === undefined) continue;
    const own = place.get(event);
    if (own === undefined && event.read === null) continue;
    const after = own ?? (event.from === null ? -1 : (place.get(event.from) ?? -1));
    const later = stores.slice(after + 1).filter((store) => store !== event && index.has(store));
    if (later.length > 0) found.set(event, later);
  }
  return found;
}

/** Whether thread `t` may take its next step: what that reads has been stored. */
function enabled({ execution, threads, index }: Placement, at: readonly number[], t: number): boolean {
  const event = threads[t][at[t]];
  if (event === undefined) return false;
  const done = (before: SnapshotEvent | null): boolean => {
    const i = before === null ? undefined : index.get(before);
    return before === null || i === undefined || i < at[before.thread];
  };
  return done(event.from) && (at[t] > 0 || done(execution.threads[t].startedBy));
}

/** How far the event is out of order when it comes now. */
function price({ index, overtakers }: Placement, at: readonly number[], event: SnapshotEvent): number {
  let cost = 0;
  for (const store of overtakers.get(event) ?? [])
    if ((index.get(store) as number) < at[store.thread]) cost += OUT_OF_ORDER;
  return cost;
}

/**
 * An order of these events that explains the execution: loads after the stores that they read, each thread in program order, and of such
 * orders one with the fewest loads that do not read the latest store and stores that do not become the latest (none under SC), and of
 * those one with the fewest switches.
 */
export function explainingOrder(execution: Snapshot, threads: readonly (readonly SnapshotEvent[])[]): SnapshotEvent[] {
  const index = new Map<SnapshotEvent, number>();
  for (const events of threads) events.forEach((event, i) => void index.set(event, i));
  const placement: Placement = { execution, threads, index, overtakers: overtakersOf(execution, index) };
  const states = threads.reduce((product, events) => product * (events.length + 1), threads.length);
  return states <= MOST_STATES ? bestOrder(placement) : greedyOrder(placement);
}

/** The cheapest way to each (how far each thread is, who went last), over all of them. */
function bestOrder(placement: Placement): SnapshotEvent[] {
  const { threads } = placement;
  const n = threads.length;
  const strides: number[] = [];
  let size = 1;
  for (const events of threads) {
    strides.push(size);
    size *= events.length + 1;
  }
  const cost = new Float64Array(size * n).fill(Number.POSITIVE_INFINITY);
  const cameFrom = new Int8Array(size * n).fill(-1);
  cost.fill(0, 0, n);
  for (let state = 0; state < size; state++) {
    const at = threads.map((events, t) => Math.floor(state / strides[t]) % (events.length + 1));
    for (let t = 0; t < n; t++) {
      if (!enabled(placement, at, t)) continue;
      const step = price(placement, at, threads[t][at[t]]);
      const next = (state + strides[t]) * n + t;
      for (let last = 0; last < n; last++) {
        const total = cost[state * n + last] + step + (last === t || state === 0 ? 0 : 1);
        if (total >= cost[next]) continue;
        cost[next] = total;
        cameFrom[next] = last;
      }
    }
  }
  return walkBack(placement, cost, cameFrom, strides, size - 1);
}

function walkBack(
  { threads }: Placement,
  cost: Float64Array,
  cameFrom: Int8Array,
  strides: number[],
  end: number,
): SnapshotEvent[] {
  const n = threads.length;
  const order: SnapshotEvent[] = [];
  let last = 0;
  for (let t = 1; t < n; t++) if (cost[end * n + t] < cost[end * n + last]) last = t;
  for (let state = end; state > 0; ) {
    const before = cameFrom[state * n + last];
    state -= strides[last];
    order.push(threads[last][Math.floor(state / strides[last]) % (threads[last].length + 1)]);
    last = before;
  }
  return order.reverse();
}

/** For executions of thousands of events: always the cheapest next step, of those one of the same thread. */
function greedyOrder(placement: Placement): SnapshotEvent[] {
  const { threads } = placement;
  const at = threads.map(() => 0);
  const order: SnapshotEvent[] = [];
  let last = 0;
  for (;;) {
    const able = threads.flatMap((_, t) => (enabled(placement, at, t) ? [t] : []));
    if (able.length === 0) return order;
    const worth = (t: number): number => price(placement, at, threads[t][at[t]]) + (t === last ? 0 : 1);
    last = able.reduce((best, t) => (worth(t) < worth(best) ? t : best));
    order.push(threads[last][at[last]++]);
  }
}

/** Stores that are done already, and that the event does not read, or comes before in coherence. */
export function outOfOrder(
  event: SnapshotEvent,
  { coherence }: Snapshot,
  done: { has(event: SnapshotEvent): boolean },
): { readonly missed: readonly SnapshotEvent[]; readonly reads: boolean } {
  const stores = coherence.get(event.address) ?? [];
  const own = event.written === null ? -1 : stores.indexOf(event);
  const reads = event.read !== null;
  if (stores.length === 0 || (own < 0 && !reads)) return { missed: [], reads };
  const since = own >= 0 ? own : event.from === null ? -1 : stores.indexOf(event.from);
  return { missed: stores.slice(since + 1).filter((store) => store !== event && done.has(store)), reads };
}
