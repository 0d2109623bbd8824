// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import type { Communication } from './communication.js';
import type { Skeleton } from './model.js';
import { rcuSections, type Section, srcuSections } from './rcu-sections.js';
import { addImage, type EventSet, Relation } from './relation.js';

/**
 * The grace-period guarantee, for any model: a sequence of grace periods and read-side critical sections, joined by `rcu-link`, orders like a fence
 * as long as it has at least as many grace periods as critical sections; such an order may not come back to where it began. (explanation.txt: "RCU
 * relations: rcu-link, rcu-gp, rcu-rscsi, rcu-order, rcu-fence, and rb".)
 *
 * Everything here is over the RCU events alone, the *marks*: rcu-order starts and ends at marks, and so does every rcu-link that joins two. Of nested
 * sections of RCU the outermost says all.
 */
export class GracePeriods {
  readonly #classes: Classes;
  readonly #skeleton: Skeleton;
  /** Events: grace periods, locks and unlocks. */
  readonly marks: readonly number[];
  readonly #markOf: ReadonlyMap<number, number>;
  /** Marks that are grace periods. */
  readonly periods: readonly number[];
  readonly #rcu: readonly Section[];
  /** Grace period and section (marks) that concern each other: of RCU, or of the same srcu_struct. */
  pairs: { readonly period: number; readonly lock: number; readonly unlock: number }[] = [];
  readonly #dynamic: boolean;
  /** Between marks. */
  readonly link: Relation;
  readonly order: Relation;
  readonly #linked: Relation;
  readonly #around: Relation;
  readonly #reach: [EventSet, EventSet];

  /** Null when there is no grace period: without one there is no rcu-order. */
  static of(classes: Classes, skeleton: Skeleton): GracePeriods | null {
    return classes.hasTag('sync-rcu') || classes.hasTag('sync-srcu') ? new GracePeriods(classes, skeleton) : null;
  }

  private constructor(classes: Classes, skeleton: Skeleton) {
    const { events, stride } = classes;
    this.#classes = classes;
    this.#skeleton = skeleton;
    this.#rcu = classes.hasTag('rcu-lock') ? rcuSections(classes).outermost : [];
    const periods: number[] = [];
    const marks = new Set<number>();
    for (let i = 0; i < events.length; i++) {
      const { tag } = events[i];
      if (tag === 'sync-rcu' || tag === 'sync-srcu') periods.push(i);
      if (tag === 'sync-rcu' || tag === 'sync-srcu' || tag === 'srcu-lock' || tag === 'srcu-unlock') marks.add(i);
    }
    for (const { lock, unlock } of this.#rcu) marks.add(lock).add(unlock);
    this.marks = [...marks].sort((a, b) => a - b);
    this.#markOf = new Map(this.marks.map((event, mark) => [event, mark]));
    this.periods = periods.map((event) => this.#mark(event));
    this.#dynamic = classes.hasTag('sync-srcu') && classes.hasTag('srcu-lock') && classes.hasTag('srcu-unlock');
    this.#pair(this.#rcu, 'sync-rcu');
    const size = this.marks.length;
    this.link = new Relation(size);
    this.order = new Relation(size);
    this.#linked = new Relation(size);
    this.#around = new Relation(size);
    this.#reach = [new Int32Array(stride), new Int32Array(stride)];
  }

  #mark(event: number): number {
    return this.#markOf.get(event) ?? -1;
  }

  #pair(sections: readonly Section[], sync: 'sync-rcu' | 'sync-srcu'): void {
    const { events } = this.#classes;
    for (const period of this.periods) {
      const { tag, location } = events[this.marks[period]];
      if (tag !== sync) continue;
      for (const { lock, unlock } of sections)
        if (sync === 'sync-rcu' || events[lock].location === location)
          this.pairs.push({ period, lock: this.#mark(lock), unlock: this.#mark(unlock) });
    }
  }

  /** Whether a grace period and a critical section can meet: without that rcu-order is what strong fences give anyway. */
  get concerned(): boolean {
    return this.#dynamic || this.pairs.length > 0;
  }

  /**
   * `rcu-link = po? ; steps ; po` between marks, where each step adds to the set of events reached so far those that one more relation reaches
   * (`hb*`, `pb*`, `prop` in LKMM).
   */
  deriveLinks(steps: readonly ReachStep[]): void {
    const { po, stride } = this.#classes;
    this.link.clear();
    const { marks } = this;
    for (let mark = 0; mark < marks.length; mark++) {
      let [reached, next] = this.#reach;
      const start = marks[mark];
      for (let w = 0; w < stride; w++) reached[w] = po.bits[start * stride + w];
      reached[start >>> 5] |= 1 << (start & 31);
      for (const { relation, reflexive } of steps) {
        if (reflexive) next.set(reached);
        else next.fill(0);
        addImage(next, 0, reached, 0, relation);
        [reached, next] = [next, reached];
      }
      next.fill(0);
      addImage(next, 0, reached, 0, po);
      for (let to = 0; to < marks.length; to++)
        if (((next[marks[to] >>> 5] >>> (marks[to] & 31)) & 1) === 1) this.link.add(mark, to);
    }
  }

  /** `rcu-order`, the least fixpoint; stops as soon as it comes back to where it began, and says so. */
  deriveOrder({ rf }: Communication, stopping: boolean): boolean {
    if (this.#dynamic) {
      this.pairs = [];
      this.#pair(this.#rcu, 'sync-rcu');
      this.#pair(srcuSections(this.#classes, this.#skeleton, rf), 'sync-srcu');
    }
    const { link, order } = this;
    order.clear();
    for (const period of this.periods) order.add(period, period);
    for (const { period, lock, unlock } of this.pairs) {
      if (link.has(period, unlock)) order.add(period, lock);
      if (link.has(lock, period)) order.add(unlock, period);
    }
    let returns = this.#returns();
    while (!(returns && stopping) && this.#grow()) returns = this.#returns();
    return returns;
  }

  /** One round of the fixpoint; whether anything was new. */
  #grow(): boolean {
    const { link, order } = this;
    const linked = this.#linked.clear().addComposition(order, link);
    const around = this.#around.clear().addComposition(link, linked);
    let grown = false;
    const add = (from: number, to: number): void => {
      if (order.has(from, to)) return;
      order.add(from, to);
      grown = true;
    };
    for (const { period, lock, unlock } of this.pairs) {
      if (around.has(period, unlock)) add(period, lock);
      if (around.has(lock, period)) add(unlock, period);
    }
    around.copy(order).addComposition(linked, order);
    for (let i = 0; i < order.bits.length; i++) {
      if (order.bits[i] !== around.bits[i]) grown = true;
      order.bits[i] |= around.bits[i];
    }
    return grown;
  }

  /** `rb` is reflexive somewhere: some rcu-order, and an rcu-link back. */
  #returns(): boolean {
    const { link, order } = this;
    for (let i = 0; i < order.size; i++)
      for (let j = 0; j < order.size; j++) if (order.has(i, j) && link.has(j, i)) return true;
    return false;
  }

  /** `rcu-fence = po ; rcu-order ; po?`. */
  addFences(into: Relation): void {
    const { po, size, stride } = this.#classes;
    for (const [from, to] of this.order.pairs()) {
      const start = this.marks[from];
      const end = this.marks[to];
      for (let i = 0, row = 0; i < size; i++, row += stride) {
        if (!po.has(i, start)) continue;
        for (let w = 0; w < stride; w++) into.bits[row + w] |= po.bits[end * stride + w];
        into.add(i, end);
      }
    }
  }
}

/** A relation to follow; with `reflexive`, or to stay. */
export interface ReachStep {
  readonly relation: Relation;
  readonly reflexive: boolean;
}
