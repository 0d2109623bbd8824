// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { SimulationInputError, simulate } from '../src/index.js';
import { bundled, expectHolds } from './bundled.js';

describe('a kernel for one CPU', () => {
  it.each(['up-preempt', 'up'] as const)('%s: a quarter of the memory, and a neighbour', async (build) => {
    const result = await simulate(bundled('git-status'), { cpus: 1, build, memory: { percent: 25 }, neighbours: 1 });
    expectHolds(result);
    expect(result.configuration.build).toBe(build);
    expect(result.operations).toBe(result.operationsTotal);
    expect(result.memory.reclaim.reclaimed).toBeGreaterThan(1000);
  });

  it('has no second one', async () => {
    await expect(simulate(bundled('git-status'), { cpus: 2, build: 'up' })).rejects.toThrow(SimulationInputError);
  });

  it('finds readers that can be preempted', async () => {
    const options = { cpus: 1, without: ['rcuReadLock.preemptDisable'] };
    const { violation } = await simulate(bundled('git-status'), { ...options, build: 'up-preempt' });
    expect(violation?.kind).toBe('VM_BUG');
    expect(violation?.message).toMatch(/in_atomic/);
    const unpreempted = await simulate(bundled('git-status'), { ...options, build: 'up', limit: 500 });
    expect(unpreempted.violation).toBeNull();
  });
});
