// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Litmus, parseLitmus } from '@lockless/litmus';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { calibrate, calibrationLine } from '../src/calibration.js';
import { NotNative } from '../src/litmus-code.js';
import { NativeLitmus, type NativeOptions, type NativeOutcome } from '../src/native-litmus.js';

const CORPUS = new URL('../../litmus/corpus/', import.meta.url);
const corpus = (name: string): Litmus => {
  const file = fileURLToPath(new URL(name, CORPUS));
  return parseLitmus(readFileSync(file, 'utf8'), file);
};

let litmus: NativeLitmus;
beforeAll(() => {
  if (!existsSync(new URL('../dist/worker.js', import.meta.url)))
    throw new Error('packages/outcomes is not built: npm run build');
  litmus = new NativeLitmus();
});
afterAll(() => litmus.end());

/** Threads of a busy machine may not meet for a while: runs with other seeds until it was seen, or a minute is over. */
async function runUntil(
  test: Litmus,
  options: NativeOptions,
  done: (outcome: NativeOutcome) => boolean,
): Promise<NativeOutcome> {
  for (let seed = 1, started = performance.now(); ; seed++) {
    const outcome = await litmus.run(test, { ...options, seed, seconds: 0.3 });
    if (done(outcome) || performance.now() - started > 60_000) return outcome;
  }
}

test('store buffering with plain accesses is seen: the threads run at the same time', async () => {
  const calibration = await calibrate(litmus, { seconds: 60 });
  expect(calibrationLine(calibration)).toMatch(/^machine and engine reorder: .* seen in [1-9]/);
});

test('smp_mb() forbids store buffering, and without it a forbidden outcome is found', async () => {
  const outcome = await litmus.run(corpus('sb-mb.litmus'), { seconds: 0.3 });
  expect(outcome.holds).toBe(true);
  const planted = await runUntil(corpus('sb-mb.litmus'), { weakened: ['smp_mb'] }, ({ holds }) => !holds);
  expect(planted.rows[0]).toMatchObject({ state: '0:r0=0; 1:r0=0;', kind: 'forbidden', satisfies: true });
});

test('the strict table allows nothing but sequential consistency', async () => {
  const { rows, holds } = await litmus.run(corpus('sb-once.litmus'), { table: 'strict', seconds: 0.3 });
  expect({ holds, kinds: new Set(rows.map(({ kind }) => kind)) }).toMatchObject({ holds: true });
  expect(rows.filter(({ kind, count }) => kind === 'surprising' && count > 0)).toEqual([]);
});

describe('tests of the corpus', () => {
  const OPTIONS = { batches: 2 };
  const files = readdirSync(CORPUS).filter((file) => file.endsWith('.litmus'));
  const alone = files.filter((file) => corpus(file).threads.length === 1);

  test.each(alone)('%s, of one thread, ends in what the model says', async (file) => {
    const run = litmus.run(corpus(file), OPTIONS).then(
      ({ rows, instances }) => ({ kinds: rows.map(({ kind }) => kind), instances }),
      (error) => {
        if (error instanceof NotNative) return null;
        throw error;
      },
    );
    const found = await run;
    if (found === null) expect(['rmw-fetch-operations.litmus', 'deadlock-self.litmus']).toContain(file);
    else expect(found).toEqual({ kinds: ['sc'], instances: 2 * 4096 });
  });

  const SAMPLE = ['mp-mb-mb', 'iriw-mb-rmb', 'pointer-rcu-publish', 'lock-message', 'rcu-two-sections-two-periods'];
  test.each(SAMPLE)('%s ends in nothing forbidden', async (name) => {
    const { holds, instances } = await litmus.run(corpus(`${name}.litmus`), OPTIONS);
    expect(holds).toBe(true);
    expect(instances).toBeGreaterThan(0);
  });
});

test('an interrupted run has whole batches', async () => {
  const abort = new AbortController();
  const run = litmus.run(corpus('sb-once.litmus'), {
    seconds: 60,
    signal: abort.signal,
    onProgress: (batches) => batches > 2 && abort.abort(),
  });
  const { instances, givenUp, rows } = await run;
  expect((instances + givenUp) % 4096).toBe(0);
  expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(instances);
});

test('what a test that can deadlock ends in is counted, the rest given up', async () => {
  const crossed = parseLitmus(`C crossed
{}
P0(spinlock_t *a, spinlock_t *b, int *x) { spin_lock(a); spin_lock(b); WRITE_ONCE(*x, 1); spin_unlock(b); spin_unlock(a); }
P1(spinlock_t *a, spinlock_t *b, int *x) { spin_lock(b); spin_lock(a); WRITE_ONCE(*x, 2); spin_unlock(a); spin_unlock(b); }
exists (x=1)`);
  const { holds, instances, givenUp } = await litmus.run(crossed, { batches: 4 });
  expect(holds).toBe(true);
  expect(instances + givenUp).toBe(4 * 4096);
});

test('a thread that fails fails the run, and the next run is none the worse', async () => {
  const broken = parseLitmus(`C broken
{}
P0(spinlock_t *a, int *x) { spin_unlock(a); r0 = READ_ONCE(*x); }
P1(int *x) { WRITE_ONCE(*x, 1); }
exists (0:r0=1)`);
  await expect(litmus.run(broken, { batches: 1 })).rejects.toThrow('unlock of the lock');
  await expect(litmus.run(corpus('sb-mb.litmus'), { weakened: ['spin_lock'] })).rejects.toThrow(
    'spin_lock has no weaker form natively: expected one of READ_ONCE,',
  );
  const { holds } = await litmus.run(corpus('sb-mb.litmus'), { batches: 1 });
  expect(holds).toBe(true);
});

test.each([
  ['a primitive without native counterpart', 'P0(int *x) { r0 = atomic_fetch_or(1, x); }', 'atomic_fetch_or() has no'],
  ['a number of 64 bits', 'P0(int *x) { WRITE_ONCE(*x, 4294967296); }', '4294967296 does not fit a word of 32 bits'],
])('%s is not native', async (_, thread, message) => {
  const test = parseLitmus(`C wide\n{}\n${thread}\nexists (x=1)`);
  await expect(litmus.run(test)).rejects.toThrow(message);
});
