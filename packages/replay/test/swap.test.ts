// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { simulate } from '../src/index.js';
import { bundled, expectHolds, LONG, measureOf } from './bundled.js';

const QUARTER = { memory: { percent: 25 }, swap: { percent: 100 } } as const;
/** Reverse mappings, and a seed each. */
const DESIGNS = [
  ['anon-vma', 1],
  ['pte-chain', 2],
  ['anonmm', 3],
] as const;

describe('a quarter of the memory that the program used, and a swap area', () => {
  it.runIf(LONG).each(DESIGNS)(
    '%s, seed %i: anonymous pages go to the disk and come back as they were',
    async (rmap, seed) => {
      const result = await simulate(bundled('git-status'), { ...QUARTER, rmap, seed });
      expectHolds(result);
      expect(result.operations).toBe(result.operationsTotal);
      // Less than the program's anonymous memory alone would need, had it to stay.
      const plain = await simulate(bundled('git-status'), { memory: QUARTER.memory, limit: 1 });
      expect(result.configuration.memoryPages).toBeLessThan(plain.configuration.memoryPages);
      expect(result.memory.swap.pagesOut).toBeGreaterThan(100);
      expect(result.memory.swap.pagesIn).toBeGreaterThan(100);
      expect(measureOf(result, 'faults.anonymous').agreement).toBe(1);
      expect(result.machine.newErrors).toEqual({});
      expect(result.replay).toContain('--swap');
    },
  );

  it('disk requests fail: a program may be killed, no place is lost', async () => {
    expectHolds(
      await simulate(bundled('python-start'), {
        ...QUARTER,
        rmap: 'objrmap',
        seed: 4,
        inject: { eio: 0.01, signal: 0.01 },
      }),
    );
  });
});
