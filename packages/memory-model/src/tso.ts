// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import { LOCK_AXIOMS } from './locks.js';
import type { Checker, MemoryModel, Skeleton } from './model.js';
import { OrderedChecker, type OrderedModel } from './ordered.js';
import { inSet, type Relation } from './relation.js';
import { addStrongFences } from './static-order.js';

const AXIOMS = [...LOCK_AXIOMS, 'coherence', 'atomic', 'total-store-order', 'grace-period'] as const;

/**
 * What x86 keeps of program order: all but a store before a load, and that too where a full fence or a locked instruction is between them or is one of
 * them. Every read-modify-write is locked, whatever its annotation, also a cmpxchg that failed; so is the acquisition of a spinlock. Releasing one is
 * a plain store, and a trylock that fails or spin_is_locked() a plain load. smp_rmb(), smp_wmb(), acquire and release order nothing beyond that.
 */
export function tsoProgramOrder(classes: Classes): Relation {
  const { size, stride, events, po, reads, writes, accesses, rmw, pool } = classes;
  const order = pool.take();
  addStrongFences(order, classes);
  const locked = rmw.slice();
  events.forEach(({ type }, i) => {
    if (type === 'LKR' || type === 'LKW') locked[i >>> 5] |= 1 << (i & 31);
  });
  for (let i = 0, row = 0; i < size; i++, row += stride) {
    if (!inSet(accesses, i)) continue;
    const all = inSet(reads, i) || inSet(locked, i) ? -1 : 0;
    for (let w = 0; w < stride; w++)
      order.bits[row + w] |= po.bits[row + w] & accesses[w] & (all | writes[w] | locked[w]);
  }
  return order;
}

const totalStoreOrder: OrderedModel = {
  axiom: 'total-store-order',
  impliesCoherence: false,
  internalReads: false,
  programOrder: tsoProgramOrder,
};

/** x86: each processor has a first-in first-out store buffer that its own loads look into, and memory takes the stores of all in one order. */
export const tso: MemoryModel = {
  name: 'tso',
  axioms: AXIOMS,
  instantiate: (skeleton: Skeleton, axioms: readonly string[] = AXIOMS): Checker =>
    new OrderedChecker(totalStoreOrder, skeleton, axioms),
};
