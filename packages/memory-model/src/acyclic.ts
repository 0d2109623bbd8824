// SPDX-License-Identifier: MIT
import type { EventSet, Relation } from './relation.js';

/** Depth-first search for a cycle; with `closure`, what is reachable is gathered on the way back. Its sets are used again. */
export class CycleSearch {
  readonly #active: EventSet;
  readonly #done: EventSet;

  constructor(size: number) {
    this.#active = new Int32Array((size + 31) >>> 5);
    this.#done = new Int32Array((size + 31) >>> 5);
  }

  /** Whether `relation` is acyclic. `closure`, when given, becomes its transitive closure. */
  acyclic(relation: Relation, closure: Relation | null): boolean {
    const acyclic = this.#search(relation, closure);
    if (!acyclic) closure?.copy(relation).close();
    return acyclic;
  }

  #search(relation: Relation, closure: Relation | null): boolean {
    this.#active.fill(0);
    this.#done.fill(0);
    for (let i = 0; i < relation.size; i++) {
      if (((this.#done[i >>> 5] >>> (i & 31)) & 1) === 0 && !this.#visit(i, relation, closure)) return false;
    }
    return true;
  }

  #visit(event: number, relation: Relation, closure: Relation | null): boolean {
    const { stride, bits } = relation;
    const active = this.#active;
    const done = this.#done;
    const row = event * stride;
    active[event >>> 5] |= 1 << (event & 31);
    for (let w = 0; w < stride; w++) if ((bits[row + w] & active[w]) !== 0) return false;
    const reached = closure?.bits;
    if (reached !== undefined) for (let w = 0; w < stride; w++) reached[row + w] = bits[row + w];
    for (let w = 0; w < stride; w++) {
      // Without a closure only those not seen yet matter; with one, whoever a successor reaches need not be looked at again.
      let left = reached === undefined ? bits[row + w] & ~done[w] : bits[row + w];
      while (left !== 0) {
        const low = left & -left;
        const next = (w << 5) + 31 - Math.clz32(low);
        if ((done[w] & low) === 0 && !this.#visit(next, relation, closure)) return false;
        left &= ~low;
        if (reached === undefined) left &= ~done[w];
        else {
          const from = next * stride;
          for (let v = 0; v < stride; v++) reached[row + v] |= reached[from + v];
          left &= ~reached[from + w];
        }
      }
    }
    active[event >>> 5] &= ~(1 << (event & 31));
    done[event >>> 5] |= 1 << (event & 31);
    return true;
  }
}
