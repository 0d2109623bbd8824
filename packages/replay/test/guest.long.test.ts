// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { type SimulateOptions, simulate } from '../src/index.js';
import { bundled } from './bundled.js';

/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);

const RUNS = [
  ['git-status', { model: 'weak' }],
  ['sqlite-threads', { model: 'tso', rmap: 'pte-chain', inject: { signal: 0.001 } }],
] as const satisfies readonly (readonly [string, SimulateOptions])[];

describe('a guest in the memory of the program', { timeout: 300_000 }, () => {
  it.each(RUNS)('%s, %o: sees what the process sees, and holds no page that is free', async (name, options) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulate(bundled(name), { ...options, guest: true, seed });
      expect([seed, result.violation?.message ?? result.verdict]).toEqual([seed, 'holds']);
      const looked = result.invariants.find((invariant) => invariant.name === 'guest-has-no-free-page');
      expect(looked?.checked).toBeGreaterThan(50);
      expect(result.replay).toContain('--guest');
    }
  });

  it('is told of the end of an invalidation and not of its beginning, when it registers without the locks', async () => {
    const wrong: string[] = [];
    for (let seed = 2; seed <= 20 && wrong.length === 0; seed++) {
      const without = ['mmuNotifierRegister.mmapSem', 'mmuNotifierRegister.takeAllLocks'];
      const options = { guest: true, cpus: 8, memory: { percent: 25 }, seed, without };
      const { violation } = await simulate(bundled('sqlite-threads'), options);
      if (violation !== null) wrong.push(violation.message);
    }
    expect(wrong).toEqual([expect.stringMatching(/mmu_notifier_count < 0|the guest has page \d+, which is free/)]);
  });
});
