// SPDX-License-Identifier: MIT

/**
 * A relation over the events 0 .. size - 1 as a bit matrix: row i holds whom i is related to, 32 to a word.
 * The operations that build one from others write into `this` and allocate nothing: checking an execution is done thousands of times a second.
 */
export class Relation {
  readonly size: number;
  /** Words a row. */
  readonly stride: number;
  readonly bits: Int32Array;

  /** Empty; `bits`, when given, are `size * stride` zeros. */
  constructor(size: number, bits?: Int32Array) {
    this.size = size;
    this.stride = (size + 31) >>> 5;
    this.bits = bits ?? new Int32Array(size * this.stride);
  }

  has(from: number, to: number): boolean {
    return ((this.bits[from * this.stride + (to >>> 5)] >>> (to & 31)) & 1) === 1;
  }

  add(from: number, to: number): void {
    this.bits[from * this.stride + (to >>> 5)] |= 1 << (to & 31);
  }

  /** Of the same size as `other`, and equal to it from now on. */
  copy(other: Relation): this {
    this.bits.set(other.bits);
    return this;
  }

  clear(): this {
    this.bits.fill(0);
    return this;
  }

  isEmpty(): boolean {
    for (let i = 0; i < this.bits.length; i++) if (this.bits[i] !== 0) return false;
    return true;
  }

  /** Adds the pairs of `other`. */
  union(other: Relation): this {
    const { bits } = this;
    const from = other.bits;
    for (let i = 0; i < bits.length; i++) bits[i] |= from[i];
    return this;
  }

  /** Adds `first ; second`, neither of which is this relation. */
  addComposition(first: Relation, second: Relation): this {
    for (let i = 0, at = 0; i < this.size; i++, at += this.stride) addImage(this.bits, at, first.bits, at, second);
    return this;
  }

  /** Becomes the least transitive relation that contains it. */
  close(): this {
    const { size, stride, bits } = this;
    for (let k = 0, row = 0; k < size; k++, row += stride) {
      if (isEmptyRow(bits, row, stride)) continue;
      const word = k >>> 5;
      const bit = 1 << (k & 31);
      for (let i = 0, at = 0; i < size; i++, at += stride)
        if ((bits[at + word] & bit) !== 0) for (let w = 0; w < stride; w++) bits[at + w] |= bits[row + w];
    }
    return this;
  }

  /** The pairs, by source and then by target. */
  *pairs(): Generator<[number, number]> {
    for (let i = 0; i < this.size; i++) for (let j = 0; j < this.size; j++) if (this.has(i, j)) yield [i, j];
  }
}

/** Gives out empty relations of one size from one allocation, which is most of what a small relation costs. */
export class RelationPool {
  readonly #size: number;
  readonly #words: number;
  #buffer: ArrayBuffer;
  #left: number;

  constructor(size: number, relations: number) {
    this.#size = size;
    this.#words = size * ((size + 31) >>> 5);
    this.#buffer = new ArrayBuffer(4 * this.#words * relations);
    this.#left = relations;
  }

  take(): Relation {
    if (this.#left === 0) return new Relation(this.#size);
    this.#left--;
    return new Relation(this.#size, new Int32Array(this.#buffer, 4 * this.#words * this.#left, this.#words));
  }
}

/** A set of events: one row of a relation. */
export type EventSet = Int32Array;

export function inSet(set: EventSet, event: number): boolean {
  return ((set[event >>> 5] >>> (event & 31)) & 1) === 1;
}

export function addToSet(set: EventSet, event: number): void {
  set[event >>> 5] |= 1 << (event & 31);
}

export function isEmptyRow(bits: Int32Array, at: number, stride: number): boolean {
  for (let w = 0; w < stride; w++) if (bits[at + w] !== 0) return false;
  return true;
}

/** Adds to the row of `into` at `at` everybody to whom `relation` relates a member of the row of `from` at `start`. */
export function addImage(into: Int32Array, at: number, from: Int32Array, start: number, relation: Relation): void {
  const { stride, bits } = relation;
  for (let w = 0; w < stride; w++) {
    let word = from[start + w];
    while (word !== 0) {
      const low = word & -word;
      word ^= low;
      const row = ((w << 5) + 31 - Math.clz32(low)) * stride;
      for (let v = 0; v < stride; v++) into[at + v] |= bits[row + v];
    }
  }
}

/** Lowest member that is `from` or above, or -1. */
export function nextMember(bits: Int32Array, at: number, stride: number, from: number): number {
  let w = from >>> 5;
  if (w >= stride) return -1;
  let word = bits[at + w] & (-1 << (from & 31));
  while (word === 0) {
    if (++w === stride) return -1;
    word = bits[at + w];
  }
  return (w << 5) + 31 - Math.clz32(word & -word);
}
