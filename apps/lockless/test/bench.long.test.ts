// SPDX-License-Identifier: MIT
import type { Results } from '@lockless/experiments';
import type { NativeResults } from '@lockless/native-bench';
import { expect, test } from 'vitest';
import { main } from '../src/main.js';
import { lockless, never, Screen } from './terminal.js';

const FEW = ['bench', 'simulator', '--accesses', '2000'];

test('bench prints one JSON document: every model from 1 to 64 CPUs', async () => {
  const { code, stdout, stderr } = await lockless(...FEW, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const rows = JSON.parse(stdout) as { model: string; cpus: number; accesses: number; accessesPerSecond: number }[];
  for (const model of ['sc', 'tso', 'weak'])
    expect(rows.filter((row) => row.model === model).map(({ cpus }) => cpus)).toEqual([1, 2, 4, 8, 16, 32, 64]);
  for (const { accesses, accessesPerSecond } of rows) {
    expect(accesses).toBeGreaterThanOrEqual(2000);
    expect(accessesPerSecond).toBeGreaterThan(0);
  }
});

test('or a table, and on a terminal each measurement when it is made', async () => {
  const [stdout, stderr] = [new Screen(true), new Screen(true)];
  expect(await main(FEW, { stdout, stderr, onInterrupt: never })).toBe(0);
  expect(stdout.text.trimEnd().split('\n').length).toBe(22);
  expect(stderr.text).toMatch(/^sc, 1 CPUs: \d+ ns an access\n/);
  expect(stderr.text.trimEnd().split('\n').length).toBe(21);
});

test('bench checker explores programs whose number of executions is known', async () => {
  const { code, stdout, stderr } = await lockless('bench', 'checker', '--model', 'sc', '--program', 'SB(12)', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual([
    expect.objectContaining({ program: 'SB(12)', model: 'sc', executions: 4095, expected: 4095, blocked: 0 }),
  ]);
  const none = await lockless('bench', 'checker', '--program', 'SB(99)');
  expect(none).toEqual({
    code: 2,
    stdout: '',
    stderr: 'lockless: --program: no such program under that model: SB(99)\n',
  });
});

const GANG = ['bench', 'pagecache', '--experiment', 'gang', '--seeds', '1'];

test('bench pagecache and rmap print one JSON document: a figure for each design, size and unit', async () => {
  const { code, stdout, stderr } = await lockless(...GANG, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const results = JSON.parse(stdout) as Results;
  expect(results).toMatchObject({ caches: 'altix', seeds: [1], complete: true });
  expect(new Set(results.figures.map(({ design }) => design))).toEqual(
    new Set(['tree-lock', 'nonewrefs', 'freeze-refs']),
  );
  for (const { experiment, unit, median, lowest, highest } of results.figures) {
    expect(experiment).toBe('gang');
    expect([lowest, highest]).toEqual([median, median]);
    if (unit === 'pages/µs') expect(median).toBeGreaterThan(0);
  }
  const none = await lockless('bench', 'rmap', '--experiment', 'gang');
  expect(none.code).toBe(2);
  expect(none.stderr).toMatch(/^lockless: --experiment: gang is none of fork-exec-exit, /);
});

test('or tables; an interrupt prints what was measured so far', async () => {
  const [stdout, stderr] = [new Screen(true), new Screen(true)];
  const now = (listener: () => void) => {
    setTimeout(listener, 0);
    return () => {};
  };
  expect(await main(GANG, { stdout, stderr, onInterrupt: now })).toBe(130);
  expect(stdout.text).toMatch(/^caches of altix, seed 1\n/);
});

const ACCESSES = ['bench', 'native', '--experiment', 'accesses', '--rounds', '1'];

test('bench native measures on real threads, and prints one JSON document', async () => {
  const { code, stdout, stderr } = await lockless(...ACCESSES, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { figures, complete, machine } = JSON.parse(stdout) as NativeResults;
  expect({ complete, node: machine.node }).toEqual({ complete: true, node: process.versions.node });
  expect(figures.map(({ subject }) => subject)).toContain('Atomics.compareExchange');
  for (const { median } of figures) expect(median).toBeGreaterThan(0);
  const none = await lockless('bench', 'native', '--experiment', 'speed');
  expect(none.code).toBe(2);
  expect(none.stderr).toMatch(/^lockless: --experiment: speed is none of accesses, /);
});

test('an interrupt ends it, and prints what was measured so far', async () => {
  const [stdout, stderr] = [new Screen(true), new Screen(true)];
  const now = (listener: () => void) => {
    setTimeout(listener, 0);
    return () => {};
  };
  expect(await main(ACCESSES, { stdout, stderr, onInterrupt: now })).toBe(130);
  expect(stdout.text).toMatch(/interrupted: not everything was measured\n$/);
});
