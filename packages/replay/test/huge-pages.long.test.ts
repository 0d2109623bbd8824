// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { SimulationInputError, simulate } from '../src/index.js';
import { bundled, expectHolds } from './bundled.js';

describe('the recordings with transparent huge pages', () => {
  it('contents are the same, fewer faults do, and reclaim splits what it swaps out', async () => {
    const options = { cpus: 2, model: 'sc', memory: { percent: 30 }, swap: { percent: 100 } } as const;
    const huge = await simulate(bundled('sqlite-threads'), { ...options, thp: 'always', thpOrder: 2 });
    expectHolds(huge);
    expect(huge.operations).toBe(huge.operationsTotal);
    expect(huge.memory.contents.wrong).toBe(0);
    expect(huge.memory.events.thp_fault_alloc).toBeGreaterThan(10);
    expect(huge.memory.events.thp_split).toBeGreaterThan(0);
    expect(huge.replay).toContain('--thp always --thp-order 2');
  });

  it.each(['grace-period', 'tail-count'] as const)('with tails counted as %s', async (thpTails) => {
    const options = { cpus: 4, memory: { percent: 30 }, swap: { percent: 100 }, migrate: true, limit: 1500 } as const;
    const huge = await simulate(bundled('sqlite-threads'), { ...options, thp: 'always', thpOrder: 2, thpTails });
    expectHolds(huge);
    expect(huge.configuration.thpTails).toBe(thpTails);
    expect(huge.replay).toContain(`--thp-tails ${thpTails}`);
    expect(huge.memory.events.thp_split).toBeGreaterThan(0);
    expect(huge.invariants.find(({ name }) => name === 'huge-counts-agree')?.checked).toBeGreaterThan(10);
  });

  it('are refused where nothing would find them', async () => {
    const refused = simulate(bundled('sqlite-threads'), { thp: 'always', rmap: 'pte-chain', limit: 10 });
    await expect(refused).rejects.toThrow(SimulationInputError);
    const tailsOfNothing = simulate(bundled('sqlite-threads'), { thpTails: 'tail-count', limit: 10 });
    await expect(tailsOfNothing).rejects.toThrow(SimulationInputError);
  });
});
