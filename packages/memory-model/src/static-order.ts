// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import { addDependencyOrder } from './dependencies.js';
import {
  addAcquires,
  addAfterUnlockLock,
  addGracePeriods,
  addReleases,
  addRmb,
  addSmpMb,
  addSmpMbBeside,
  addUnlockLock,
  addWmb,
  afterUnlockLockFences,
} from './fences.js';
import type { Skeleton } from './model.js';
import { addToSet, type EventSet, inSet, Relation } from './relation.js';

/** The part of LKMM's orderings that the program fixes: fences of the thread itself, dependencies, unlock-lock pairs of one thread. */
export class StaticOrder {
  readonly wmb: Relation;
  /** `strong-fence = mb | gp`. */
  readonly strong: Relation;
  readonly anyStrong: boolean;
  /** `nonrw-fence = strong-fence | po-rel | acq-po`. */
  readonly nonrw: Relation;
  /** `fence = nonrw-fence | wmb | rmb`. */
  readonly fence: Relation;
  /** `strong-fence | po-rel`, which are A-cumulative. */
  readonly cumulative: Relation;
  /** `[Marked] ; (strong-fence | po-rel | wmb | po-unlock-lock-po) ; [Marked]`. */
  readonly cumulFence: Relation;
  /** `[Marked] ; ppo ; [Marked]` but for what depends on who reads from whom. */
  readonly ppo: Relation;
  /** From each LKR to what an smp_mb__after_unlock_lock() after it fences; null without that fence. */
  readonly afterUnlockLock: Relation | null;
  /** Loads of locks that are taken over from an unlock. */
  readonly lockLoads: Int32Array;

  constructor(classes: Classes, skeleton: Skeleton) {
    const { size, marked } = classes;
    this.wmb = new Relation(size);
    addWmb(this.wmb, classes);
    this.strong = new Relation(size);
    addSmpMb(this.strong, classes);
    addSmpMbBeside(this.strong, classes);
    addAfterUnlockLock(this.strong, classes);
    addGracePeriods(this.strong, classes);
    this.afterUnlockLock = classes.hasTag('after-unlock-lock') ? afterUnlockLockFences(classes) : null;
    this.anyStrong = this.afterUnlockLock !== null || !this.strong.isEmpty();
    this.cumulative = new Relation(size).copy(this.strong);
    addReleases(this.cumulative, classes);
    this.nonrw = new Relation(size).copy(this.cumulative);
    addAcquires(this.nonrw, classes);
    this.fence = new Relation(size).copy(this.nonrw).union(this.wmb);
    addRmb(this.fence, classes);
    this.cumulFence = new Relation(size).copy(this.cumulative).union(this.wmb);
    addUnlockLock(this.cumulFence, classes);
    this.ppo = new Relation(size).copy(this.fence);
    addUnlockLock(this.ppo, classes);
    addDependencyOrder(this.ppo, skeleton, classes, this.wmb);
    restrict(this.cumulFence, marked, marked);
    restrict(this.ppo, marked, marked);
    const loads: number[] = [];
    if (classes.hasType('UL')) for (let i = 0; i < size; i++) if (classes.events[i].type === 'LKR') loads.push(i);
    this.lockLoads = Int32Array.from(loads);
  }
}

/** `[from] ; relation ; [to]`, in place. */
export function restrict(relation: Relation, from: EventSet, to: EventSet): void {
  const { size, stride, bits } = relation;
  for (let i = 0, row = 0; i < size; i++, row += stride) {
    const keep = inSet(from, i) ? -1 : 0;
    for (let w = 0; w < stride; w++) bits[row + w] &= keep & to[w];
  }
}

/** The events that `relation` relates to something. */
export function domain(relation: Relation): EventSet {
  const { size, stride, bits } = relation;
  const set: EventSet = new Int32Array(stride);
  for (let i = 0; i < size; i++)
    for (let w = 0; w < stride; w++)
      if (bits[i * stride + w] !== 0) {
        addToSet(set, i);
        break;
      }
  return set;
}
