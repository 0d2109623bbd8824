// SPDX-License-Identifier: MIT
import { type Event, INITIAL, Relation, type Skeleton, type Tag, type Witness } from '@lockless/memory-model';
import { type Graph, NONE, READS, WRITES } from './graph.js';
import * as N from './node.js';
import { dependsOnOld } from './read-modify-write.js';
import type { Locations } from './scope.js';

/** Locations of what has no word: above all addresses. */
const HIDDEN = 0x40000000;

const FENCE_TAGS: readonly (Tag | null)[] = [
  null,
  'mb',
  'rmb',
  'wmb',
  'before-atomic',
  'after-atomic',
  'after-spinlock',
  'after-unlock-lock',
  'barrier',
  'rcu-lock',
  'rcu-unlock',
  'sync-rcu',
];

interface Draft extends Event {
  /** Event of the graph; -1 for initial stores. */
  readonly origin: number;
}

/** Half of what passes between two threads without a word: a release, or the acquire that reads it. */
const hiddenEvent = (thread: number, type: 'R' | 'W', key: number, origin: number): Draft => ({
  thread,
  type,
  tag: type === 'R' ? 'acquire' : 'release',
  location: HIDDEN + key,
  partner: -1,
  value: 1,
  origin,
});

/** An access that sees what a FREE does to its object, as though that were a store to the word of the access. */
export interface Observed {
  readonly free: number;
  readonly access: number;
}

/** A message is sent just before an event and received just before another. */
export interface Message {
  readonly before: number;
  readonly after: number;
}

/**
 * A graph, or the part of it in `order`, as the memory model sees it. Read-modify-writes become two events; CALL_RCU a release store that the first event of its callback, an acquire
 * load, reads. Every load controls all later stores of its thread. A reader that is not over when its
 * thread stops is ended there: it keeps grace periods from ending.
 */
export function memoryModelGraph(
  graph: Graph,
  order: readonly number[],
  locations: Locations,
  observed: Observed | null = null,
  message: Message | null = null,
): { skeleton: Skeleton; witness: Witness; origin: Int32Array } {
  const drafts: Draft[] = [];
  const loadOf = new Int32Array(graph.size).fill(NONE);
  const storeOf = new Int32Array(graph.size).fill(NONE);
  const initialOf = new Map<number, number>();
  for (const e of order) {
    const location = graph.location[e];
    if (location === NONE || initialOf.has(location)) continue;
    initialOf.set(location, drafts.length);
    const value = locations.initial[location];
    drafts.push({
      thread: INITIAL,
      type: 'W',
      tag: 'once',
      location: locations.addresses[location],
      partner: -1,
      value,
      origin: -1,
    });
  }
  const started = new Int32Array(graph.threads);
  const startLoads: { readonly load: number; readonly call: number }[] = [];
  const open = new Int32Array(graph.threads);
  let sent = NONE;
  let received = NONE;
  for (const e of order) {
    const thread = graph.thread[e];
    if (started[thread] === 0 && graph.startedBy[thread] !== NONE) {
      startLoads.push({ load: drafts.length, call: graph.startedBy[thread] });
      drafts.push(hiddenEvent(thread, 'R', graph.startedBy[thread], e));
    }
    started[thread] = 1;
    if (e === message?.before) {
      sent = drafts.length;
      drafts.push(hiddenEvent(thread, 'W', graph.size, -1));
    }
    if (e === message?.after) {
      received = drafts.length;
      drafts.push(hiddenEvent(thread, 'R', graph.size, -1));
    }
    const { kind, operation } = graph.nodes[e];
    if (kind === N.FENCE) {
      if (operation === N.F_RCU_LOCK) open[thread]++;
      if (operation === N.F_RCU_UNLOCK) open[thread]--;
    }
    const seen = e === observed?.free ? locations.addresses[graph.location[observed.access]] : HIDDEN + e;
    for (const event of eventsOf(graph, e, drafts.length, locations, seen)) {
      if (event.type === 'F') drafts.push(event);
      else {
        if (event.type === 'W' || event.type === 'LKW' || event.type === 'UL') storeOf[e] = drafts.length;
        else loadOf[e] = drafts.length;
        drafts.push(event);
      }
    }
  }
  for (let thread = 0; thread < graph.threads; thread++)
    for (; open[thread] > 0; open[thread]--)
      drafts.push({ thread, type: 'F', tag: 'rcu-unlock', location: -1, partner: -1, value: 0, origin: -1 });
  const size = drafts.length;
  const rf = new Int32Array(size).fill(-1);
  const co = new Relation(size);
  for (const { load, call } of startLoads) rf[load] = storeOf[call];
  if (received !== NONE) rf[received] = sent;
  for (const e of order) {
    if ((graph.flags[e] & READS) === 0) continue;
    const source = graph.readsFrom[e];
    rf[loadOf[e]] = source >= 0 ? storeOf[source] : (initialOf.get(~source) as number);
  }
  for (const [location, initial] of initialOf) {
    const stores: number[] = [initial];
    for (let s = graph.firstStore[location]; s !== NONE; s = graph.coherenceAfter[s]) {
      if (s === observed?.access) stores.push(storeOf[observed.free]);
      if (storeOf[s] !== NONE) stores.push(storeOf[s]);
    }
    if (observed !== null && graph.location[observed.access] === location && !stores.includes(storeOf[observed.free]))
      stores.push(storeOf[observed.free]);
    stores.forEach((later, i) => {
      for (let j = 0; j < i; j++) co.add(stores[j], later);
    });
  }
  if (observed !== null && loadOf[observed.access] !== NONE) rf[loadOf[observed.access]] = storeOf[observed.free];
  const { addr, data, ctrl } = dependencies(graph, order, drafts, loadOf);
  return {
    skeleton: { events: drafts, addr, data, ctrl },
    witness: { rf, co },
    origin: Int32Array.from(drafts, ({ origin }) => origin),
  };
}

function dependencies(graph: Graph, order: readonly number[], drafts: readonly Draft[], loadOf: Int32Array) {
  const addr = new Relation(drafts.length);
  const data = new Relation(drafts.length);
  const ctrl = new Relation(drafts.length);
  const loads: number[][] = Array.from({ length: graph.threads }, () => []);
  const byIndex: number[][] = Array.from({ length: graph.threads }, () => []);
  for (const e of order) byIndex[graph.thread[e]][graph.index[e]] = e;
  drafts.forEach(({ thread, type, origin, partner }, i) => {
    if (thread === INITIAL || type === 'F') return;
    if (origin !== -1) for (const from of graph.nodes[origin].addressFrom) addr.add(loadOf[byIndex[thread][from]], i);
    if (type === 'W' || type === 'LKW' || type === 'UL') for (const load of loads[thread]) ctrl.add(load, i);
    else loads[thread].push(i);
    if (type === 'W' && partner >= 0 && dependsOnOld(graph.nodes[origin].operation)) data.add(partner, i);
  });
  return { addr, data, ctrl };
}

/** The model's events of one event, in program order. */
function eventsOf(graph: Graph, e: number, at: number, locations: Locations, hidden: number): Draft[] {
  const node = graph.nodes[e];
  const { kind, order, operation } = node;
  const location = node.location === NONE ? -1 : locations.addresses[node.location];
  const base = { thread: graph.thread[e], location, partner: -1, origin: e };
  const lock = (order & N.LOCK) !== 0;
  switch (kind) {
    case N.READ:
      return [{ ...base, type: 'R', tag: loadTag(order), value: graph.valueRead[e] }];
    case N.WRITE:
      return [{ ...base, type: lock ? 'UL' : 'W', tag: storeTag(order), value: graph.valueWritten[e] }];
    case N.RMW: {
      const value = graph.valueRead[e];
      if ((graph.flags[e] & WRITES) === 0)
        return lock
          ? [{ ...base, type: 'LF', tag: 'once', value }]
          : [{ ...base, type: 'R', tag: loadTag(order), value, failed: true }];
      const written = graph.valueWritten[e];
      return [
        { ...base, type: lock ? 'LKR' : 'R', tag: loadTag(order), partner: at + 1, value },
        { ...base, type: lock ? 'LKW' : 'W', tag: lock ? 'once' : storeTag(order), partner: at, value: written },
      ];
    }
    case N.FENCE: {
      if (operation === N.F_CALL_RCU || (operation === N.F_FREE && hidden < HIDDEN))
        return [{ ...base, type: 'W', tag: 'release', location: hidden, value: 1 }];
      const tag = FENCE_TAGS[operation];
      return tag === null || tag === undefined ? [] : [{ ...base, type: 'F', tag, value: 0 }];
    }
    default:
      return [];
  }
}

function loadTag(order: number): Tag {
  if ((order & N.FULL) !== 0) return 'mb';
  if ((order & N.NORETURN) !== 0) return 'noreturn';
  if ((order & N.ACQUIRE) !== 0) return 'acquire';
  return (order & N.PLAIN) !== 0 ? 'plain' : 'once';
}

function storeTag(order: number): Tag {
  if ((order & N.FULL) !== 0) return 'mb';
  if ((order & N.RELEASE) !== 0) return 'release';
  if ((order & N.NORETURN) !== 0) return 'noreturn';
  return (order & N.PLAIN) !== 0 ? 'plain' : 'once';
}
