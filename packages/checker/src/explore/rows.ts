// SPDX-License-Identifier: MIT

/** Rows of bits of one width, used again for each graph. */
export class Rows {
  bits: Int32Array = new Int32Array(0);

  clear(rows: number, width: number): void {
    if (this.bits.length < rows * width) this.bits = new Int32Array(rows * width * 2);
    else this.bits.fill(0, 0, rows * width);
  }

  /** Whether a row has a bit at `from` or after. */
  hasFrom(row: number, from: number, width: number): boolean {
    const { bits } = this;
    const base = row * width;
    let word = from >>> 5;
    if ((bits[base + word] & (-1 << (from & 31))) !== 0) return true;
    for (word++; word < width; word++) if (bits[base + word] !== 0) return true;
    return false;
  }

  meets(row: number, set: Int32Array, width: number): boolean {
    for (let w = 0, base = row * width; w < width; w++) if ((this.bits[base + w] & set[w]) !== 0) return true;
    return false;
  }
}

export function set(rows: Rows, row: number, bit: number, width: number): void {
  rows.bits[row * width + (bit >>> 5)] |= 1 << (bit & 31);
}

/** Makes a row equal to another. */
export function at(into: Rows, row: number, from: Rows, source: number, width: number): void {
  const a = into.bits;
  const b = from.bits;
  for (let w = 0, i = row * width, j = source * width; w < width; w++) a[i + w] = b[j + w];
}

/** Adds a row to another. */
export function join(into: Rows, row: number, from: Rows, source: number, width: number): void {
  const a = into.bits;
  const b = from.bits;
  for (let w = 0, i = row * width, j = source * width; w < width; w++) a[i + w] |= b[j + w];
}

/** Adds the same row of `from`, as far as it is in a row of `within`, but for the bit of the row itself. */
export function joinBut(into: Rows, row: number, from: Rows, within: Rows, mask: number, width: number): void {
  const own = row >>> 5;
  for (let w = 0, i = row * width, m = mask * width; w < width; w++) {
    const bits = from.bits[i + w] & within.bits[m + w];
    into.bits[i + w] |= w === own ? bits & ~(1 << (row & 31)) : bits;
  }
}
