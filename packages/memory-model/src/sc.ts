// SPDX-License-Identifier: MIT
import { LOCK_AXIOMS } from './locks.js';
import type { Checker, MemoryModel, Skeleton } from './model.js';
import { OrderedChecker, type OrderedModel } from './ordered.js';

const AXIOMS = [...LOCK_AXIOMS, 'atomic', 'sequential-consistency', 'grace-period'] as const;

const sequentialConsistency: OrderedModel = {
  axiom: 'sequential-consistency',
  impliesCoherence: true,
  internalReads: true,
  programOrder: ({ po }) => po,
};

/**
 * Sequential consistency: `acyclic po | rf | co | fr`, atomic read-modify-writes, and the grace-period guarantee. Plain accesses are as any other; races
 * are LKMM's to define.
 */
export const sc: MemoryModel = {
  name: 'sc',
  axioms: AXIOMS,
  instantiate: (skeleton: Skeleton, axioms: readonly string[] = AXIOMS): Checker =>
    new OrderedChecker(sequentialConsistency, skeleton, axioms),
};
