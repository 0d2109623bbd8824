// SPDX-License-Identifier: MIT
import { CycleSearch } from './acyclic.js';
import { bySize } from './by-size.js';
import { Classes } from './classes.js';
import { atomicLoads, isAtomic, isCoherent } from './coherence.js';
import { Communication } from './communication.js';
import { bellFlags, lockFlags } from './flags.js';
import { GracePeriods } from './grace-periods.js';
import { Locks } from './locks.js';
import type { Checker, Skeleton, Witness } from './model.js';
import { Relation } from './relation.js';

/** How a model of the kind "one order that all threads agree on" is given: what it keeps of program order, and what of reads-from. */
export interface OrderedModel {
  /** Name of the axiom that the order is acyclic. */
  readonly axiom: string;
  /** Whether that is all: else coherence is an axiom of its own. */
  readonly impliesCoherence: boolean;
  /** Whether a thread's reads from its own stores order. */
  readonly internalReads: boolean;
  programOrder(classes: Classes): Relation;
}

/** What does not outlive a check is shared by all checkers of a size. */
interface Shared {
  readonly talk: Communication;
  readonly search: CycleSearch;
  readonly order: Relation;
  readonly closure: Relation;
}
const share = bySize<Shared>((size) => ({
  talk: new Communication(size),
  search: new CycleSearch(size),
  order: new Relation(size),
  closure: new Relation(size),
}));

/**
 * SC and TSO: the order is acyclic, read-modify-writes are atomic, and grace periods keep their guarantee (`rcu-link` is a path in the order between
 * RCU events of two threads).
 */
export class OrderedChecker implements Checker {
  readonly #model: OrderedModel;
  readonly #skeleton: Skeleton;
  readonly #classes: Classes;
  readonly #wanted: ReadonlySet<string>;
  readonly #shared: Shared;
  readonly #atomic: Int32Array;
  readonly #locks: Locks;
  readonly #programOrder: Relation;
  readonly #periods: GracePeriods | null;

  constructor(model: OrderedModel, skeleton: Skeleton, axioms: readonly string[]) {
    this.#model = model;
    this.#skeleton = skeleton;
    this.#wanted = new Set(axioms);
    const classes = new Classes(skeleton.events);
    const { size } = classes;
    this.#classes = classes;
    this.#shared = share(size);
    this.#atomic = atomicLoads(classes);
    this.#locks = new Locks(classes);
    this.#programOrder = model.programOrder(classes);
    this.#periods = GracePeriods.of(classes, skeleton);
  }

  broken(witness: Witness): string | null {
    const wanted = this.#wanted;
    const { axiom, impliesCoherence, internalReads } = this.#model;
    const { deadlock } = this.#locks;
    if (deadlock !== null && wanted.has(deadlock.axiom)) return deadlock.axiom;
    if (this.#locks.any && wanted.has('lock-values') && this.#locks.misread(witness) !== -1) return 'lock-values';
    const { talk, search, order, closure } = this.#shared;
    talk.derive(this.#classes, witness);
    const coherence = !impliesCoherence && wanted.has('coherence');
    if (coherence && !isCoherent(this.#classes.poLoc, talk, order, search)) return 'coherence';
    if (wanted.has('atomic') && !isAtomic(this.#atomic, this.#classes, talk, witness)) return 'atomic';
    const periods = wanted.has('grace-period') && this.#periods?.concerned ? this.#periods : null;
    if (periods === null && !wanted.has(axiom)) return null;
    order.copy(this.#programOrder).union(talk.overwrite);
    order.union(internalReads ? talk.rf : talk.rfe);
    const acyclic = search.acyclic(order, periods === null ? null : closure);
    if (!acyclic && wanted.has(axiom)) return axiom;
    if (periods === null) return null;
    periods.deriveLinks([{ relation: closure, reflexive: true }]);
    return periods.deriveOrder(talk, true) ? 'grace-period' : null;
  }

  flags(witness: Witness): readonly string[] {
    const { talk } = this.#shared;
    talk.derive(this.#classes, witness);
    const flags = bellFlags(this.#classes, this.#skeleton, talk);
    if (this.#locks.any || this.#classes.hasTag('srcu-lock')) flags.push(...lockFlags(this.#classes, this.#locks));
    return flags;
  }

  race(): null {
    return null;
  }
}
