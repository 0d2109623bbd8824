// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import type { Communication } from './communication.js';
import { addWmb } from './fences.js';
import type { Skeleton } from './model.js';
import { addImage, type EventSet, inSet, nextMember, Relation } from './relation.js';

/**
 * Dependencies, those carried through memory too: `carry-dep = (data ; [~ Srcu-unlock] ; rfi)*` comes before each. A value that a thread stores and
 * loads again takes its dependencies along. (explanation.txt: "Dependency relations: data, address, and control".)
 */
export class Dependencies {
  readonly #skeleton: Skeleton;
  readonly #classes: Classes;
  /** Whether anything depends on anything. */
  readonly any: boolean;
  /** Of the thread's smp_wmb(); null when there is none or nothing depends on anything. */
  readonly wmb: Relation | null;
  /** Stores that carry: whose value depends on a load, and which are no srcu_read_unlock(); null when there are none. */
  readonly #carriers: EventSet | null;
  /** As of the last {@link derive}. */
  addr: Relation;
  data: Relation;
  ctrl: Relation;
  /** Made when first something is carried. */
  #carried: { addr: Relation; data: Relation; ctrl: Relation; carry: Relation } | null = null;

  constructor(classes: Classes, skeleton: Skeleton) {
    const { addr, data, ctrl } = skeleton;
    this.#skeleton = skeleton;
    this.#classes = classes;
    this.addr = addr;
    this.data = data;
    this.ctrl = ctrl;
    const data0 = data.isEmpty();
    this.any = !(data0 && addr.isEmpty() && ctrl.isEmpty());
    this.wmb = this.any && classes.hasTag('wmb') ? new Relation(classes.size) : null;
    if (this.wmb !== null) addWmb(this.wmb, classes);
    this.#carriers = data0 ? null : carriers(classes, data);
  }

  /** Works out what this execution carries; false when it carries nothing and the dependencies are the skeleton's. */
  derive({ rf, readInternally, internalReads }: Communication): boolean {
    const { addr, data, ctrl } = this.#skeleton;
    this.addr = addr;
    this.data = data;
    this.ctrl = ctrl;
    if (!internalReads || this.#carriers === null || !meet(this.#carriers, readInternally)) return false;
    const fresh = (): Relation => new Relation(this.#classes.size);
    this.#carried ??= { addr: fresh(), data: fresh(), ctrl: fresh(), carry: fresh() };
    const { carry } = this.#carried;
    this.#carryOver(this.#carriers, rf, carry.clear());
    this.addr = this.#carried.addr.copy(addr).addComposition(carry, addr);
    this.data = this.#carried.data.copy(data).addComposition(carry, data);
    this.ctrl = this.#carried.ctrl.copy(ctrl).addComposition(carry, ctrl);
    return true;
  }

  /** carry-dep without the identity. */
  #carryOver(through: EventSet, rf: Relation, carry: Relation): void {
    const { size, stride, internal } = this.#classes;
    const { bits } = this.#skeleton.data;
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      for (
        let store = nextMember(bits, row, stride, 0);
        store !== -1;
        store = nextMember(bits, row, stride, store + 1)
      ) {
        if (!inSet(through, store)) continue;
        for (let w = 0; w < stride; w++)
          carry.bits[row + w] |= rf.bits[store * stride + w] & internal.bits[store * stride + w];
      }
    }
    carry.close();
  }
}

function carriers({ events, size, stride, writes }: Classes, data: Relation): EventSet {
  const set: EventSet = new Int32Array(stride);
  for (let row = 0; row < size * stride; row += stride)
    for (let w = 0; w < stride; w++) set[w] |= data.bits[row + w] & writes[w];
  for (let i = 0; i < size; i++) if (events[i].tag === 'srcu-unlock') set[i >>> 5] &= ~(1 << (i & 31));
  return set;
}

function meet(a: EventSet, b: EventSet): boolean {
  for (let w = 0; w < a.length; w++) if ((a[w] & b[w]) !== 0) return true;
  return false;
}

/**
 * Adds what dependencies preserve of program order: `(addr ; [R]) | ((addr | data | ctrl) ; [W]) | (addr ; [Plain] ; wmb)`, that is `to-r` and
 * `to-w` but for what depends on who reads from whom.
 */
export function addDependencyOrder(
  into: Relation,
  { addr, data, ctrl, wmb }: Pick<Dependencies, 'addr' | 'data' | 'ctrl' | 'wmb'>,
  { size, stride, reads, writes, plain }: Classes,
): void {
  const plainTargets = new Int32Array(stride);
  for (let i = 0, row = 0; i < size; i++, row += stride) {
    let any = 0;
    for (let w = 0; w < stride; w++) {
      const a = addr.bits[row + w];
      into.bits[row + w] |= (a & reads[w]) | ((a | data.bits[row + w] | ctrl.bits[row + w]) & writes[w]);
      any |= plainTargets[w] = a & plain[w];
    }
    if (any !== 0 && wmb !== null) addImage(into.bits, row, plainTargets, 0, wmb);
  }
}

/** Adds `(addr | data) ; [Marked] ; rfi`. */
export function addForwarded(
  into: Relation,
  { addr, data }: Pick<Dependencies, 'addr' | 'data'>,
  { size, stride, marked, internal }: Classes,
  { rf, readInternally }: Communication,
): void {
  for (let i = 0, row = 0; i < size; i++, row += stride) {
    for (let w = 0; w < stride; w++) {
      let word = (addr.bits[row + w] | data.bits[row + w]) & marked[w] & readInternally[w];
      while (word !== 0) {
        const low = word & -word;
        word ^= low;
        const store = ((w << 5) + 31 - Math.clz32(low)) * stride;
        for (let v = 0; v < stride; v++) into.bits[row + v] |= rf.bits[store + v] & internal.bits[store + v];
      }
    }
  }
}
