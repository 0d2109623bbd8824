// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import { addDependencyOrder, type Dependencies } from './dependencies.js';
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
import { type EventSet, inSet, type Relation } from './relation.js';

/** The part of LKMM's orderings that the program fixes: fences of the thread itself, dependencies, unlock-lock pairs of one thread. */
export class StaticOrder {
  /** `strong-fence = mb | gp`. */
  readonly strong: Relation;
  readonly anyStrong: boolean;
  /** `strong-fence | po-rel`, which are A-cumulative. */
  readonly cumulative: Relation;
  /** `[Marked] ; (strong-fence | po-rel | wmb | po-unlock-lock-po) ; [Marked]`. */
  readonly cumulFence: Relation;
  /** `[Marked] ; ppo ; [Marked]` but for what depends on who reads from whom. */
  readonly ppo: Relation;
  /** From each LKR to what an smp_mb__after_unlock_lock() after it fences; null without that fence. */
  readonly afterUnlockLock: Relation | null;
  /** Loads of locks that can be taken over from an unlock. */
  readonly lockLoads: readonly number[];

  constructor(classes: Classes, dependencies: Dependencies) {
    const { size, marked, pool } = classes;
    this.strong = pool.take();
    addStrongFences(this.strong, classes);
    this.afterUnlockLock = classes.hasTag('after-unlock-lock') ? afterUnlockLockFences(classes) : null;
    this.anyStrong = this.afterUnlockLock !== null || !this.strong.isEmpty();
    this.cumulative = pool.take().copy(this.strong);
    addReleases(this.cumulative, classes);

    this.ppo = pool.take().copy(this.cumulative);
    addAcquires(this.ppo, classes);
    addRmb(this.ppo, classes);
    this.cumulFence = pool.take().copy(this.cumulative);
    addUnlockLock(this.cumulFence, classes);
    addWmb(this.cumulFence, classes);
    this.ppo.union(this.cumulFence);
    if (dependencies.any) addDependencyOrder(this.ppo, dependencies, classes);
    restrict(this.cumulFence, marked, marked);
    restrict(this.ppo, marked, marked);
    const loads: number[] = [];
    if (classes.hasType('UL')) for (let i = 0; i < size; i++) if (classes.events[i].type === 'LKR') loads.push(i);
    this.lockLoads = loads;
  }
}

/** `mb | gp` within a thread. */
export function addStrongFences(into: Relation, classes: Classes): void {
  addSmpMb(into, classes);
  addSmpMbBeside(into, classes);
  addAfterUnlockLock(into, classes);
  addGracePeriods(into, classes);
}

/** `[from] ; relation ; [to]`, in place. */
export function restrict(relation: Relation, from: EventSet, to: EventSet): void {
  const { size, stride, bits } = relation;
  for (let i = 0, row = 0; i < size; i++, row += stride) {
    const keep = inSet(from, i) ? -1 : 0;
    for (let w = 0; w < stride; w++) bits[row + w] &= keep & to[w];
  }
}
