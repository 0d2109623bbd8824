// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { SimulationInputError, simulate } from '../src/index.js';
import { BUNDLED, bundled, expectHolds, LONG, measureOf } from './bundled.js';

/** Seeds: the recording's place in the list, plus one; for each of two kinds of memory. Without `LOCKLESS_LONG` the shortest. */
const RUNS = BUNDLED.flatMap((name, i) => [
  { name, model: 'weak', neighbours: 0, seed: i + 1 } as const,
  { name, model: 'tso', neighbours: 2, seed: i + 1 } as const,
]).filter(({ name, model }) => LONG || (name === 'python-start' && model === 'weak'));

describe('a quarter of the memory that the program used', () => {
  it.each(RUNS)('$name, $model, $neighbours neighbours, seed $seed: reclaims, and does all of it', async (run) => {
    const { name, ...options } = run;
    const result = await simulate(bundled(name), { ...options, memory: { percent: 25 } });
    expectHolds(result);
    expect(result.operations).toBe(result.operationsTotal);
    const { reclaim, lowestFree } = result.memory;
    expect(reclaim.reclaimed).toBeGreaterThan(1000);
    expect(reclaim.scanned).toBeGreaterThanOrEqual(reclaim.reclaimed);
    expect(reclaim.kswapdWakeups).toBeGreaterThan(0);
    expect(lowestFree).toBeLessThan(result.configuration.memoryPages / 4);
    // What the program touched it touched; only pages that reclaim took come back by more faults.
    expect(measureOf(result, 'faults.anonymous').agreement).toBe(1);
    expect(measureOf(result, 'rss.anon.exit').agreement).toBeGreaterThan(0.98);
    // Pages come in more than once: more reads than the files have pages.
    expect(result.machine.diskReads).toBeGreaterThan(measureOf(result, 'pagecache.added').simulated);
  });

  it.runIf(LONG).each(['tree-lock', 'nonewrefs'] as const)(
    'more neighbours than CPUs, generation %s',
    async (generation) => {
      const result = await simulate(bundled('python-start'), {
        cpus: 2,
        neighbours: 6,
        seed: 5,
        generation,
        memory: { percent: 25 },
      });
      expectHolds(result);
      expect(result.operations).toBe(result.operationsTotal);
    },
  );
});

describe('less memory than the program cannot do without', () => {
  it.each(LONG ? [64, 256, 500] : [64])('%i pages: the program dies, the kernel does not', async (pages) => {
    const result = await simulate(bundled('python-start'), { memory: { pages } });
    expectHolds(result);
    expect(result.operations).toBeLessThan(result.operationsTotal);
    expect(Object.keys(result.machine.newErrors).some((error) => error.startsWith('killed by'))).toBe(true);
  });

  it('a share that cannot boot is refused', async () => {
    const tiny = { ...bundled('python-start'), files: [], records: bundled('python-start').records.slice(0, 1) };
    await expect(simulate(tiny, { memory: { percent: 1 } })).rejects.toThrow(SimulationInputError);
  });
});
