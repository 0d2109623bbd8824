// SPDX-License-Identifier: MIT

/** A relation over the events 0 .. size - 1 as a bit matrix: row i holds whom i is related to, 32 to a word. */
export class Relation {
  readonly size: number;
  /** Words a row. */
  readonly stride: number;
  readonly bits: Int32Array;

  constructor(size: number) {
    this.size = size;
    this.stride = (size + 31) >>> 5;
    this.bits = new Int32Array(size * this.stride);
  }

  has(from: number, to: number): boolean {
    return ((this.bits[from * this.stride + (to >>> 5)] >>> (to & 31)) & 1) === 1;
  }

  add(from: number, to: number): void {
    this.bits[from * this.stride + (to >>> 5)] |= 1 << (to & 31);
  }
}
