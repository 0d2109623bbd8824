// SPDX-License-Identifier: MIT
import { Additions } from './additions.js';
import { causalOrder } from './causal-order.js';
import type { Exploration } from './exploration.js';
import { ADDED_MAX, FIXED, type Graph, NONE, NOT_A_READ, READS, WRITES } from './graph.js';
import type { Level } from './levels.js';
import type { SavedLoops } from './loops.js';
import * as N from './node.js';
import type { Threads } from './threads.js';

/** One graph and the work that is left on it, as JSON. */
interface SavedLevel {
  /** In the order in which they were added: thread, what it reads from or null, flags, and what was chosen. */
  readonly events: readonly (readonly [number, number | null, number, number])[];
  /** Location, and its stores in coherence order. */
  readonly coherence: readonly (readonly [number, readonly number[]])[];
  readonly startedBy: readonly number[];
  readonly work: readonly number[];
}

/** Where an exploration stands: enough to go on with it in another process. JSON. */
export interface Checkpoint {
  readonly version: 1;
  readonly program: string;
  readonly model: string;
  /** What the exploration has found out on the way. */
  readonly sharedWords: readonly number[];
  /** How many rounds of which loops are explored (loops.ts). */
  readonly loops: SavedLoops;
  readonly gracePeriods: boolean;
  readonly callbacks: number;
  readonly allocations: readonly (readonly [number, number, number])[];
  /** Addresses, in the order of their numbers. */
  readonly locations: readonly number[];
  readonly counts: Readonly<Record<string, number>>;
  /** From the outermost; null when all is still to do. */
  readonly levels: readonly SavedLevel[] | null;
  /** The last graph is to be extended first. */
  readonly extending: boolean;
}

export function saveLevel({ graph, work }: Level, items: readonly number[] = work): SavedLevel {
  const events: [number, number | null, number, number][] = [];
  for (let e = 0; e < graph.size; e++) {
    const source = graph.readsFrom[e];
    const chosen = graph.nodes[e].kind === N.CHOOSE ? (graph.answers[e] as number) : 0;
    events.push([graph.thread[e], source === NOT_A_READ ? null : source, graph.flags[e], chosen]);
  }
  const coherence: [number, number[]][] = [];
  for (let l = 1; l < graph.locations; l++) {
    const stores: number[] = [];
    for (let s = graph.firstStore[l]; s !== NONE; s = graph.coherenceAfter[s]) stores.push(s);
    if (stores.length > 0) coherence.push([l, stores]);
  }
  return { events, coherence, startedBy: [...graph.startedBy], work: [...items] };
}

/** Builds the graphs of a checkpoint again, executing the threads as far as they came. */
export function restore(levels: readonly SavedLevel[], exploration: Exploration, threads: Threads): void {
  while (!exploration.levels.isEmpty) exploration.levels.pop();
  for (const saved of levels) {
    const level = exploration.levels.push();
    restoreGraph(saved, level.graph, threads);
    level.work.push(...saved.work);
  }
}

function restoreGraph({ events, coherence, startedBy }: SavedLevel, graph: Graph, threads: Threads): void {
  const additions = new Additions(threads);
  graph.clear();
  graph.ensureLocations(threads.engine.locations.addresses.length);
  graph.startedBy.set(startedBy);
  for (const [thread, source] of events) {
    const e = graph.addNext(thread);
    graph.readsFrom[e] = source ?? NOT_A_READ;
  }
  const order = causalOrder(graph);
  const before = new Map(coherence.flatMap(([l, stores]) => stores.map((s, i) => [s, i === 0 ? ~l : stores[i - 1]])));
  const described: number[] = [];
  for (const e of order) {
    graph.describe(e, additions.nodeAfter(graph, e));
    additions.reread(graph, e, events[e][3]);
    described.push(e);
  }
  for (const e of described)
    if (graph.readsFrom[e] !== NOT_A_READ) graph.readFrom(e, graph.readsFrom[e], graph.valueRead[e]);
  for (const [, stores] of coherence)
    for (const s of stores) graph.placeAfter(s, before.get(s) as number, graph.valueWritten[s]);
  events.forEach(([, , flags], e) => {
    graph.flags[e] = (graph.flags[e] & (READS | WRITES)) | (flags & (FIXED | ADDED_MAX));
  });
}
