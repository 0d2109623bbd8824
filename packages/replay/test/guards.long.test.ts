// SPDX-License-Identifier: GPL-2.0-only
import type { RunResult } from '@lockless/report';
import { describe, expect, it } from 'vitest';
import { SimulationInputError, simulate } from '../src/index.js';
import { bundled, expectHolds } from './bundled.js';

/** How the lack of each guard shows, and within how many seeds from 1 on it has to. */
const SHOWS: Readonly<Record<string, { kinds: readonly string[]; seeds: number }>> = {
  'removeMapping.freezeRefs': { kinds: ['VM_BUG', 'wrong-page', 'lost-data', 'invariant'], seeds: 10 },
  'findGetPage.slotRecheck': { kinds: ['wrong-page', 'lost-data', 'VM_BUG', 'invariant'], seeds: 10 },
  'treeLock.irqsOff': { kinds: ['irq-unsafe-lock'], seeds: 2 },
  'findGetPage.putOnRetry': { kinds: ['invariant'], seeds: 10 },
  'addToPageCache.mappingBeforePublish': { kinds: ['wrong-page', 'VM_BUG', 'lost-data', 'invariant'], seeds: 30 },
};

const run = (seed: number, ...without: string[]): Promise<RunResult> =>
  simulate(bundled('sqlite-threads'), { neighbours: 6, cpus: 8, memory: { percent: 25 }, without, seed });

// A run takes about a second of processor time; the last guard needs several.
describe('guards left out are missed on a small machine with neighbours', { timeout: 300_000 }, () => {
  it.each(Object.entries(SHOWS))('%s; the code as it is holds on the same seed', async (guard, { kinds, seeds }) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { verdict, violation, replay } = await run(seed, guard);
      if (violation === null) continue;
      expect(verdict).toBe('violated');
      expect(kinds).toContain(violation.kind);
      expect(violation.stacks.length).toBeGreaterThan(0);
      expect(replay).toContain(`--without ${guard}`);
      expectHolds(await run(seed));
      return;
    }
    expect.fail(`without ${guard} nothing was found with seeds 1 to ${seeds}`);
  });

  it('an unknown guard cannot be left out', async () => {
    await expect(run(1, 'noSuch.guard')).rejects.toThrow(SimulationInputError);
  });
});
