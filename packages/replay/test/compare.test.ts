// SPDX-License-Identifier: GPL-2.0-only
import type { FaultCounts, ProcessResult, RssPages } from '@lockless/report';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreement, compare } from '../src/compare.js';
import { truthOf } from '../src/index.js';
import { CODE, exec, exit, file, recording, touch } from './small.js';

const source = recording(
  [
    exec(),
    touch(1, 2, CODE),
    { kind: 'added', tid: 1, start: 3, file: 0, index: 0, pages: 4 },
    { kind: 'added', tid: 1, start: 4, file: 1, index: 0, pages: 4 },
    exit(1, 9),
  ],
  [file(0, 8), file(1, 8, { kind: 'metadata' })],
);
const faults = (total: number): FaultCounts => ({ total, anonymous: total, file: 0, cow: 0, mkwrite: 0 });

function result(
  simulated: number,
  real: number,
  rss: { simulated: RssPages | null; real: RssPages | null },
): ProcessResult {
  return {
    pid: 1,
    space: 0,
    comm: 'program',
    born: 'exec',
    majorFaults: 0,
    exit: 0,
    faults: { simulated: faults(simulated), real: faults(real) },
    rssAtExit: rss,
    rssPeak: { simulated: { file: 0, anon: 0 }, real: { file: 0, anon: 0 } },
  };
}

const equalRss = { simulated: { file: 5, anon: 6 }, real: { file: 5, anon: 6 } };
const added = (...pages: number[]): Set<number>[] => [new Set(pages), new Set()];
const LIKE_THE_REAL_ONE = { incomplete: false, errors: false, reclaimed: false, neighbours: false };
const compared = (process: ProcessResult, adds: Set<number>[]) =>
  compare(source, truthOf(source), [process], adds, { file: [], anon: [] }, LIKE_THE_REAL_ONE);
const agreementOf = (comparison: ReturnType<typeof compare>, name: string): number | undefined =>
  comparison.measures.find((measure) => measure.name === name)?.agreement;

describe('agreement', () => {
  const items = fc.array(fc.record({ item: fc.constant(''), simulated: fc.nat(99), real: fc.nat(99) }));

  it('is 1 when all is equal and only then, never below 0, and the same from both sides (property)', () => {
    fc.assert(
      fc.property(items, (list) => {
        const value = agreement(list);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value === 1).toBe(list.every(({ simulated, real }) => simulated === real));
        expect(agreement(list.map(({ item, simulated, real }) => ({ item, simulated: real, real: simulated })))).toBe(
          value,
        );
      }),
    );
  });

  it('half as many is 0.5, and so are twice as many; errors of two items do not cancel out', () => {
    expect(agreement([{ item: 'a', simulated: 5, real: 10 }])).toBe(0.5);
    expect(agreement([{ item: 'a', simulated: 20, real: 10 }])).toBe(0.5);
    expect(
      agreement([
        { item: 'a', simulated: 10, real: 0 },
        { item: 'b', simulated: 0, real: 10 },
      ]),
    ).toBe(0);
    expect(agreement([])).toBe(1);
  });
});

describe('compare', () => {
  it('equal sides: 1 everywhere and no difference; files that are not modelled do not count', () => {
    const comparison = compared(result(3, 3, equalRss), added(0, 1, 2, 3));
    expect(comparison.measures.map(({ agreement: value }) => value)).toEqual(comparison.measures.map(() => 1));
    expect(comparison.differences).toEqual([]);
  });

  it('a page that nobody asked for is the read-ahead window; one that was asked for is unexplained', () => {
    const more = compared(result(3, 3, equalRss), added(0, 1, 2, 3, 4, 5));
    expect(agreementOf(more, 'pagecache.added')).toBeCloseTo(4 / 6);
    expect(more.differences).toEqual([
      { measure: 'pagecache.added', item: '/file/0', simulated: 6, real: 4, cause: 'read-ahead-window' },
    ]);
    const missing = compared(result(3, 3, equalRss), added(1, 2, 3));
    expect(missing.differences.map(({ cause }) => cause)).toEqual(['unexplained']);
  });

  it('the same number of other pages is a difference', () => {
    const other = compared(result(3, 3, equalRss), added(4, 5, 6, 7));
    expect(agreementOf(other, 'pagecache.added')).toBe(0);
    expect(other.differences.length).toBe(1);
  });

  it('faults and resident pages are told by address space; one whose end is not known is left out', () => {
    const differs = compared(
      result(2, 4, { simulated: { file: 5, anon: 3 }, real: { file: 5, anon: 6 } }),
      added(0, 1, 2, 3),
    );
    expect(agreementOf(differs, 'faults.total')).toBe(0.5);
    expect(agreementOf(differs, 'rss.anon.exit')).toBe(0.5);
    expect(differs.differences.map(({ measure, item }) => `${measure} ${item}`)).toEqual([
      'faults.total program (pid 1, space 0)',
      'faults.anonymous program (pid 1, space 0)',
      'rss.anon.exit program (pid 1, space 0)',
    ]);
    const unknown = compared(result(4, 4, { simulated: { file: 1, anon: 1 }, real: null }), added(0, 1, 2, 3));
    expect(unknown.measures.find(({ name }) => name === 'rss.anon.exit')).toMatchObject({ items: 0, agreement: 1 });
  });
});
