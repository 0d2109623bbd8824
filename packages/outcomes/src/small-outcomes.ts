// SPDX-License-Identifier: GPL-2.0-only
import type { Tally } from './cases.js';

/** Bits of a value. */
const BITS = 3;
const BELOW = 1 << BITS;
const COLUMNS = 5;

/** Counts outcomes in which all values are from 0 to 7, as nearly all are, in an array. */
export class SmallOutcomes {
  private readonly columns: number;
  private readonly counts: Int32Array;
  /** Which of the counts are not 0. */
  private readonly used: number[] = [];

  private constructor(columns: number) {
    this.columns = columns;
    this.counts = new Int32Array(1 << (BITS * columns));
  }

  /** Null for more columns than fit. */
  static of(columns: number): SmallOutcomes | null {
    return columns > COLUMNS ? null : new SmallOutcomes(columns);
  }

  /** Counts what instance i ended in, if it is small. Column c of it is `words[from + i * step]`. */
  add(
    columns: readonly { readonly words: Int32Array; readonly from: number; readonly step: number }[],
    i: number,
  ): boolean {
    let key = 0;
    for (let column = 0; column < columns.length; column++) {
      const { words, from, step } = columns[column];
      const value = words[from + i * step];
      if (value >>> BITS !== 0) return false;
      key = (key << BITS) | value;
    }
    if (this.counts[key]++ === 0) this.used.push(key);
    return true;
  }

  /** Hands over what was counted. */
  take(tally: Tally): void {
    for (const key of this.used.splice(0)) {
      tally.add(key, this.counts[key]);
      this.counts[key] = 0;
    }
  }

  /** The values of a key. */
  describe(key: number): string {
    const values: number[] = [];
    for (let column = this.columns - 1; column >= 0; column--) values.push((key >> (BITS * column)) & (BELOW - 1));
    return values.join(' ');
  }
}
