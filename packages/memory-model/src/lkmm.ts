// SPDX-License-Identifier: MIT
import { CycleSearch } from './acyclic.js';
import { bySize } from './by-size.js';
import { Classes } from './classes.js';
import { atomicLoads, isAtomic, isCoherent } from './coherence.js';
import { Communication } from './communication.js';
import { Dependencies } from './dependencies.js';
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
const share = bySize<Shared>((size) => ({
  talk: new Communication(size),
  space: new Workspace(size),
  propagation: new Propagation(size),
  search: new CycleSearch(size),
}));

class LkmmChecker implements Checker {
  readonly #skeleton: Skeleton;
  readonly #classes: Classes;
  readonly #wanted: ReadonlySet<string>;
  readonly #shared: Shared;
  readonly #atomic: Int32Array;
  readonly #locks: Locks;
  readonly #order: StaticOrder;
  readonly #before: HappensBefore;
  readonly #periods: GracePeriods | null;
  readonly #linkSteps: readonly ReachStep[];
  readonly #plain: PlainAccesses | null;

  constructor(skeleton: Skeleton, axioms: readonly string[]) {
    this.#skeleton = skeleton;
    this.#wanted = new Set(axioms);
    const classes = new Classes(skeleton.events);
    this.#classes = classes;
    this.#shared = share(classes.size);
    const { space, propagation } = this.#shared;
    this.#atomic = atomicLoads(classes);
    this.#locks = new Locks(classes);
    const dependencies = new Dependencies(classes, skeleton);
    this.#order = new StaticOrder(classes, dependencies);
    this.#before = new HappensBefore(classes, dependencies, this.#order, space);
    this.#periods = GracePeriods.of(classes, skeleton);
    // rcu-link = po? ; hb* ; pb* ; prop ; po
    this.#linkSteps = [
      { relation: space.hbPlus, reflexive: true },
      { relation: propagation.pbPlus, reflexive: true },
      { relation: space.prop, reflexive: false },
    ];
    this.#plain = PlainAccesses.of(classes, this.#order);
  }

  broken(witness: Witness): string | null {
    const wanted = this.#wanted;
    const { talk, space, search, propagation } = this.#shared;
    const { deadlock } = this.#locks;
    if (deadlock !== null && wanted.has(deadlock.axiom)) return deadlock.axiom;
    if (this.#locks.any && wanted.has('lock-values') && this.#locks.misread(witness) !== -1) return 'lock-values';
    talk.derive(this.#classes, witness);
    if (wanted.has('coherence') && !isCoherent(this.#classes.poLoc, talk, space.hb, search)) return 'coherence';
    if (wanted.has('atomic') && !isAtomic(this.#atomic, this.#classes, talk, witness)) return 'atomic';

    const plain = wanted.has('plain-coherence') ? this.#plain : null;
    const rcu = wanted.has('rcu') && this.#periods?.concerned ? this.#periods : null;
    const more = rcu !== null || plain !== null;
    const strong = this.#order.anyStrong && (more || wanted.has('propagation'));
    if (!(wanted.has('happens-before') || strong || more)) return null;
    this.#before.derive(talk, witness);
    if (!this.#before.holds(search, strong || more) && wanted.has('happens-before')) return 'happens-before';
    if (strong) propagation.derive(this.#before, this.#classes.marked);
    else propagation.deriveNone();
    if (strong && !propagation.holds(search, more) && wanted.has('propagation')) return 'propagation';
    if (rcu !== null && this.#returns(rcu, talk, true)) return 'rcu';
    if (plain === null) return null;
    if (rcu === null && this.#periods !== null) this.#returns(this.#periods, talk, false);
    plain.derive(talk, this.#before, propagation, this.#periods);
    return plain.incoherent(talk, witness) === null ? null : 'plain-coherence';
  }

  #returns(periods: GracePeriods, talk: Communication, stopping: boolean): boolean {
    periods.deriveLinks(this.#linkSteps);
    return periods.deriveOrder(talk, stopping);
  }

  flags(witness: Witness): readonly string[] {
    const { talk } = this.#shared;
    const race = this.race(witness) !== null;
    talk.derive(this.#classes, witness);
    const flags = bellFlags(this.#classes, this.#skeleton, talk);
    if (this.#locks.any || this.#classes.hasTag('srcu-lock')) flags.push(...lockFlags(this.#classes, this.#locks));
    if (mixesAccesses(this.#classes)) flags.push('mixed-accesses');
    if (race) flags.push('data-race');
    return flags;
  }

  race(witness: Witness): readonly [number, number] | null {
    const plain = this.#plain;
    if (plain === null) return null;
    const { talk, search, propagation } = this.#shared;
    talk.derive(this.#classes, witness);
    this.#before.derive(talk, witness);
    this.#before.holds(search, true);
    if (this.#order.anyStrong) {
      propagation.derive(this.#before, this.#classes.marked);
      propagation.holds(search, true);
    } else propagation.deriveNone();
    if (this.#periods !== null) this.#returns(this.#periods, talk, false);
    plain.derive(talk, this.#before, propagation, this.#periods);
    return plain.race(talk, witness);
  }
}
