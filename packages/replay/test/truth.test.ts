// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { recordingTotals } from '@lockless/recording';
import { describe, expect, it } from 'vitest';
import { footprint, framesFor } from '../src/footprint.js';
import { SimulationInputError, truthOf } from '../src/index.js';
import { faultCounts } from '../src/truth.js';
import { BUNDLED, bundled } from './bundled.js';
import { CODE, DATA, exec, exit, file, recording, STACK_TOP, touch } from './small.js';

/** The table of recordings/README.md: faults and pages added by recording. */
const TABLE = new Map(
  [
    ...readFileSync(new URL('../../../recordings/README.md', import.meta.url), 'utf8').matchAll(
      /^\| `([\w-]+)\.lkr\.gz` \| \d+ \| \d+ \| \d+ \| \d+ \| (\d+) \| (\d+) \|$/gm,
    ),
  ].map(([, name, faults, added]) => [name, { faults: Number(faults), added: Number(added) }]),
);

describe('truthOf', () => {
  it.each(BUNDLED)('%s: every fault has a place and a kind, and the sums are the documented ones', (name) => {
    const source = bundled(name);
    const truth = truthOf(source);
    const faults = truth.spaces.reduce((sum, space) => sum + faultCounts(space.faults).total, 0);
    expect(truth.unplaced).toBe(0);
    expect(faults).toBe(TABLE.get(name)?.faults);
    const { userFaults, kernelFaults, pagesAdded, pagesRemoved } = recordingTotals(source);
    expect(faults).toBe(userFaults + kernelFaults);
    expect(pagesAdded).toBe(TABLE.get(name)?.added);
    // A page that left and came again is one page of the set.
    const added = truth.added.reduce((sum, pages) => sum + pages.size, 0);
    expect(added).toBeLessThanOrEqual(pagesAdded);
    expect(added).toBeGreaterThanOrEqual(pagesAdded - pagesRemoved);
    expect(truth.removed.reduce((sum, pages) => sum + pages, 0)).toBe(pagesRemoved);
  });

  it('kinds of faults, file indexes and counters, record by record', () => {
    const counter = (start: number, member: 'anon' | 'file', pages: number) =>
      ({ kind: 'rss', tid: 1, start, space: 0, member, pages }) as const;
    const truth = truthOf(
      recording(
        [
          exec(),
          counter(2, 'anon', 3),
          touch(1, 3, CODE + 1, 'exec'),
          touch(1, 4, DATA),
          { ...touch(1, 5, DATA, 'write'), present: true },
          touch(1, 6, DATA + 1, 'write'),
          touch(1, 7, STACK_TOP - 100, 'write'),
          touch(1, 8, 0x5000),
          { kind: 'added', tid: 1, start: 9, file: 0, index: 2, pages: 3 },
          { kind: 'removed', tid: 1, start: 10, file: 0, index: 3, pages: 1 },
          {
            kind: 'read',
            tid: 1,
            start: 11,
            end: 12,
            ofd: 1,
            file: 1,
            offset: 4000,
            length: 200,
            result: 200,
            buffers: [],
          },
          counter(13, 'file', 7),
          counter(14, 'anon', 9),
          counter(15, 'anon', 0),
          exit(1, 20),
        ],
        [file(0, 8), file(1, 2)],
      ),
    );
    const [space] = truth.spaces;
    expect(faultCounts(space.faults)).toEqual({ anonymous: 1, file: 2, cow: 2, mkwrite: 0, total: 5 });
    expect(truth.unplaced).toBe(1);
    expect(truth.added.map((pages) => [...pages])).toEqual([[2, 3, 4], []]);
    expect(truth.removed).toEqual([1, 0]);
    expect(truth.wanted.map((pages) => [...pages])).toEqual([
      [1, 4, 5],
      [0, 1],
    ]);
    expect(space).toMatchObject({ argumentPages: 3, rssPeak: { file: 7, anon: 9 }, rss: { file: 7, anon: 0 } });
    expect(truth.rssChanges).toEqual([
      [1, 0, 0, 3],
      [11, 0, 7, 3],
      [12, 0, 7, 9],
      [13, 0, 7, 0],
    ]);
  });
});

describe('footprint', () => {
  const source = recording(
    [
      exec(),
      { kind: 'rss', tid: 1, start: 2, space: 0, member: 'anon', pages: 300 },
      { kind: 'rss', tid: 1, start: 3, space: 0, member: 'anon', pages: 100 },
      { kind: 'added', tid: 1, start: 4, file: 0, index: 0, pages: 600 },
      { kind: 'added', tid: 1, start: 5, file: 1, index: 0, pages: 50 },
      exit(1, 9),
    ],
    [file(0, 2000, { cached: [[500, 699]] }), file(1, 50, { kind: 'metadata' })],
  );
  const truth = truthOf(source);

  it('is each page that a file had in the cache, once, and the most anonymous memory', () => {
    expect(footprint(source, truth)).toBe(700 + 300);
  });

  it('a share of it leaves room for what cannot be reclaimed, and can boot', () => {
    expect(framesFor({ percent: 50 }, source, truth, 0)).toBe(500);
    expect(framesFor({ percent: 25 }, source, truth, 0)).toBe(375);
    expect(framesFor({ pages: 12 }, source, truth, 0)).toBe(12);
    expect(framesFor(undefined, source, truth, 0)).toBe(65_536);
    const little = recording([exec(), exit(1, 9)]);
    expect(() => framesFor({ percent: 100 }, little, truthOf(little), 0)).toThrow(SimulationInputError);
  });
});
