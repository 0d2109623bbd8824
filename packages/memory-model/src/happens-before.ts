// SPDX-License-Identifier: MIT
import type { CycleSearch } from './acyclic.js';
import type { Classes } from './classes.js';
import type { Communication } from './communication.js';
import { addDependencyOrder, addForwarded, type Dependencies } from './dependencies.js';
import type { Witness } from './model.js';
import { addImage, inSet, isEmptyRow, nextMember, Relation } from './relation.js';
import { restrict, type StaticOrder } from './static-order.js';

/** What is built anew for each execution; shared between checkers of the same size, since one check ends before the next begins. */
export class Workspace {
  readonly ppo: Relation;
  /** `strong-fence` where it depends on the execution. */
  readonly strong: Relation;
  readonly cumulative: Relation;
  /** `cumul-fence`; then `cumul-fence+`. */
  readonly cumulFence: Relation;
  /** `cumul-fence* ; [Marked] ; rfe? ; [Marked]`. */
  readonly propTail: Relation;
  readonly prop: Relation;
  readonly hb: Relation;
  /** `hb+`. */
  readonly hbPlus: Relation;

  constructor(size: number) {
    this.ppo = new Relation(size);
    this.strong = new Relation(size);
    this.cumulative = new Relation(size);
    this.cumulFence = new Relation(size);
    this.propTail = new Relation(size);
    this.prop = new Relation(size);
    this.hb = new Relation(size);
    this.hbPlus = new Relation(size);
  }
}

/**
 * "Instruction execution ordering": preserved program order, propagation, happens-before. (explanation.txt: "The preserved program order relation",
 * "Propagation order relation: cumul-fence", "The happens-before relation: hb".)
 */
export class HappensBefore {
  readonly #classes: Classes;
  readonly #order: StaticOrder;
  readonly dependencies: Dependencies;
  readonly space: Workspace;
  /** `strong-fence`, of the execution that was derived last. */
  strong: Relation;

  constructor(classes: Classes, dependencies: Dependencies, order: StaticOrder, space: Workspace) {
    this.#classes = classes;
    this.#order = order;
    this.dependencies = dependencies;
    this.space = space;
    this.strong = order.strong;
  }

  derive(talk: Communication, witness: Witness): void {
    this.#preserve(talk);
    this.#cumulate(talk, witness);
    this.#propagate(talk);
    this.#happen(talk);
  }

  /** `acyclic hb as happens-before`. With `closing`, `hb+` is worked out too. */
  holds(search: CycleSearch, closing: boolean): boolean {
    return search.acyclic(this.space.hb, closing ? this.space.hbPlus : null);
  }

  /** ppo = to-r | to-w | (fence & int) | (po-unlock-lock-po & int), between marked events. */
  #preserve(talk: Communication): void {
    const { size, stride, marked, internal } = this.#classes;
    const ppo = this.space.ppo.copy(this.#order.ppo);
    if (this.dependencies.any) {
      const carried = this.dependencies.derive(talk);
      if (carried) addDependencyOrder(ppo, this.dependencies, this.#classes);
      if (talk.internalReads) addForwarded(ppo, this.dependencies, this.#classes, talk);
      if (carried || talk.internalReads) restrict(ppo, marked, marked);
    }
    const { overwrite } = talk;
    for (let i = 0, row = 0; i < size; i++, row += stride)
      if (inSet(marked, i))
        for (let w = 0; w < stride; w++)
          ppo.bits[row + w] |= overwrite.bits[row + w] & internal.bits[row + w] & marked[w];
  }

  /** cumul-fence = [Marked] ; (A-cumul(strong-fence | po-rel) | wmb | po-unlock-lock-po) ; [Marked] ; rmw-sequence. */
  #cumulate(talk: Communication, witness: Witness): void {
    const { size, stride, marked } = this.#classes;
    const order = this.#order;
    const cumulFence = this.space.cumulFence.copy(order.cumulFence);
    let { cumulative } = order;
    this.strong = order.strong;
    if (order.afterUnlockLock !== null) {
      this.strong = this.space.strong.copy(order.strong);
      cumulative = this.space.cumulative.copy(order.cumulative);
    }
    this.#handOver(witness, cumulFence, cumulative);
    for (let i = 0, row = 0; i < size; i++, row += stride)
      if (inSet(marked, i) && !isEmptyRow(talk.rfe.bits, row, stride))
        for (
          let load = nextMember(talk.rfe.bits, row, stride, 0);
          load !== -1;
          load = nextMember(talk.rfe.bits, row, stride, load + 1)
        )
          if (inSet(marked, load))
            for (let w = 0; w < stride; w++) cumulFence.bits[row + w] |= cumulative.bits[load * stride + w] & marked[w];
    this.#followReadModifyWrites(talk, cumulFence);
    cumulFence.close();
  }

  /** `po ; [UL] ; rf ; [LKR] ; po` from one thread to another, and the strong fence that smp_mb__after_unlock_lock() makes of it. */
  #handOver({ rf }: Witness, cumulFence: Relation, cumulative: Relation): void {
    const { size, stride, marked, accesses, writes, internal, po } = this.#classes;
    const { afterUnlockLock, lockLoads } = this.#order;
    for (let k = 0; k < lockLoads.length; k++) {
      const load = lockLoads[k];
      const unlock = rf[load];
      if (unlock === -1 || !inSet(writes, unlock) || internal.has(unlock, load)) continue;
      for (let i = 0, row = 0; i < size; i++, row += stride) {
        if (!po.has(i, unlock)) continue;
        if (inSet(marked, i))
          for (let w = 0; w < stride; w++) cumulFence.bits[row + w] |= po.bits[load * stride + w] & marked[w];
        if (afterUnlockLock === null || !inSet(accesses, i)) continue;
        for (let w = 0; w < stride; w++) {
          const fenced = afterUnlockLock.bits[load * stride + w];
          this.strong.bits[row + w] |= fenced;
          cumulative.bits[row + w] |= fenced;
        }
      }
    }
  }

  /** `; rmw-sequence`: what is ordered before a store is so before the read-modify-writes that build on it. */
  #followReadModifyWrites({ rf }: Communication, cumulFence: Relation): void {
    const { events, size, stride } = this.#classes;
    for (let store = 0; store < size; store++) {
      const next = nextReadModifyWrite(events, rf, store, stride);
      if (next === -1) continue;
      for (let i = 0; i < size; i++) if (cumulFence.has(i, store)) addSequence(cumulFence, i, store, events, rf);
    }
  }

  /** prop = [Marked] ; (overwrite & ext)? ; cumul-fence* ; [Marked] ; rfe? ; [Marked]. */
  #propagate({ rfe, overwriteExternal }: Communication): void {
    const { size, stride, marked } = this.#classes;
    const { cumulFence, propTail, prop } = this.space;
    propTail.clear();
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      if (!inSet(marked, i)) continue;
      addImage(propTail.bits, row, cumulFence.bits, row, rfe);
      for (let w = 0; w < stride; w++)
        propTail.bits[row + w] = (propTail.bits[row + w] | rfe.bits[row + w] | cumulFence.bits[row + w]) & marked[w];
      propTail.add(i, i);
    }
    prop.copy(propTail);
    for (let i = 0, row = 0; i < size; i++, row += stride)
      if (inSet(marked, i)) addImage(prop.bits, row, overwriteExternal.bits, row, propTail);
  }

  /** hb = [Marked] ; (ppo | rfe | ((prop \ id) & int)) ; [Marked]. */
  #happen({ rfe }: Communication): void {
    const { size, stride, marked, internal } = this.#classes;
    const { ppo, prop, hb } = this.space;
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      const keep = inSet(marked, i) ? -1 : 0;
      const own = i >>> 5;
      for (let w = 0; w < stride; w++) {
        const inside = prop.bits[row + w] & internal.bits[row + w] & (w === own ? ~(1 << (i & 31)) : -1);
        hb.bits[row + w] = keep & (ppo.bits[row + w] | (rfe.bits[row + w] & marked[w]) | inside);
      }
    }
  }
}

/** The store of a read-modify-write that reads `store`, or -1. (There is at most one where atomicity holds; two are two steps of the search.) */
function nextReadModifyWrite(events: Classes['events'], rf: Relation, store: number, stride: number): number {
  const row = store * stride;
  for (let load = nextMember(rf.bits, row, stride, 0); load !== -1; load = nextMember(rf.bits, row, stride, load + 1))
    if (events[load].partner !== -1) return events[load].partner;
  return -1;
}

function addSequence(cumulFence: Relation, from: number, store: number, events: Classes['events'], rf: Relation): void {
  const { stride } = rf;
  const row = store * stride;
  for (let load = nextMember(rf.bits, row, stride, 0); load !== -1; load = nextMember(rf.bits, row, stride, load + 1)) {
    const next = events[load].partner;
    if (next === -1 || cumulFence.has(from, next)) continue;
    cumulFence.add(from, next);
    addSequence(cumulFence, from, next, events, rf);
  }
}
