// SPDX-License-Identifier: MIT
import { CycleSearch } from './acyclic.js';
import { Classes } from './classes.js';
import { Communication } from './communication.js';
import { Dependencies } from './dependencies.js';
import { GracePeriods } from './grace-periods.js';
import { HappensBefore, Workspace } from './happens-before.js';
import type { Skeleton, Witness } from './model.js';
import { type NamedRelations, namedRelations } from './named-relations.js';
import { Machine, type NamedEdge, shortestCycle, shortestPath } from './paths.js';
import { PlainAccesses } from './plain.js';
import { Propagation } from './propagation.js';
import { Relation } from './relation.js';
import { restrict, StaticOrder } from './static-order.js';

/** Everything that LKMM derives from one execution, kept, with names: what an explanation is drawn from. */
export class LkmmExecution {
  readonly classes: Classes;
  readonly witness: Witness;
  readonly named: NamedRelations;
  readonly talk: Communication;
  readonly before: HappensBefore;
  readonly propagation: Propagation;
  readonly periods: GracePeriods | null;
  readonly plain: PlainAccesses | null;
  readonly #size: number;

  constructor(skeleton: Skeleton, witness: Witness) {
    const classes = new Classes(skeleton.events);
    const { size } = classes;
    this.#size = size;
    this.classes = classes;
    this.witness = witness;
    this.named = namedRelations(skeleton, witness);
    this.talk = new Communication(size);
    this.talk.derive(classes, witness);
    const dependencies = new Dependencies(classes, skeleton);
    const order = new StaticOrder(classes, dependencies);
    const space = new Workspace(size);
    this.before = new HappensBefore(classes, dependencies, order, space);
    this.before.derive(this.talk, witness);
    const search = new CycleSearch(size);
    this.before.holds(search, true);
    this.propagation = new Propagation(size);
    this.propagation.derive(this.before, classes.marked);
    this.propagation.holds(search, true);
    this.periods = GracePeriods.of(classes, skeleton);
    this.periods?.deriveLinks([
      { relation: space.hbPlus, reflexive: true },
      { relation: this.propagation.pbPlus, reflexive: true },
      { relation: space.prop, reflexive: false },
    ]);
    this.periods?.deriveOrder(this.talk, false);
    this.plain = PlainAccesses.of(classes, order);
    this.plain?.derive(this.talk, this.before, this.propagation, this.periods);
  }

  /** The part of `relation` within a thread, or between threads. */
  #part(relation: Relation, internally: boolean): Relation {
    const part = new Relation(this.#size);
    const { internal } = this.classes;
    for (const [i, j] of relation.pairs()) if (internal.has(i, j) === internally) part.add(i, j);
    return part;
  }

  /** co and fr between threads. */
  get #overwrites(): ReadonlyMap<string, Relation> {
    return new Map([
      ['fre', this.#part(this.talk.fr, false)],
      ['coe', this.#part(this.named.co, false)],
    ]);
  }

  /** `hb` by what it is made of; a way round by other threads that comes back is one step, `prop`. */
  hbSteps(): ReadonlyMap<string, Relation> {
    const { named, classes, talk } = this;
    const { hb, prop } = this.before.space;
    const steps = new Map<string, Relation>();
    const left = new Relation(this.#size).copy(hb);
    const take = (name: string, of: Relation): void => {
      const step = new Relation(this.#size);
      for (const [i, j] of of.pairs())
        if (left.has(i, j)) {
          step.add(i, j);
          left.bits[i * left.stride + (j >>> 5)] &= ~(1 << (j & 31));
        }
      steps.set(name, step);
    };
    take('rfe', talk.rfe);
    for (const name of [
      'addr',
      'data',
      'ctrl',
      'mb',
      'gp',
      'po-rel',
      'acq-po',
      'wmb',
      'rmb',
      'po-unlock-lock-po',
    ] as const)
      take(name, named[name]);
    take('fri', this.#part(named.fr, true));
    take('coi', this.#part(named.co, true));
    take('prop', this.#part(prop, true));
    // What is left of ppo: (addr ; [Plain] ; wmb) and (dep ; [Marked] ; rfi).
    take('ppo', classes.po);
    return steps;
  }

  /** Adds `prop` from one state to another, (overwrite & ext)? ; cumul-fence* ; rfe?, with four states of its own from `own` on. */
  addProp(machine: Machine, from: number, to: number, own: number): Machine {
    const [before, read, fenced, reread] = [own, own + 1, own + 2, own + 3];
    const { mb, gp, wmb, rf, rmw } = this.named;
    const cumulative = this.#marked({ mb, gp, 'po-rel': this.named['po-rel'] });
    const rfe = this.#marked({ rfe: this.talk.rfe });
    return (
      machine
        .any(from, before, this.#overwrites)
        .skip(from, before)
        // cumul-fence = (A-cumul(strong-fence | po-rel) | wmb | po-unlock-lock-po) ; rmw-sequence
        .any(before, fenced, this.#marked({ wmb, 'po-unlock-lock-po': this.named['po-unlock-lock-po'] }))
        .any(before, fenced, cumulative)
        .any(before, read, rfe)
        .any(read, fenced, cumulative)
        .step(fenced, reread, 'rf', rf)
        .step(reread, fenced, 'rmw', rmw)
        .skip(fenced, before)
        .any(before, to, rfe)
        .skip(before, to)
    );
  }

  /** Each between marked events. */
  #marked(relations: Readonly<Record<string, Relation>>): ReadonlyMap<string, Relation> {
    const { marked } = this.classes;
    return new Map(
      Object.entries(relations).map(([name, relation]) => {
        const step = new Relation(this.#size).copy(relation);
        restrict(step, marked, marked);
        return [name, step];
      }),
    );
  }

  /** Replaces steps that stand for more by what they stand for. */
  expand(edges: readonly NamedEdge[]): NamedEdge[] {
    return edges.flatMap((edge) => {
      if (edge.name !== 'prop') return [edge];
      const machine = this.addProp(new Machine(), 0, 1, 2).accept(1);
      return shortestPath(machine, this.#size, edge.from, edge.to, false) ?? [edge];
    });
  }

  happensBefore(): NamedEdge[] {
    return this.expand(shortestCycle(new Machine().any(0, 0, this.hbSteps()), this.#size) ?? []);
  }

  /** Adds `pb` from one state to another, prop ; strong-fence ; hb*, with states of its own from `own` on. */
  addPb(machine: Machine, from: number, to: number, own: number): Machine {
    const [propagated, ordered] = [own + 4, own + 5];
    const { mb, gp } = this.named;
    return this.addProp(machine, from, propagated, own)
      .step(propagated, ordered, 'mb', mb)
      .step(propagated, ordered, 'gp', gp)
      .any(ordered, ordered, this.hbSteps())
      .skip(ordered, to);
  }

  propagatesBefore(): NamedEdge[] {
    return this.expand(shortestCycle(this.addPb(new Machine(), 0, 0, 1), this.#size) ?? []);
  }

  /** `rcu-link` from one event to another: po? ; hb* ; pb* ; prop ; po. */
  rcuLink(from: number, to: number): NamedEdge[] {
    const { po } = this.classes;
    const machine = new Machine().step(0, 1, 'po', po).skip(0, 1).any(1, 1, this.hbSteps()).skip(1, 2);
    this.addPb(machine, 2, 2, 10);
    this.addProp(machine, 2, 3, 20).step(3, 4, 'po', po).accept(4);
    return this.expand(shortestPath(machine, this.#size, from, to, false) ?? [{ from, to, name: 'rcu-link' }]);
  }
}
