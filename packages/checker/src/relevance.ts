// SPDX-License-Identifier: MIT
import { type EventKind, PRIMITIVES } from '@lockless/cpu';
import type { Snapshot, SnapshotEvent } from './snapshot.js';

const kindOf = (event: SnapshotEvent): EventKind => PRIMITIVES[event.code].event;

/** Kinds whose address is a word of memory that others may touch. */
const MEMORY: ReadonlySet<EventKind> = new Set(['R', 'W', 'RMW', 'LK', 'LF', 'UL', 'RLK', 'RUL', 'FREE', 'WAKE']);

/**
 * What had to happen for these events to happen: they, what their threads did before, and the stores that any of that read. Nothing else can
 * have made them go wrong, so a report leaves it away. By thread, in program order.
 */
function causesOf(execution: Snapshot, keys: readonly SnapshotEvent[]): SnapshotEvent[][] {
  const until = execution.threads.map(() => 0);
  const queue = [...keys];
  for (let event = queue.pop(); event !== undefined; event = queue.pop()) {
    const thread = execution.threads[event.thread];
    const before = until[event.thread];
    if (event.position < before) continue;
    until[event.thread] = event.position + 1;
    for (const cause of thread.events.slice(before, event.position + 1))
      if (cause.from !== null) queue.push(cause.from);
    if (before === 0 && thread.startedBy !== null) queue.push(thread.startedBy);
  }
  return execution.threads.map((thread, i) => thread.events.slice(0, until[i]));
}

/** The events that have an edge (reads-from, coherence, from-read) to an event of another thread. */
function communicating(execution: Snapshot, threads: readonly (readonly SnapshotEvent[])[]): Set<SnapshotEvent> {
  const kept = new Set(threads.flat());
  const found = new Set<SnapshotEvent>();
  const join = (a: SnapshotEvent, b: SnapshotEvent): void => {
    if (a.thread === b.thread) return;
    found.add(a);
    found.add(b);
  };
  const nextOf = new Map<SnapshotEvent | number, SnapshotEvent>();
  for (const [address, stores] of execution.coherence) {
    let last: SnapshotEvent | number = address;
    for (const store of stores) {
      if (!kept.has(store)) continue;
      if (typeof last !== 'number') join(last, store);
      nextOf.set(last, store);
      last = store;
    }
  }
  for (const event of kept) {
    if (event.read === null || !MEMORY.has(kindOf(event))) continue;
    if (event.from !== null) join(event.from, event);
    const next = nextOf.get(event.from ?? event.address);
    if (next !== undefined && next !== event) join(event, next);
  }
  return found;
}

/** The full barrier of smp_store_mb(), of a sleep or of a wake-up: told with the access that it is a part of. */
const isPart = (event: SnapshotEvent): boolean =>
  event.read === null && event.written === null && ['W', 'WAKE', 'SCHEDULE'].includes(kindOf(event));

const A_PAGE = 40;

/** The events that a reader needs to follow what went wrong, by thread in program order. `keys` are the events where it shows. */
export function relevantEvents(execution: Snapshot, keys: readonly SnapshotEvent[]): SnapshotEvent[][] {
  const threads = causesOf(execution, keys);
  const shown = communicating(execution, threads);
  const contended = new Set([...shown].map(({ address }) => address));
  const around = threads.flat().filter((event) => contended.has(event.address) && MEMORY.has(kindOf(event)));
  // As long as it fits on a page, all that happened to a word that matters.
  if (around.length <= A_PAGE) for (const event of around) shown.add(event);
  for (const key of keys) shown.add(key);
  const all = threads.flat();
  const gracePeriods = all.some((event) => kindOf(event) === 'RCU_SYNC' || kindOf(event) === 'CALL_RCU');
  for (const event of all) {
    const kind = kindOf(event);
    if (kind === 'FREE' || kind === 'RCU_SYNC' || kind === 'CALL_RCU' || kind === 'CHOOSE') shown.add(event);
    if (gracePeriods && (kind === 'RCU_LOCK' || kind === 'RCU_UNLOCK')) shown.add(event);
  }
  return threads.map((events) => {
    const first = events.findIndex((event) => shown.has(event));
    const last = events.findLastIndex((event) => shown.has(event));
    // A fence between two steps says why they are not reordered.
    return events.filter(
      (event, i) =>
        (shown.has(event) && !isPart(event)) ||
        (kindOf(event) === 'F' && i > first && i < last && PRIMITIVES[event.code].order !== 'compiler'),
    );
  });
}
