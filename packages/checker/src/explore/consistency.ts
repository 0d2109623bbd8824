// SPDX-License-Identifier: MIT
import type { MemoryModel } from '@lockless/memory-model';
import { lkmm, sc, tso } from '@lockless/memory-model';
import type { ModelName } from '../result.js';
import { causalOrder } from './causal-order.js';
import type { Graph } from './graph.js';
import { LinuxKernelMemoryModel } from './linux-kernel-memory-model.js';
import { type Message, memoryModelGraph, type Observed } from './model-graph.js';
import type { Locations } from './scope.js';
import { type Consistency, SequentialConsistency } from './sequential-consistency.js';
import { TotalStoreOrder } from './total-store-order.js';

const MODELS: Readonly<Record<ModelName, MemoryModel>> = { sc, tso, lkmm };

/** The axioms that only complete graphs are held to: a new event can break them, even the last of its thread that takes the latest store. */
const AT_THE_END = ['rcu', 'grace-period'];
/** What the explorer sees to by itself: it takes locks one after the other, whatever the word was initialised with. */
const isLockAxiom = (axiom: string): boolean =>
  ['lock-nest', 'nested-is-locked', 'unmatched-locks', 'lock-values'].includes(axiom);

/** A model's axioms, checked by the package that defines them. */
export class ReferenceConsistency {
  /** Everything comes after its causes. */
  readonly causal: boolean;
  private readonly model: MemoryModel;
  private readonly axioms: readonly string[];
  private readonly all: readonly string[];
  private readonly locations: Locations;

  constructor(model: ModelName, locations: Locations) {
    this.causal = model !== 'lkmm';
    this.model = MODELS[model];
    this.locations = locations;
    this.all = this.model.axioms.filter((axiom) => !isLockAxiom(axiom));
    this.axioms = this.all.filter((axiom) => !AT_THE_END.includes(axiom));
  }

  isConsistent(graph: Graph): boolean {
    return this.holds(graph, this.axioms);
  }

  /** All axioms, those too that are for complete graphs. */
  isPossible(graph: Graph): boolean {
    return this.holds(graph, this.all);
  }

  /** Whether a graph, or the part of it in `order`, is still an execution when something is added. */
  allows(graph: Graph, order: readonly number[], observed: Observed | null, message: Message | null = null): boolean {
    const { skeleton, witness } = memoryModelGraph(graph, order, this.locations, observed, message);
    return this.model.instantiate(skeleton, this.all).broken(witness) === null;
  }

  /** Two events that race, or null. */
  race(graph: Graph): readonly [number, number] | null {
    const { skeleton, witness, origin } = memoryModelGraph(graph, causalOrder(graph), this.locations);
    const race = this.model.instantiate(skeleton, this.all).race(witness);
    return race === null ? null : [origin[race[0]], origin[race[1]]];
  }

  private holds(graph: Graph, axioms: readonly string[]): boolean {
    const { skeleton, witness } = memoryModelGraph(graph, causalOrder(graph), this.locations);
    return this.model.instantiate(skeleton, axioms).broken(witness) === null;
  }
}

export function consistencyOf(model: ModelName, locations: Locations): Consistency {
  if (model === 'sc') return new SequentialConsistency();
  if (model === 'tso') return new TotalStoreOrder();
  const reference = new ReferenceConsistency(model, locations);
  return new LinuxKernelMemoryModel((graph) => reference.isConsistent(graph));
}
