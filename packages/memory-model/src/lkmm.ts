// SPDX-License-Identifier: MIT
import { CycleSearch } from './acyclic.js';
import { Classes } from './classes.js';
import { atomicLoads, isAtomic, isCoherent } from './coherence.js';
import { Communication } from './communication.js';
import { bellFlags, lockFlags, mixesAccesses } from './flags.js';
import { GracePeriods, type ReachStep } from './grace-periods.js';
import { HappensBefore, Workspace } from './happens-before.js';
import { LOCK_AXIOMS, Locks } from './locks.js';
import type { Checker, MemoryModel, Skeleton, Witness } from './model.js';
import { PlainAccesses } from './plain.js';
import { Propagation } from './propagation.js';
import { StaticOrder } from './static-order.js';

const AXIOMS = [
  ...LOCK_AXIOMS,
  'coherence',
  'atomic',
  'happens-before',
  'propagation',
  'rcu',
  'plain-coherence',
] as const;

/**
 * The Linux-kernel memory model: linux-kernel.bell, linux-kernel.cat and lock.cat as of Linux 6.17, one file here per family of axioms:
 *
 *   lock-nest ...    locks.ts
 *   coherence        coherence.ts       acyclic po-loc | rf | co | fr
 *   atomic           coherence.ts       empty rmw & (fre ; coe)
 *   happens-before   happens-before.ts  acyclic hb (with fences.ts, dependencies.ts)
 *   propagation      propagation.ts     acyclic pb
 *   rcu              grace-periods.ts   irreflexive rb
 *   plain-coherence  plain.ts           empty wr-incoh | rw-incoh | ww-incoh
 */
export const lkmm: MemoryModel = {
  name: 'lkmm',
  axioms: AXIOMS,
  instantiate: (skeleton: Skeleton, axioms: readonly string[] = AXIOMS): Checker => new LkmmChecker(skeleton, axioms),
};

/** What does not outlive a check is shared by all checkers of a size. */
interface Shared {
  readonly talk: Communication;
  readonly space: Workspace;
  readonly propagation: Propagation;
  readonly search: CycleSearch;
}
const shared = new Map<number, Shared>();

function share(size: number): Shared {
  let found = shared.get(size);
  if (found === undefined) {
    found = {
      talk: new Communication(size),
      space: new Workspace(size),
      propagation: new Propagation(size),
      search: new CycleSearch(size),
    };
    shared.set(size, found);
  }
  return found;
}

class LkmmChecker implements Checker {
  readonly #skeleton: Skeleton;
  readonly #classes: Classes;
  readonly #wanted: ReadonlySet<string>;
  readonly #shared: Shared;
  readonly #atomic: Int32Array;
  readonly #locks: Locks;
  readonly #order: StaticOrder;
  readonly #before: HappensBefore;
  readonly #periods: GracePeriods;
  readonly #linkSteps: readonly ReachStep[];
  readonly #plain: PlainAccesses;

  constructor(skeleton: Skeleton, axioms: readonly string[]) {
    this.#skeleton = skeleton;
    this.#wanted = new Set(axioms);
    const classes = new Classes(skeleton.events);
    this.#classes = classes;
    this.#shared = share(classes.size);
    const { space, propagation } = this.#shared;
    this.#atomic = atomicLoads(classes);
    this.#locks = new Locks(classes);
    this.#order = new StaticOrder(classes, skeleton);
    this.#before = new HappensBefore(classes, skeleton, this.#order, space);
    this.#periods = new GracePeriods(classes, skeleton);
    // rcu-link = po? ; hb* ; pb* ; prop ; po
    this.#linkSteps = [
      { relation: space.hbPlus, reflexive: true },
      { relation: propagation.pbPlus, reflexive: true },
      { relation: space.prop, reflexive: false },
    ];
    this.#plain = new PlainAccesses(classes, this.#order);
  }

  broken(witness: Witness): string | null {
    const wanted = this.#wanted;
    const { talk, space, search, propagation } = this.#shared;
    const { deadlock } = this.#locks;
    if (deadlock !== null && wanted.has(deadlock)) return deadlock;
    if (this.#locks.any && wanted.has('lock-values') && this.#locks.misread(witness) !== -1) return 'lock-values';
    talk.derive(this.#classes, witness);
    if (wanted.has('coherence') && !isCoherent(this.#classes.poLoc, talk, space.hb, search)) return 'coherence';
    if (wanted.has('atomic') && !isAtomic(this.#atomic, this.#classes, talk, witness)) return 'atomic';

    const plain = this.#plain.any && wanted.has('plain-coherence');
    const rcu = this.#periods.concerned && wanted.has('rcu');
    const strong = this.#order.anyStrong && (wanted.has('propagation') || rcu || plain);
    if (!(wanted.has('happens-before') || strong || rcu || plain)) return null;
    this.#before.derive(talk, witness);
    if (!this.#before.holds(search, strong || rcu || plain) && wanted.has('happens-before')) return 'happens-before';
    if (strong) propagation.derive(this.#before, this.#classes.marked);
    else propagation.deriveNone();
    if (strong && !propagation.holds(search, rcu || plain) && wanted.has('propagation')) return 'propagation';
    if (rcu && this.#orderReturns(talk, true)) return 'rcu';
    if (!plain) return null;
    if (!rcu && this.#periods.any) this.#orderReturns(talk, false);
    this.#plain.derive(talk, this.#before, propagation, this.#periods.any ? this.#periods : null);
    return this.#plain.incoherent(talk, witness) === null ? null : 'plain-coherence';
  }

  #orderReturns(talk: Communication, stopping: boolean): boolean {
    this.#periods.deriveLinks(this.#linkSteps);
    return this.#periods.deriveOrder(talk, stopping);
  }

  flags(witness: Witness): readonly string[] {
    const { talk } = this.#shared;
    const race = this.#plain.any && this.race(witness) !== null;
    if (!race) talk.derive(this.#classes, witness);
    const flags = bellFlags(this.#classes, this.#skeleton, talk);
    if (this.#locks.any || this.#classes.hasTag('srcu-lock')) flags.push(...lockFlags(this.#classes, this.#locks));
    if (mixesAccesses(this.#classes)) flags.push('mixed-accesses');
    if (race) flags.push('data-race');
    return flags;
  }

  race(witness: Witness): readonly [number, number] | null {
    if (!this.#plain.any) return null;
    const { talk, search, propagation } = this.#shared;
    talk.derive(this.#classes, witness);
    this.#before.derive(talk, witness);
    this.#before.holds(search, true);
    if (this.#order.anyStrong) {
      propagation.derive(this.#before, this.#classes.marked);
      propagation.holds(search, true);
    } else propagation.deriveNone();
    if (this.#periods.any) this.#orderReturns(talk, false);
    this.#plain.derive(talk, this.#before, propagation, this.#periods.any ? this.#periods : null);
    return this.#plain.race(talk, witness);
  }
}
