// SPDX-License-Identifier: MIT
import { type Checker, type MemoryModel, Relation, type Skeleton } from '@lockless/memory-model';
import type { Program } from './elaborate.js';
import type { Planned, Segment } from './elaborate-event.js';
import type { Mutable } from './search-accesses.js';
import type { Graph } from './search-graph.js';

/** Lock words are kept right by the choice of what their loads may read, also where a critical section is not complete yet. */
const LOCK_AXIOMS: ReadonlySet<string> = new Set(['lock-nest', 'nested-is-locked', 'unmatched-locks', 'lock-values']);

/** The model for one set of events, with a coherence relation of its size. */
export interface Instance {
  readonly checker: Checker;
  readonly skeleton: Skeleton;
  readonly co: Relation;
}

/** The model is filled in once for each set of events that the search comes to: for a program without branches and pointers just once. */
export class Checkers {
  readonly #model: MemoryModel;
  readonly #axioms: readonly string[];
  /** Whether all events and their addresses are known from the beginning. */
  readonly #fixed: boolean;
  readonly #instances: Map<string, Instance> = new Map();

  constructor(model: MemoryModel, program: Program) {
    this.#model = model;
    this.#axioms = model.axioms.filter((axiom) => !LOCK_AXIOMS.has(axiom));
    this.#fixed = program.threads.every(isFixed);
  }

  /** For the events of a graph. Its coherence relation is brought up to date. */
  of(graph: Graph): Instance {
    const key = this.#fixed ? '' : keyOf(graph);
    let instance = this.#instances.get(key);
    if (instance === undefined) {
      const skeleton = skeletonOf(graph);
      instance = {
        checker: this.#model.instantiate(skeleton, this.#axioms),
        skeleton,
        co: new Relation(skeleton.events.length),
      };
      this.#instances.set(key, instance);
    }
    copyCoherence(graph, instance.co);
    return instance;
  }
}

const isFixed = ({ events, end }: Segment): boolean =>
  end.kind === 'finish' && events.every(({ address }) => address === null || address.kind === 'value');

/** What the events are follows from the order in which segments came, and from the addresses that were found out. */
function keyOf({ history, events, planned }: Graph): string {
  let key = history.join();
  for (let number = 0; number < events.length; number++) {
    const address = planned[number]?.address ?? null;
    if (address !== null && address.kind !== 'value') key += `;${number}:${events[number].location}`;
  }
  return key;
}

function skeletonOf(graph: Graph): Skeleton {
  const size = graph.events.length;
  const skeleton = {
    events: graph.events.map((event) => ({ ...event })),
    addr: new Relation(size),
    data: new Relation(size),
    ctrl: new Relation(size),
  };
  const depend = (relation: Relation, loads: readonly Planned[], number: number): void => {
    for (const load of loads) relation.add(graph.number(load), number);
  };
  graph.planned.forEach((planned, number) => {
    if (planned === null) return;
    depend(skeleton.addr, planned.addr, number);
    depend(skeleton.data, planned.data, number);
    depend(skeleton.ctrl, planned.ctrl, number);
  });
  return skeleton;
}

/** The stores in both are those of the graph; those that are not related to anything any more are cleared. */
function copyCoherence({ coherence }: Graph, { bits, stride }: Relation): void {
  for (let location = 0; location < coherence.stores.length; location++) {
    const stores = coherence.stores[location];
    for (let k = 0; k < stores.length; k++)
      for (let w = 0; w < stride; w++) bits[stores[k] * stride + w] = coherence.bits[stores[k] * coherence.stride + w];
  }
}

/** What the events read and wrote, for who looks at values (srcu-bad-value-match). */
export function noteValues(graph: Graph, { events }: Skeleton): void {
  graph.values.forEach((value, number) => {
    const event = events[number] as Mutable<(typeof events)[number]>;
    event.value = typeof value === 'bigint' ? Number(value) : value === undefined ? 0 : graph.places.indexOf(value);
  });
}
