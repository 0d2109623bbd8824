// SPDX-License-Identifier: MIT
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';

const TWO_32 = 2 ** 32;

/** A stream of random numbers. Streams of one seed are independent: what draws from one does not disturb the others. */
export class Random {
  private readonly generator: JumpableRandomGenerator;

  /** `stream` numbers the streams of a seed from 0. */
  constructor(seed: number, stream: number) {
    this.generator = xoroshiro128plus(seed | 0);
    for (let i = 0; i <= stream; i++) this.generator.jump();
  }

  /** 32 random bits, as an int32. */
  bits(): number {
    return this.generator.next();
  }

  /** An integer from 0 to n - 1. */
  below(n: number): number {
    return Math.floor(((this.generator.next() >>> 0) / TWO_32) * n);
  }

  /** A number from 0 to 1, without 1. */
  fraction(): number {
    return (this.generator.next() >>> 0) / TWO_32;
  }

  /** True once in n. `n` must be a power of two. */
  oneIn(n: number): boolean {
    return (this.generator.next() & (n - 1)) === 0;
  }

  /** True with that probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.generator.next() >>> 0 < probability * TWO_32;
  }
}

/**
 * 256 quantiles of the geometric distribution from 1 on with that mean; one drawn with `bits() & 255` is a sample. Computed by
 * multiplications alone, so it is the same wherever it is computed, as logarithms need not be.
 */
export function geometricQuantiles(mean: number): Float64Array {
  const table = new Float64Array(256);
  let length = 1;
  let longer = 1 - 1 / mean;
  for (let i = 0; i < table.length; i++) {
    const above = 1 - (i + 0.5) / table.length;
    while (longer > above) {
      length++;
      longer *= 1 - 1 / mean;
    }
    table[i] = length;
  }
  return table;
}
