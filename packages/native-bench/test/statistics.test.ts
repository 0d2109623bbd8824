// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOf, Keys, randomNumbers, shuffled, zipf } from '../src/harness/keys.js';
import { type Burst, nsPerOperation, overlap, progress } from '../src/harness/overlap.js';
import { percentile, ratios, spread } from '../src/harness/statistics.js';

describe('percentiles and ratios', () => {
  it('are what sorting says', () => {
    expect(percentile([5], 0.9)).toBe(5);
    expect(percentile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(spread([10, 0, 5, 1, 9, 2, 8, 3, 7, 4, 6])).toEqual({ median: 5, low: 1, high: 9, samples: 11 });
    expect(() => percentile([], 0.5)).toThrow(RangeError);
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
        const { low, median, high } = spread(values);
        expect(Math.min(...values)).toBeLessThanOrEqual(low);
        expect(low).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(high);
        expect(high).toBeLessThanOrEqual(Math.max(...values));
      }),
    );
  });

  it('are made round by round: what disturbs a round disturbs both', () => {
    const over = [10, 40, 20, Number.NaN];
    expect(ratios([20, 80, 40, 7], over)).toEqual({ median: 2, low: 2, high: 2, samples: 3 });
  });
});

/** A burst of 10 operations a chunk, whose chunks take so long. */
function burst(from: number, chunks: readonly number[]): Burst {
  const times = [from];
  for (const ns of chunks) times.push((times.at(-1) as number) + ns);
  return { times: Float64Array.from(times), chunk: 10 };
}
const steady = (n: number, ns = 50_000): number[] => Array.from({ length: n }, () => ns);

describe('only what two threads did at the same time counts', () => {
  it('threads that run together overlap, whatever their speed', () => {
    const both = overlap(burst(0, steady(100)), burst(0, steady(50, 100_000)));
    expect(both).toEqual({ ns: [5000, 10_000], share: 1 });
  });

  it('threads that run one after the other do not', () => {
    const both = overlap(burst(0, steady(100)), burst(5e6, steady(100)));
    expect(both.ns).toEqual([Number.NaN, Number.NaN]);
    expect(both.share).toBe(0);
  });

  it('of threads that take turns on one processor nothing counts but what they did together', () => {
    const pause = 4e6;
    const a = burst(0, [...steady(40), pause, ...steady(40)]);
    const b = burst(2e6, [...steady(80), pause]);
    // a runs 0 to 2 ms and 6 to 8 ms, b 2 to 6 ms.
    expect(overlap(a, b).share).toBe(0);
    expect(progress(a).length).toBe(80);
    expect(progress(b).length).toBe(80);
  });

  it('a chunk that is only partly beside the other is left out, and the other speed of before does not count', () => {
    const a = burst(0, [...steady(20, 50_000), ...steady(20, 100_000)]);
    const b = burst(1_025_000, steady(40));
    const { ns, share } = overlap(a, b);
    expect(ns).toEqual([10_000, 5000]);
    expect(share).toBeCloseTo((19 * 100_000) / 3_025_000, 9);
  });

  it('a thread that stood still did not become slower', () => {
    expect(nsPerOperation(burst(0, [...steady(10), 9e6, ...steady(10)]))).toBe(5000);
    expect(nsPerOperation(burst(0, []))).toBeNaN();
  });

  it('threads that do work are never said to overlap for longer than they did', () => {
    const chunks = fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.nat(5_000_000), chunks, fc.nat(5_000_000), chunks, (fromA, a, fromB, b) => {
        const [one, other] = [burst(fromA, a), burst(fromB, b)];
        const begin = Math.max(fromA, fromB);
        const end = Math.min(one.times.at(-1) as number, other.times.at(-1) as number);
        const all = Math.max(one.times.at(-1) as number, other.times.at(-1) as number) - Math.min(fromA, fromB);
        const { share } = overlap(one, other);
        expect(share).toBeLessThanOrEqual(Math.max(0, end - begin) / all + 1e-12);
        expect(overlap(other, one).share).toBe(share);
      }),
    );
  });
});

describe('keys', () => {
  it('sum up what was looked up, from any operation on, round and round', () => {
    const schedule = new Keys({ first: 100, pages: 50, pattern: 'zipf', seed: 3 });
    const { keys, mask } = schedule;
    fc.assert(
      fc.property(fc.nat(200_000), fc.nat(600), (first, n) => {
        let sum = 0;
        for (let i = first; i < first + n; i++) sum = (sum + contentOf(keys[i & mask])) | 0;
        expect(schedule.sum(first, n)).toBe(sum);
      }),
    );
    expect(Math.min(...keys)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...keys)).toBeLessThan(150);
    expect(new Set(new Keys({ first: 9, pages: 50, pattern: 'one', seed: 3 }).keys)).toEqual(new Set([9]));
  });

  it('of different pages stand for different contents', () => {
    expect(new Set(Array.from({ length: 10_000 }, (_, i) => contentOf(2 * i))).size).toBe(10_000);
  });

  it('are drawn by the law of Zipf: the first twice as often as the second, ten times as often as the tenth', () => {
    const rank = zipf(1000, randomNumbers(5), 1);
    const drawn = new Array<number>(1000).fill(0);
    for (let i = 0; i < 400_000; i++) drawn[rank()]++;
    expect(drawn[0] / drawn[1]).toBeGreaterThan(1.9);
    expect(drawn[0] / drawn[1]).toBeLessThan(2.1);
    expect(drawn[0] / drawn[9]).toBeGreaterThan(9.3);
    expect(drawn[0] / drawn[9]).toBeLessThan(10.7);
    expect([...shuffled(1000, randomNumbers(1))].sort((a, b) => a - b)).toEqual(drawn.map((_, i) => i));
  });
});
