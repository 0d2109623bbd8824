// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { parseLitmus } from '@lockless/litmus';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BatchSum } from '../src/batch-sum.js';
import { Crew } from '../src/crew.js';
import { INSTANCES } from '../src/litmus-cases.js';
import { litmusCode } from '../src/litmus-code.js';
import { FREE_WORDS } from '../src/thread-engine.js';

const BYTES = 4 * (FREE_WORDS + (1 << 20));
let crew: Crew;
beforeAll(() => {
  if (!existsSync(new URL('../dist/worker.js', import.meta.url)))
    throw new Error('packages/outcomes is not built: npm run build');
  crew = new Crew({ build: 'fast', memory: BYTES, out: BYTES });
});
afterAll(() => crew.end());

const CODE = litmusCode(
  parseLitmus(
    `C two
{}
P0(int *x) { WRITE_ONCE(*x, 1); }
P1(int *x) { r0 = READ_ONCE(*x); }
exists (1:r0=1)`,
    'two',
  ),
);
const TWO = { threads: 2, instances: INSTANCES };
const SOUND = { kind: 'litmus', code: CODE, table: 'fast', weakened: [], seed: 1 } as const;
/** The second thread loops for ever in an instance, without a pause, from its second batch on. */
const [first, second] = CODE.threads;
const PLANTED = {
  ...SOUND,
  code: {
    ...CODE,
    threads: [
      first,
      second.replace(
        'meet(n);',
        'meet(n); if (i === 2000 && (globalThis.planted = (globalThis.planted | 0) + 1) > 1) for (;;);',
      ),
    ],
  },
};

const instances = (outcomes: ReadonlyMap<string, number>): number =>
  [...outcomes.values()].reduce((sum, count) => sum + count, 0);

test('a thread that never comes back is named, what was counted before is kept, and the next run has new threads', async () => {
  const { stuck, outcomes } = await crew.run(PLANTED, TWO, { patience: 1 });
  expect({ stuck, instances: instances(outcomes) }).toEqual({ stuck: [1], instances: 4096 });
  const next = await crew.run(SOUND, TWO, { batches: 2 });
  expect({ stuck: next.stuck, instances: instances(next.outcomes) }).toEqual({ stuck: null, instances: 2 * 4096 });
});

test('who interrupts a run waits for a moment only, though the threads are stuck', async () => {
  const abort = new AbortController();
  const started = performance.now();
  const { stuck, outcomes } = await crew.run(PLANTED, TWO, {
    patience: 600,
    signal: abort.signal,
    onProgress: (batches) => batches > 0 && abort.abort(),
  });
  expect({ stuck, instances: instances(outcomes) }).toEqual({ stuck: null, instances: 4096 });
  expect(performance.now() - started).toBeLessThan(30_000);
});

test('a batch counts when all threads have told of it', () => {
  const sum = new BatchSum(2, 256);
  const meetings = { meetings: 4, met: 3 };
  const seen = (count: number, first: number) => [{ outcome: '1', count, first }];
  sum.add({ kind: 'counted', batch: 1, seen: seen(2, 1), givenUp: 1, ...meetings });
  sum.add({ kind: 'counted', batch: 7, seen: seen(4, 2), givenUp: 0, ...meetings });
  expect(sum.seen).toMatchObject({ outcomes: new Map(), givenUp: 0 });
  sum.add({ kind: 'counted', batch: 1, seen: [], givenUp: 1, ...meetings });
  expect(sum.seen).toEqual({ outcomes: new Map([['1', 2]]), found: new Map([['1', 256]]), givenUp: 2, met: 0.75 });
  sum.add({ kind: 'counted', batch: 7, seen: seen(8, 5), givenUp: 0, ...meetings });
  expect(sum.seen).toMatchObject({ outcomes: new Map([['1', 14]]), found: new Map([['1', 256]]) });
});
