// SPDX-License-Identifier: GPL-2.0-only
import type { RunResult } from '@lockless/report';
import { describe, expect, it } from 'vitest';
import { describePlant, PLANTS, simulate } from '../src/index.js';
import { bundled, expectHolds } from './bundled.js';

/** How each planted bug shows, and within how many seeds from 1 on it has to. */
const SHOWS: Readonly<Record<string, { kinds: readonly string[]; seeds: number }>> = {
  'plain-check-in-remove-mapping': { kinds: ['VM_BUG', 'wrong-page', 'lost-data', 'invariant'], seeds: 10 },
  'no-slot-recheck': { kinds: ['wrong-page', 'lost-data', 'VM_BUG', 'invariant'], seeds: 10 },
  'tree-lock-irqs-on': { kinds: ['irq-unsafe-lock'], seeds: 2 },
  'missing-put-on-retry': { kinds: ['invariant'], seeds: 10 },
  'mapping-after-publish': { kinds: ['wrong-page', 'VM_BUG', 'lost-data', 'invariant'], seeds: 30 },
};

const run = (seed: number, plant: string | null): Promise<RunResult> =>
  simulate(bundled('sqlite-threads'), { neighbours: 6, cpus: 8, memory: { percent: 25 }, plant, seed });

// A run takes about a second of processor time; the last bug needs several.
describe('planted bugs are found on a small machine with neighbours', { timeout: 300_000 }, () => {
  it('each has an entry here', () => {
    expect(Object.keys(SHOWS).sort()).toEqual([...PLANTS].sort());
    for (const plant of PLANTS) expect(describePlant(plant)).not.toBe('');
  });

  it.each(Object.entries(SHOWS))('%s; the code as it is holds on the same seed', async (plant, { kinds, seeds }) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { verdict, violation, replay } = await run(seed, plant);
      if (violation === null) continue;
      expect(verdict).toBe('violated');
      expect(kinds).toContain(violation.kind);
      expect(violation.stacks.length).toBeGreaterThan(0);
      expect(replay).toContain(`--plant ${plant}`);
      expectHolds(await run(seed, null));
      return;
    }
    expect.fail(`${plant} was not found with seeds 1 to ${seeds}`);
  });

  it('an unknown bug cannot be planted', async () => {
    await expect(run(1, 'no-such-bug')).rejects.toThrow(RangeError);
  });
});
