// SPDX-License-Identifier: MIT
import { kmemCacheOf } from '@lockless/cpu';
import { causalOrder } from './causal-order.js';
import type { ReferenceConsistency } from './consistency.js';
import { type Graph, READS, WRITES } from './graph.js';
import type { Machine } from './machine.js';
import * as N from './node.js';

/** A use of memory that is not the user's any more. */
export interface Misuse {
  readonly kind: 'use-after-free' | 'double-free';
  readonly message: string;
  readonly thread: number;
  /** The access (or the second free), and the free. */
  readonly events: readonly [number, number];
}

/**
 * Finds accesses to freed objects. An access is wrong unless it has to come before the free; it does not have to if the same graph, up to the
 * two, is still an execution when the access sees what the free did to the object. So grace periods, dependencies and plain accesses count
 * for as much as the model lets them.
 */
export class Lifetimes {
  private readonly machine: Machine;
  private readonly reference: ReferenceConsistency;
  private readonly inOrder: boolean;

  constructor(machine: Machine, reference: ReferenceConsistency) {
    this.machine = machine;
    this.reference = reference;
    this.inOrder = reference.causal;
  }

  misuse(graph: Graph): Misuse | null {
    const frees: number[] = [];
    for (let e = 0; e < graph.size; e++) {
      const { kind, operation } = graph.nodes[e];
      if (kind === N.FENCE && operation === N.F_FREE) frees.push(e);
    }
    for (const free of frees) {
      const found = this.freedTwice(graph, free, frees) ?? this.usedAfter(graph, free);
      if (found !== null) return found;
    }
    return null;
  }

  private freedTwice(graph: Graph, free: number, frees: readonly number[]): Misuse | null {
    const { address } = graph.nodes[free];
    const other = frees.find((f) => f < free && graph.nodes[f].address === address);
    if (other === undefined) return null;
    const message = `kmem_cache_free(${this.machine.describe(address)}): freed twice`;
    return { kind: 'double-free', message, thread: graph.thread[free], events: [free, other] };
  }

  private usedAfter(graph: Graph, free: number): Misuse | null {
    const { address, operand } = graph.nodes[free];
    const { typesafeByRcu, type } = kmemCacheOf(operand);
    if (typesafeByRcu) return null;
    for (let e = 0; e < graph.size; e++) {
      if ((graph.flags[e] & (READS | WRITES)) === 0) continue;
      const offset = graph.nodes[e].address - address;
      if (offset < 0 || offset >= type.$size || !this.mayComeAfter(graph, e, free)) continue;
      const message = `use after free: ${this.machine.describe(graph.nodes[e].address)}`;
      return { kind: 'use-after-free', message, thread: graph.thread[e], events: [e, free] };
    }
    return null;
  }

  private mayComeAfter(graph: Graph, access: number, free: number): boolean {
    if (graph.thread[access] === graph.thread[free]) return graph.index[access] > graph.index[free];
    if (graph.isCause(free, access)) return true;
    // Nothing that reads can come after what it is a cause of.
    if (graph.isCause(access, free) && (this.inOrder || (graph.flags[access] & WRITES) === 0)) return false;
    const order = causalOrder(graph).filter(
      (e) => e === access || e === free || graph.isCause(e, access) || graph.isCause(e, free),
    );
    return this.reference.allows(graph, order, { free, access });
  }
}
