// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { simulate } from '../src/index.js';
import { BUNDLED, bundled, expectHolds, LONG, measureOf } from './bundled.js';

/** How well the simulated kernel has to agree with the real one, with as much memory as it had. */
const AT_LEAST: Readonly<Record<string, number>> = {
  'faults.total': 0.99,
  'faults.anonymous': 0.99,
  'faults.file': 0.99,
  'faults.cow': 0.99,
  'pagecache.added': 1,
  'rss.file.exit': 0.98,
  'rss.anon.exit': 0.98,
};

const MODELS = ['sc', 'tso', 'weak'] as const;
const CPUS = [1, 2, 8] as const;

/**
 * A Latin square: each recording meets each model and each number of CPUs once, each model each number of CPUs. The seed is 10 times
 * the recording, plus the model, plus one. Without `LOCKLESS_LONG` the shortest meets one model.
 */
const RUNS = BUNDLED.flatMap((name, r) =>
  MODELS.map((model, m) => ({ name, model, cpus: CPUS[(r + m) % CPUS.length], seed: 10 * r + m + 1 })),
).filter(({ seed }) => LONG || seed === 22);

/** Without `LOCKLESS_LONG` the first. */
const OTHERS = (
  [
    { scheduler: 'pct' },
    { scheduler: 'round-robin' },
    { generation: 'tree-lock' },
    { generation: 'nonewrefs' },
  ] as const
).filter((_, i) => LONG || i === 0);

describe('the recordings, replayed with as much memory as they had', () => {
  it.each(RUNS)('$name, $model, $cpus CPUs, seed $seed: does all of it, and agrees with Linux', async (run) => {
    const { name, ...options } = run;
    const result = await simulate(bundled(name), options);
    expectHolds(result);
    expect(result.operations).toBe(result.operationsTotal);
    expect(result.machine.newErrors).toEqual({});
    expect(result.memory.reclaim.reclaimed).toBe(0);
    expect(result.memory.contents.fileReads).toBeGreaterThan(0);
    for (const [measure, least] of Object.entries(AT_LEAST))
      expect({ measure, agrees: measureOf(result, measure).agreement >= least }).toEqual({ measure, agrees: true });
    const unexplained = result.comparison.differences.filter(({ cause }) => cause === 'unexplained');
    expect(unexplained).toEqual([]);
  });

  it('the other schedulers and the other generations: the same agreement', async () => {
    for (const options of OTHERS) {
      const result = await simulate(bundled('sqlite-threads'), { ...options, seed: 3 });
      expectHolds(result);
      expect(result.operations).toBe(result.operationsTotal);
      expect(measureOf(result, 'pagecache.added').agreement).toBe(1);
    }
  });
});

describe('a run is decided by its options', () => {
  it.runIf(LONG).each(['sc', 'tso', 'weak'] as const)(
    '%s: the same options give the same result, but for the seconds',
    async (model) => {
      const options = { model, seed: 11, cpus: 4, neighbours: 2, inject: { eio: 0.01 } };
      const [first, second] = [
        await simulate(bundled('python-start'), options),
        await simulate(bundled('python-start'), options),
      ];
      expect({ ...second, seconds: 0 }).toEqual({ ...first, seconds: 0 });
      const other = await simulate(bundled('python-start'), { ...options, seed: 12 });
      expect(other.accesses).not.toBe(first.accesses);
    },
  );

  it('a limit ends it early, and so does a signal; both results are whole', async () => {
    const limited = await simulate(bundled('python-start'), { limit: 100 });
    expect(limited.verdict).toBe('bounded');
    expect(limited.operations).toBeGreaterThanOrEqual(100);
    expect(limited.operations).toBeLessThan(limited.operationsTotal);
    const control = new AbortController();
    const interrupted = await simulate(bundled('python-start'), {
      signal: control.signal,
      onProgress: () => control.abort(),
    });
    expect(interrupted.verdict).toBe('interrupted');
    expect(interrupted.processes.length).toBe(1);
  });
});
