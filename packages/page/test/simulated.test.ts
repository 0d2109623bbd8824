// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as api from '../src/index.js';
import { allocatorStress } from './allocator-stress.js';
import { lruStress } from './lru-stress.js';
import { wrongIn } from './machine.js';
import { pageLockStress } from './page-lock-stress.js';
import { speculation } from './speculation.js';

const models = ['sc', 'tso', 'weak'] as const;
const sizes = [2, 4, 8].flatMap((cpus) => models.map((model) => ({ cpus, model })));
/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 2);
const seedsUpTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const seeds = seedsUpTo(SEEDS);

describe('the allocator: no frame has two owners, none is lost', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(allocatorStress(api, { ...options, seed }))).toBe(null);
  });
  it('also when allocations fail', () => {
    for (const seed of seeds) {
      const outcome = allocatorStress(api, { cpus: 4, seed, inject: { enomem: 0.2 } });
      expect(wrongIn(outcome)).toBe(null);
    }
  });
});

describe('the LRU lists: pages, flags and counters stay together, each page is freed once', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(lruStress(api, { ...options, seed }))).toBe(null);
  });
});

describe('speculative references against freezing', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    const sum = { lookups: 0, getFailed: 0, slotMoved: 0, frozen: 0, freezeFailed: 0 };
    // Two CPUs meet seldom.
    for (const seed of options.cpus === 2 ? seedsUpTo(4 * SEEDS) : seeds) {
      const { outcome, ...counts } = speculation(api, { ...options, seed, runLength: 4 });
      expect(wrongIn(outcome)).toBe(null);
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
    }
    // The races did happen.
    expect(sum.lookups).toBeGreaterThan(0);
    expect(sum.frozen).toBeGreaterThan(0);
    expect(sum.getFailed + sum.slotMoved).toBeGreaterThan(0);
    expect(sum.freezeFailed).toBeGreaterThan(0);
  });
});

describe('the page lock: one holder, and no waiter sleeps for ever', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(pageLockStress(api, { ...options, seed }))).toBe(null);
  });
});
