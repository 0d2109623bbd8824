// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as rcu from '../src/index.js';
import { barrierAfterCallbacks, readersAndUpdaters, sleepersWithoutTick } from './machine.js';

const models = ['sc', 'tso', 'weak'] as const;
const sizes = [1, 2, 3, 4, 8].flatMap((cpus) => models.map((model) => ({ cpus, model })));
/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 3);

describe('no reader meets a freed object, and everything is freed in the end', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = readersAndUpdaters(rcu, { ...options, seed });
      expect(run.outcome.violation?.report() ?? run.outcome.status).toBe('finished');
      expect(run.gracePeriods).toBeGreaterThan(0);
      expect(run.callbacksInvoked).toBeGreaterThanOrEqual(19);
      expect(run.stall).toBeNull();
      expect(run.live).toBe(1);
    }
  });
});

describe('rcu_barrier() returns after the callbacks of all CPUs', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = barrierAfterCallbacks(rcu, { ...options, seed });
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
    }
  });
});

describe('CPUs that sleep without a tick hold up nothing and miss nothing', () => {
  it.each(sizes.filter(({ cpus }) => cpus > 1))('$cpus CPUs, $model', (options) => {
    let slept = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = sleepersWithoutTick(rcu, { ...options, seed });
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
      slept += outcome.slept;
    }
    expect(slept).toBeGreaterThan(2 * SEEDS);
  });
});

it('goes on when every third allocation fails', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { outcome } = readersAndUpdaters(rcu, { cpus: 4, seed, inject: { enomem: 0.3 } });
    expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
  }
});
