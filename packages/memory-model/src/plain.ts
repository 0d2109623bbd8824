// SPDX-License-Identifier: MIT
import { type Classes, isPlain } from './classes.js';
import type { Communication } from './communication.js';
import { INITIAL } from './event.js';
import { addAcquires, addRmb, addWmb } from './fences.js';
import type { GracePeriods } from './grace-periods.js';
import type { HappensBefore } from './happens-before.js';
import type { Witness } from './model.js';
import type { Propagation } from './propagation.js';
import { addImage, addToSet, type EventSet, inSet, nextMember, Relation, RelationPool } from './relation.js';
import type { StaticOrder } from './static-order.js';

/**
 * "Plain accesses and data races": what bounds the time during which the compiler may have a plain access happen. (explanation.txt: "Plain accesses
 * and data races".)
 */
export class PlainAccesses {
  readonly #classes: Classes;
  /** Accesses of which one of another thread is plain, or which are plain themselves, to the same location. */
  readonly #concerned: EventSet;
  /** `[R4rmb] ; fencerel(Rmb) ; [~Noreturn]` and `[~Noreturn] ; fencerel(Rmb) ; [R4rmb]`. */
  readonly #rmbBefore: Relation;
  readonly #rmbAfter: Relation;
  /** nonrw-fence and fence of the program alone. */
  readonly #staticNonrw: Relation;
  readonly #staticFence: Relation;
  readonly #strong: Relation;
  readonly #nonrw: Relation;
  readonly #fence: Relation;
  readonly #rcuFence: Relation;
  /** `(hb | pb | rb)+`. */
  readonly #xb: Relation;
  readonly #rb: Relation;
  /** `strong-fence ; [Marked] ; xbstar`. */
  readonly #fencedXb: Relation;
  /** What `vis` ends with: the former, or `xbstar & int`. */
  readonly #visEnd: Relation;
  readonly #wPre: Relation;
  readonly #rPre: Relation;
  readonly #wwVis: Relation;
  readonly #wrVis: Relation;
  readonly #rwXbstar: Relation;
  readonly #row: [EventSet, EventSet];

  /** Null when no plain access can race. */
  static of(classes: Classes, order: StaticOrder): PlainAccesses | null {
    const events = concerned(classes);
    return events.every((word) => word === 0) ? null : new PlainAccesses(classes, order, events);
  }

  private constructor(classes: Classes, order: StaticOrder, events: EventSet) {
    const { stride, size } = classes;
    this.#classes = classes;
    this.#concerned = events;
    const pool = new RelationPool(size, 16);
    const relation = (): Relation => pool.take();
    this.#rmbBefore = relation();
    this.#rmbAfter = relation();
    this.#aroundRmb();
    this.#staticNonrw = relation().copy(order.cumulative);
    addAcquires(this.#staticNonrw, classes);
    this.#staticFence = relation().copy(this.#staticNonrw);
    addWmb(this.#staticFence, classes);
    addRmb(this.#staticFence, classes);
    this.#strong = relation();
    this.#nonrw = relation();
    this.#fence = relation();
    this.#rcuFence = relation();
    this.#xb = relation();
    this.#rb = relation();
    this.#fencedXb = relation();
    this.#visEnd = relation();
    this.#wPre = relation();
    this.#rPre = relation();
    this.#wwVis = relation();
    this.#wrVis = relation();
    this.#rwXbstar = relation();
    this.#row = [new Int32Array(stride), new Int32Array(stride)];
  }

  #aroundRmb(): void {
    const classes = this.#classes;
    if (!classes.hasTag('rmb')) return;
    const { size, stride, executed, noreturn, rmbReads, po } = classes;
    const next = classes.next(({ tag }) => tag === 'rmb');
    for (let i = 0; i < size; i++) {
      if (next[i] === -1) continue;
      for (let w = 0; w < stride; w++) {
        const after = po.bits[next[i] * stride + w] & executed[w];
        if (inSet(rmbReads, i)) this.#rmbBefore.bits[i * stride + w] = after & ~noreturn[w];
        if (!inSet(noreturn, i)) this.#rmbAfter.bits[i * stride + w] = after & rmbReads[w];
      }
    }
  }

  /** Executes-before and visibility, of the execution that the others were derived for last; `periods` is null when there are none. */
  derive(talk: Communication, before: HappensBefore, propagation: Propagation, periods: GracePeriods | null): void {
    this.#fences(before, periods);
    this.#executesBefore(before, propagation);
    this.#bounds(before);
    const { size, stride } = this.#classes;
    for (const relation of [this.#wwVis, this.#wrVis, this.#rwXbstar]) relation.clear();
    for (let i = 0, row = 0; i < size; i++, row += stride)
      if (inSet(this.#concerned, i)) this.#visibility(i, row, talk, before);
  }

  /** strong-fence and fence with rcu-fence; nonrw-fence is as before. */
  #fences({ strong }: HappensBefore, periods: GracePeriods | null): void {
    this.#rcuFence.clear();
    periods?.addFences(this.#rcuFence);
    this.#nonrw.copy(this.#staticNonrw).union(strong);
    this.#strong.copy(strong).union(this.#rcuFence);
    this.#fence.copy(this.#staticFence).union(this.#strong);
  }

  /** rb = prop ; rcu-fence ; hb* ; pb* ; [Marked], and xbstar = (hb | pb | rb)*. */
  #executesBefore({ space }: HappensBefore, { pb, pbPlus }: Propagation): void {
    const { prop, hb, hbPlus } = space;
    const { size, stride, marked } = this.#classes;
    const rb = this.#rb.clear().addComposition(prop, this.#rcuFence);
    const [hbStar, pbStar] = this.#row;
    for (let row = 0; row < size * stride; row += stride) {
      for (let w = 0; w < stride; w++) hbStar[w] = rb.bits[row + w];
      addImage(hbStar, 0, rb.bits, row, hbPlus);
      pbStar.set(hbStar);
      addImage(pbStar, 0, hbStar, 0, pbPlus);
      for (let w = 0; w < stride; w++) rb.bits[row + w] = pbStar[w] & marked[w];
    }
    this.#xb.copy(hb).union(pb).union(rb).close();
  }

  #bounds({ dependencies }: HappensBefore): void {
    const { size, stride, marked, internal } = this.#classes;
    const { addr } = dependencies;
    const xb = this.#xb.bits;
    const target = this.#row[0];
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      const keep = inSet(marked, i) ? -1 : 0;
      const own = i >>> 5;
      for (let w = 0; w < stride; w++) {
        const self = w === own ? 1 << (i & 31) : 0;
        this.#wPre.bits[row + w] = keep & (self | addr.bits[row + w] | this.#fence.bits[row + w]);
        this.#rPre.bits[row + w] =
          keep & (self | addr.bits[row + w] | this.#nonrw.bits[row + w] | this.#rmbBefore.bits[row + w]);
        this.#fencedXb.bits[row + w] = target[w] = this.#strong.bits[row + w] & marked[w];
      }
      addImage(this.#fencedXb.bits, row, target, 0, this.#xb);
      for (let w = 0; w < stride; w++) {
        const self = w === own ? 1 << (i & 31) : 0;
        this.#visEnd.bits[row + w] =
          keep & (this.#fencedXb.bits[row + w] | ((self | xb[row + w]) & internal.bits[row + w]));
      }
    }
  }

  /**
   * ww-vis, wr-vis = fence | (strong-fence ; xbstar ; pre-bounded) | (w-post-bounded ; vis ; pre-bounded) and
   * rw-xbstar = fence | (r-post-bounded ; xbstar ; w-pre-bounded), from one event.
   */
  #visibility(i: number, row: number, { rf }: Communication, { space }: HappensBefore): void {
    const { stride, marked, events } = this.#classes;
    const [bounded, reached] = this.#row;
    const fence = this.#fence.bits;
    for (let w = 0; w < stride; w++) bounded[w] = fence[row + w] & marked[w];
    if (inSet(marked, i)) addToSet(bounded, i);
    followReadModifyWrites(bounded, events, rf);
    // vis = cumul-fence* ; rfe? ; [Marked] ; ...; its first half, from a marked event, is prop's second.
    reached.fill(0);
    addImage(reached, 0, bounded, 0, space.propTail);
    for (let w = 0; w < stride; w++) bounded[w] = this.#fencedXb.bits[row + w];
    addImage(bounded, 0, reached, 0, this.#visEnd);
    addImage(this.#wwVis.bits, row, bounded, 0, this.#wPre);
    addImage(this.#wrVis.bits, row, bounded, 0, this.#rPre);

    for (let w = 0; w < stride; w++)
      bounded[w] = (this.#nonrw.bits[row + w] | this.#rmbAfter.bits[row + w]) & marked[w];
    if (inSet(marked, i)) addToSet(bounded, i);
    reached.set(bounded);
    addImage(reached, 0, bounded, 0, this.#xb);
    addImage(this.#rwXbstar.bits, row, reached, 0, this.#wPre);
    for (let w = 0; w < stride; w++) {
      this.#wwVis.bits[row + w] |= fence[row + w];
      this.#wrVis.bits[row + w] |= fence[row + w];
      this.#rwXbstar.bits[row + w] |= fence[row + w];
    }
  }

  /** pre-race = ext & ((Plain * M) | ((M \ IW) * Plain)), of a pair that conflicts. */
  #preRace(from: number, to: number): boolean {
    const { events, internal } = this.#classes;
    return (isPlain(events[from]) || isPlain(events[to])) && !internal.has(from, to);
  }

  /** The first pair of `relation` that may race and `holds`, or null. */
  #find(relation: Relation, stores: boolean, holds: (from: number, to: number) => boolean): [number, number] | null {
    const { size, stride, writes, reads } = this.#classes;
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      if (!inSet(this.#concerned, i) || !inSet(stores ? writes : reads, i)) continue;
      for (
        let j = nextMember(relation.bits, row, stride, 0);
        j !== -1;
        j = nextMember(relation.bits, row, stride, j + 1)
      )
        if (this.#preRace(i, j) && holds(i, j)) return [i, j];
    }
    return null;
  }

  /** A pair that breaks `empty (wr-incoh | rw-incoh | ww-incoh) as plain-coherence`, or null. */
  incoherent({ rf, fr }: Communication, { co }: Witness): [number, number] | null {
    return (
      this.#find(rf, true, (store, load) => this.#rwXbstar.has(load, store)) ??
      this.#find(fr, false, (load, store) => this.#wrVis.has(store, load)) ??
      this.#find(co, true, (first, second) => this.#wwVis.has(second, first))
    );
  }

  /** A pair of accesses that race, or null. */
  race({ rf, fr }: Communication, { co }: Witness): [number, number] | null {
    const { events } = this.#classes;
    const coRf = new Relation(co.size).copy(rf).addComposition(co, rf);
    return (
      this.#find(co, true, (first, second) => {
        const nonrace =
          this.#wwVis.has(first, second) &&
          (!isPlain(events[first]) || this.#rwXbstar.has(first, second)) &&
          (!isPlain(events[second]) || this.#wrVis.has(first, second));
        return !nonrace;
      }) ??
      this.#find(coRf, true, (store, load) => !this.#wrVis.has(store, load) && !this.#rwXbstar.has(load, store)) ??
      this.#find(fr, false, (load, store) => !this.#rwXbstar.has(load, store))
    );
  }
}

/** Adds `rmw-sequence` after the stores of a set. */
function followReadModifyWrites(set: EventSet, events: Classes['events'], rf: Relation): void {
  const { stride } = rf;
  for (let store = nextMember(set, 0, stride, 0); store !== -1; store = nextMember(set, 0, stride, store + 1)) {
    for (let current = store, next = current; next !== -1; current = next) {
      next = -1;
      const row = current * stride;
      for (
        let load = nextMember(rf.bits, row, stride, 0);
        load !== -1;
        load = nextMember(rf.bits, row, stride, load + 1)
      ) {
        const { partner } = events[load];
        if (partner === -1 || inSet(set, partner)) continue;
        addToSet(set, partner);
        next = partner;
      }
    }
  }
}

function concerned({ events, size, stride }: Classes): EventSet {
  const set: EventSet = new Int32Array(stride);
  for (let i = 0; i < size; i++) {
    if (!isPlain(events[i])) continue;
    for (let j = 0; j < size; j++) {
      const { type, location, thread } = events[j];
      if (type === 'F' || thread === INITIAL || thread === events[i].thread) continue;
      if (location !== events[i].location && location !== -1 && events[i].location !== -1) continue;
      if (type === 'R' && events[i].type === 'R') continue;
      addToSet(set, i);
      addToSet(set, j);
    }
  }
  return set;
}
