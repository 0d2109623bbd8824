// SPDX-License-Identifier: GPL-2.0-only
import { expect, it } from 'vitest';
import { formatNativeResults, NATIVE_EXPERIMENTS, runNativeBench } from '../src/index.js';

/** Tiny: figures of no worth, but every subject runs, and finds what it should. */
const TINY = { pages: 256, effort: { rounds: 2, burstNs: 4e5, warmUpNs: 1e6 } };

it.each(NATIVE_EXPERIMENTS)('%s: every subject runs, and what it finds is right', async (experiment) => {
  const { figures, skipped, complete, machine } = await runNativeBench({ experiments: [experiment], ...TINY });
  expect(complete).toBe(true);
  expect(machine.node).toBe(process.versions.node);
  // All but lmdb are devDependencies.
  for (const { subject, reason } of skipped) expect([subject, reason]).toEqual(['lmdb', 'lmdb is not installed']);
  expect(figures.length).toBeGreaterThan(0);
  for (const { experiment: of, low, median, high } of figures) {
    expect(of).toBe(experiment);
    expect(low).toBeLessThanOrEqual(median);
    expect(median).toBeLessThanOrEqual(high);
  }
});

it('is interrupted between two steps, and gives what it has', async () => {
  const abort = new AbortController();
  const experiments = ['accesses', 'lookup'];
  const onProgress = ({ experiment }: { experiment: string }): void => {
    if (experiment === 'lookup') abort.abort();
  };
  const results = await runNativeBench({ experiments, ...TINY, onProgress, signal: abort.signal });
  expect(results.complete).toBe(false);
  expect(new Set(results.figures.map(({ experiment }) => experiment))).toEqual(new Set(['accesses']));
  expect(formatNativeResults(results)).toMatch(/^\d+ × .*\n(.*\n)+interrupted: not everything was measured$/);
});

it('a subject that finds something else is an error, not a figure', async () => {
  const { BenchThread } = await import('../src/harness/bench-thread.js');
  const keys = { first: 0, pages: 20, pattern: 'uniform', seed: 1 };
  const wrong = { module: 'map', options: { entries: 10, keys } } as const;
  await expect(BenchThread.start(wrong, { warmUpNs: 1e6 })).rejects.toThrow(/found other data than they should have/);
});

it('knows no other experiment', async () => {
  await expect(runNativeBench({ experiments: ['speed'] })).rejects.toThrow(RangeError);
});
