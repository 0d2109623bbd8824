// SPDX-License-Identifier: GPL-2.0-only

/** Which pages of a file are looked up, one after the other and again from the beginning. */
export interface KeyOptions {
  /** The first page of this thread's part of the file, and how many pages that has. */
  readonly first: number;
  readonly pages: number;
  /** `uniform`: any page of the part. `zipf`: the n-th in popularity 1/n times as often as the first. `one`: always the first one. */
  readonly pattern: 'uniform' | 'zipf' | 'one';
  readonly seed: number;
  /** Keys until they come again, a power of two. Default: more than a branch predictor learns by heart. */
  readonly length?: number;
}

/** What the page with that index holds, so that a lookup that finds another page is noticed. */
export const contentOf = (index: number): number => Math.imul(index, 0x9e3779b1) | 1;

export const DEFAULT_KEYS: number = 1 << 14;

/** A random number generator that two threads can have each for itself (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws ranks 0 to `n - 1` by Zipf's law with that exponent; rank 0 is the most popular. */
export function zipf(n: number, random: () => number, exponent = 0.99): () => number {
  const upTo = new Float64Array(n);
  let total = 0;
  for (let rank = 0; rank < n; rank++) upTo[rank] = total += (rank + 1) ** -exponent;
  return () => {
    const wanted = random() * total;
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (upTo[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** 0 to n - 1 in a random order: popular pages are no neighbours. */
export function shuffled(n: number, random: () => number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

function pageNumbers({ pages, pattern }: KeyOptions, random: () => number): () => number {
  if (pattern === 'one') return () => 0;
  if (pattern === 'uniform') return () => Math.floor(random() * pages);
  const order = shuffled(pages, randomNumbers(1));
  const rank = zipf(pages, random);
  return () => order[rank()];
}

export class Keys {
  readonly keys: Int32Array;
  readonly mask: number;
  /** sums[i]: of the contents of the first i keys. */
  private readonly sums: Int32Array;

  constructor(options: KeyOptions) {
    const { length = DEFAULT_KEYS } = options;
    this.mask = length - 1;
    const next = pageNumbers(options, randomNumbers(options.seed));
    this.keys = Int32Array.from({ length }, () => options.first + next());
    this.sums = new Int32Array(length + 1);
    this.keys.forEach((key, i) => {
      this.sums[i + 1] = this.sums[i] + contentOf(key);
    });
  }

  /** The sum of the contents of the keys with the numbers `first` to `first + n - 1`. */
  sum(first: number, n: number): number {
    const upTo = (end: number): number =>
      (Math.imul(Math.floor(end / (this.mask + 1)), this.sums[this.mask + 1]) + this.sums[end & this.mask]) | 0;
    return (upTo(first + n) - upTo(first)) | 0;
  }
}
