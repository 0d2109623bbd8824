// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import type { Communication } from './communication.js';
import type { Skeleton } from './model.js';
import { addImage, type EventSet, inSet, isEmptyRow, nextMember, Relation } from './relation.js';

/**
 * Dependencies, those carried through memory too: `carry-dep = (data ; [~ Srcu-unlock] ; rfi)*` comes before each. A value that a thread stores and
 * loads again takes its dependencies along. (explanation.txt: "Dependency relations: data, address, and control".)
 */
export class Dependencies {
  readonly #skeleton: Skeleton;
  readonly #classes: Classes;
  /** Stores that carry: whose value depends on a load, and which are no srcu_read_unlock(). */
  readonly #carriers: EventSet;
  readonly #addr: Relation;
  readonly #data: Relation;
  readonly #ctrl: Relation;
  readonly #carry: Relation;
  /** As of the last {@link derive}. */
  addr: Relation;
  data: Relation;
  ctrl: Relation;
  /** Whether anything depends on anything. */
  readonly any: boolean;

  constructor(classes: Classes, skeleton: Skeleton) {
    const { size, stride } = classes;
    this.#skeleton = skeleton;
    this.#classes = classes;
    this.addr = skeleton.addr;
    this.data = skeleton.data;
    this.ctrl = skeleton.ctrl;
    this.any = !(skeleton.addr.isEmpty() && skeleton.data.isEmpty() && skeleton.ctrl.isEmpty());
    this.#carriers = new Int32Array(stride);
    if (this.any)
      for (let i = 0; i < size; i++)
        for (let w = 0; w < stride; w++) this.#carriers[w] |= skeleton.data.bits[i * stride + w] & classes.writes[w];
    for (let i = 0; i < size; i++)
      if (classes.events[i].tag === 'srcu-unlock') this.#carriers[i >>> 5] &= ~(1 << (i & 31));
    const scratch = isEmptyRow(this.#carriers, 0, stride) ? 0 : size;
    this.#addr = new Relation(scratch);
    this.#data = new Relation(scratch);
    this.#ctrl = new Relation(scratch);
    this.#carry = new Relation(scratch);
  }

  /** Works out what this execution carries; false when it carries nothing and the dependencies are the skeleton's. */
  derive({ rf, readInternally, internalReads }: Communication): boolean {
    const { addr, data, ctrl } = this.#skeleton;
    this.addr = addr;
    this.data = data;
    this.ctrl = ctrl;
    if (!internalReads || this.#carry.size === 0 || !this.#carries(readInternally)) return false;
    this.#carryOver(rf);
    this.addr = this.#addr.copy(addr).addComposition(this.#carry, addr);
    this.data = this.#data.copy(data).addComposition(this.#carry, data);
    this.ctrl = this.#ctrl.copy(ctrl).addComposition(this.#carry, ctrl);
    return true;
  }

  #carries(readInternally: EventSet): boolean {
    for (let w = 0; w < readInternally.length; w++) if ((readInternally[w] & this.#carriers[w]) !== 0) return true;
    return false;
  }

  /** carry-dep without the identity. */
  #carryOver(rf: Relation): void {
    const { size, stride, internal } = this.#classes;
    const { data } = this.#skeleton;
    const carry = this.#carry.clear();
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      for (
        let store = nextMember(data.bits, row, stride, 0);
        store !== -1;
        store = nextMember(data.bits, row, stride, store + 1)
      ) {
        if (!inSet(this.#carriers, store)) continue;
        for (let w = 0; w < stride; w++)
          carry.bits[row + w] |= rf.bits[store * stride + w] & internal.bits[store * stride + w];
      }
    }
    carry.close();
  }
}

/**
 * Adds what dependencies preserve of program order: `(addr ; [R]) | ((addr | data | ctrl) ; [W]) | (addr ; [Plain] ; wmb)`, that is `to-r` and
 * `to-w` but for what depends on who reads from whom.
 */
export function addDependencyOrder(
  into: Relation,
  { addr, data, ctrl }: Pick<Dependencies, 'addr' | 'data' | 'ctrl'>,
  { size, stride, reads, writes, plain }: Classes,
  wmb: Relation,
): void {
  const plainTargets = new Int32Array(stride);
  for (let i = 0, row = 0; i < size; i++, row += stride) {
    let any = 0;
    for (let w = 0; w < stride; w++) {
      const a = addr.bits[row + w];
      into.bits[row + w] |= (a & reads[w]) | ((a | data.bits[row + w] | ctrl.bits[row + w]) & writes[w]);
      any |= plainTargets[w] = a & plain[w];
    }
    if (any !== 0) addImage(into.bits, row, plainTargets, 0, wmb);
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
