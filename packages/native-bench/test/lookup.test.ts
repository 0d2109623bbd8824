// SPDX-License-Identifier: GPL-2.0-only
import { Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { findGetPage } from '@lockless/pagecache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { handWritten, type Lookup } from '../src/hand-written.js';
import { type CachedFile, cachedFile, contentAt } from './cached-file.js';

interface Copy<L extends Lookup> {
  readonly words: Int32Array;
  readonly lookup: L;
  /** Pages whose last reference was put. */
  readonly freed: number[];
}

function byHand({ engine, at }: CachedFile): Copy<Lookup> {
  const words = new Int32Array(new SharedArrayBuffer(engine.words.byteLength));
  words.set(engine.words);
  const freed: number[] = [];
  return { words, freed, lookup: handWritten(words, at, (page) => freed.push(page)) };
}

/** Which words differ. */
const differences = (a: Int32Array, b: Int32Array): number[] => {
  const found: number[] = [];
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) found.push(at);
  return found;
};

const index = fc.oneof(fc.nat(70), fc.nat(4200), fc.nat(2 ** 19 - 2), fc.constantFrom(0, 63, 64, 4095, 4096));

describe('the lookup by hand does what the kernel code does', () => {
  it('finds the same pages, and leaves every word of memory as the kernel code leaves it', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(index, { maxLength: 24 }),
        fc.array(
          fc.tuple(
            fc.oneof(
              index,
              fc.nat(23).map((n) => -1 - n),
            ),
            fc.boolean(),
          ),
          { maxLength: 40 },
        ),
        (indices, script) => {
          const file = cachedFile(indices);
          const hand = byHand(file);
          for (const [named, put] of script) {
            const wanted = named >= 0 ? named : (indices[-1 - named] ?? 0);
            const page = file.engine.run(findGetPage(file.mapping, wanted));
            expect(page).toBe(file.pages.get(wanted) ?? 0);
            expect(hand.lookup.findGetPage(file.mapping, wanted)).toBe(page);
            if (page !== 0 && put) {
              file.engine.run(putPage(page));
              hand.lookup.putPage(page);
            }
          }
          expect(differences(file.engine.words, hand.words)).toEqual([]);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('peeks without a reference', () => {
    const indices = [0, 1, 63, 64, 4095, 4096, 300_000];
    const file = cachedFile(indices);
    const hand = byHand(file);
    for (const wanted of [...indices, 2, 5000, 2 ** 31]) {
      const content = file.pages.has(wanted) ? contentAt(wanted) : 0;
      expect(hand.lookup.peekPage(file.mapping, wanted)).toBe(content);
      expect(handWritten(hand.words, file.at, () => {}, { quiet: true }).peekPage(file.mapping, wanted)).toBe(content);
    }
    expect(differences(file.engine.words, hand.words)).toEqual([]);
  });

  it('frees the page whose last reference it puts, and no other', () => {
    const file = cachedFile([3]);
    const page = file.pages.get(3) as number;
    const { words, lookup, freed } = byHand(file);
    lookup.findGetPage(file.mapping, 3);
    expect(words[page + Page.$offset._count]).toBe(2);
    lookup.putPage(page);
    expect(freed).toEqual([]);
    lookup.putPage(page);
    expect(freed).toEqual([page]);
  });
});
