// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, Ref } from '@lockless/cpu';
import { GFP_KERNEL, KernelBug, NULL, peek, poke } from '@lockless/cpu';
import { Page, PG_DIRTY } from '@lockless/mm-types';
import {
  allocPage,
  clearPageDirty,
  frameStates,
  freeHotColdPage,
  getPage,
  lockPage,
  pageDirty,
  pageLocked,
  pageSwapCache,
  pageToPfn,
  putPage,
  setPageUptodate,
  testSetPageWriteback,
  unlockPage,
} from '@lockless/page';
import {
  isMigrationEntry,
  isSwapPte,
  isWriteMigrationEntry,
  MAX_SWAPFILES,
  makeMigrationEntry,
  migrationEntryToPage,
  nonSwapEntry,
  pteFile,
  pteNone,
  ptePresent,
  pteToSwpEntry,
  type SwpEntry,
  swpEntry,
  swpEntryToPte,
  swpOffset,
  swpType,
} from '@lockless/rmap';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  addToSwap,
  addToSwapCache,
  canShareSwapPage,
  deleteFromSwapCache,
  freeSwapAndCache,
  getSwapPage,
  lockSwapCachePage,
  lookupSwapCache,
  pageSwapEntry,
  removeExclusiveSwapPage,
  removeFromSwapCacheFrozen,
  swapAreaInit,
  swapDuplicate,
  swapFree,
  swapStateInit,
  swapUsers,
  tryToFreeSwap,
  vmSwapFull,
} from '../src/index.js';
import { bootSequential, type SequentialSystem } from './sequential-system.js';

const PLACES = 4;
let system: SequentialSystem;
const run = <T>(op: Op<T> | Access<T>): T => system.run(op as Op<T>);
/** The machine looked at from outside. */
const at = <T>(look: () => T): T =>
  run(
    (function* () {
      return look();
    })(),
  );
const word = (ref: Ref<number>): number => at(() => peek(ref));
const setWord = (ref: Ref<number>, value: number): void => at(() => poke(ref, value));
const count = (page: Ptr<Page>): number => word(Page._count(page));
const users = (entry: SwpEntry): number => run(swapUsers(entry));

beforeEach(() => {
  system = bootSequential({ pages: 64 });
  run(swapStateInit());
  run(swapAreaInit(0, PLACES));
});

const freshPage = (): Ptr<Page> => {
  const page = run(allocPage(GFP_KERNEL)) as Ptr<Page>;
  run(setPageUptodate(page));
  return page;
};
/** In the swap cache, locked, clean, with the caller's reference; so many page-table entries name its place. */
const swapped = (entries: number): { page: Ptr<Page>; entry: SwpEntry } => {
  const page = freshPage();
  run(lockPage(page));
  expect(run(addToSwap(page, GFP_KERNEL))).toBe(true);
  expect(run(pageDirty(page))).toBe(true);
  run(clearPageDirty(page));
  const entry = run(pageSwapEntry(page));
  for (let i = 0; i < entries; i++) expect(run(swapDuplicate(entry))).toBe(true);
  return { page, entry };
};
const isFree = (page: Ptr<Page>): boolean => at(() => frameStates()[pageToPfn(page)]) !== 'allocated';

describe('entries', () => {
  it('survive a page table, in which they look like nothing else', () => {
    const type = fc.integer({ min: 0, max: MAX_SWAPFILES + 2 });
    fc.assert(
      fc.property(type, fc.integer({ min: 1, max: 2 ** 20 - 1 }), (t, offset) => {
        const entry = swpEntry(t, offset);
        const pte = swpEntryToPte(entry);
        expect([ptePresent(pte), pteNone(pte), pteFile(pte), isSwapPte(pte)]).toEqual([false, false, false, true]);
        expect(pteToSwpEntry(pte)).toBe(entry);
        expect([swpType(entry), swpOffset(entry)]).toEqual([t, offset]);
        expect(nonSwapEntry(entry)).toBe(t >= MAX_SWAPFILES);
        expect(isMigrationEntry(entry)).toBe(t > MAX_SWAPFILES);
      }),
    );
  });

  it('of a migration name the frame, and whether it was writable', () => {
    const page = freshPage();
    for (const write of [false, true]) {
      const entry = at(() => makeMigrationEntry(page, write));
      expect(at(() => migrationEntryToPage(entry))).toBe(page);
      expect(isWriteMigrationEntry(entry)).toBe(write);
      expect(run(swapDuplicate(entry))).toBe(true);
    }
  });
});

describe('the swap map', () => {
  it('behaves as a list of counters', () => {
    const command = fc.oneof(
      fc.constant({ what: 'get' as const }),
      fc.record({ what: fc.constantFrom('free' as const, 'duplicate' as const), which: fc.nat(PLACES - 1) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        system = bootSequential({ pages: 16 });
        run(swapAreaInit(0, PLACES));
        const model = new Array<number>(PLACES).fill(0);
        let next = 0;
        const entryOf = (which: number): SwpEntry => swpEntry(0, which + 1);
        for (const step of commands) {
          if (step.what === 'get') {
            // The first free one behind the last that was given out, from the start again after the end.
            const behind = model.indexOf(0, next);
            const first = behind < 0 ? model.indexOf(0) : behind;
            expect(run(getSwapPage())).toBe(first < 0 ? NULL : entryOf(first));
            if (first < 0) continue;
            model[first] = 1;
            next = first + 1;
          } else if (step.what === 'duplicate') {
            expect(run(swapDuplicate(entryOf(step.which)))).toBe(model[step.which] > 0);
            if (model[step.which] > 0) model[step.which]++;
          } else if (model[step.which] > 0) {
            run(swapFree(entryOf(step.which)));
            model[step.which]--;
          } else {
            expect(() => run(swapFree(entryOf(step.which)))).toThrow(KernelBug);
            return;
          }
          expect(model.map((_, which) => users(entryOf(which)))).toEqual(model);
          expect(run(vmSwapFull())).toBe(model.filter((n) => n > 0).length > PLACES / 2);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['beyond the end', 0, PLACES + 1],
    ['of no area', 3, 1],
  ])('refuses a place %s', (_what, type, offset) => {
    expect(() => run(swapFree(swpEntry(type, offset)))).toThrow('bad swap entry');
  });
});

describe('the swap cache', () => {
  it('has a page under its entry until it is deleted', () => {
    const { page, entry } = swapped(0);
    expect([count(page), users(entry)]).toEqual([2, 1]);
    expect(run(lookupSwapCache(entry))).toBe(page);
    expect(count(page)).toBe(3);
    run(deleteFromSwapCache(page));
    expect([count(page), users(entry), run(pageSwapCache(page)), word(Page.private(page))]).toEqual([2, 0, false, 0]);
    expect(run(lookupSwapCache(entry))).toBe(NULL);
  });

  it('takes back what it did when another page has the entry', () => {
    const { entry } = swapped(0);
    const page = freshPage();
    run(lockPage(page));
    expect(run(addToSwapCache(page, entry, GFP_KERNEL))).toBe(-17);
    expect([count(page), run(pageSwapCache(page)), word(Page.private(page))]).toEqual([1, false, 0]);
  });

  it('ends when the area is full', () => {
    for (let i = 0; i < PLACES; i++) swapped(0);
    const page = freshPage();
    run(lockPage(page));
    expect(run(addToSwap(page, GFP_KERNEL))).toBe(false);
    expect([count(page), run(pageSwapCache(page))]).toEqual([1, false]);
  });

  it('gives a page to reclaim when nobody else has it and it is clean', () => {
    const { page, entry } = swapped(1);
    run(getPage(page));
    expect(run(removeFromSwapCacheFrozen(page))).toBe(false);
    run(putPage(page));
    setWord(Page.flags(page), word(Page.flags(page)) | (1 << PG_DIRTY));
    expect(run(removeFromSwapCacheFrozen(page))).toBe(false);
    expect(count(page)).toBe(2);
    run(clearPageDirty(page));
    expect(run(removeFromSwapCacheFrozen(page))).toBe(true);
    // The entry in the page table keeps the place: its content is on the disk.
    expect([count(page), users(entry)]).toEqual([0, 1]);
    run(unlockPage(page));
    run(freeHotColdPage(page, true));
  });

  it('tells a fault that its page has left, or is there for another entry', () => {
    const { page, entry } = swapped(1);
    run(unlockPage(page));
    expect(run(lockSwapCachePage(page, entry))).toBe(true);
    run(unlockPage(page));
    expect(run(lockSwapCachePage(page, swpEntry(0, 3)))).toBe(false);
    run(lockPage(page));
    run(deleteFromSwapCache(page));
    run(unlockPage(page));
    expect(run(lockSwapCachePage(page, entry))).toBe(false);
    expect(run(pageLocked(page))).toBe(false);
  });
});

describe('the last user of a place', () => {
  it.each([
    ['nobody else', 0, 0, false, true, true],
    ['a reference', 0, 1, false, false, true],
    ['an entry', 1, 0, false, false, false],
    ['writeback', 0, 0, true, false, false],
  ])(
    'with %s: the page leaves the cache, by count or without',
    (_what, entries, references, writeback, exclusive, free) => {
      for (const [attempt, expected] of [
        [removeExclusiveSwapPage, exclusive],
        [tryToFreeSwap, free],
      ] as const) {
        const { page, entry } = swapped(entries);
        for (let i = 0; i < references; i++) run(getPage(page));
        if (writeback) run(testSetPageWriteback(page));
        expect(run(attempt(page))).toBe(expected);
        expect([run(pageSwapCache(page)), run(pageDirty(page))]).toEqual([!expected, expected]);
        expect(users(entry)).toBe(expected ? 0 : 1 + entries);
        expect(count(page)).toBe(1 + references + (expected ? 0 : 1));
      }
    },
  );

  it('goes with its page, unless somebody has that', () => {
    const alone = swapped(1);
    run(unlockPage(alone.page));
    run(putPage(alone.page));
    run(freeSwapAndCache(alone.entry));
    expect([users(alone.entry), isFree(alone.page)]).toEqual([0, true]);

    const shared = swapped(2);
    run(unlockPage(shared.page));
    run(putPage(shared.page));
    run(freeSwapAndCache(shared.entry));
    expect([users(shared.entry), run(pageSwapCache(shared.page))]).toEqual([2, true]);

    const held = swapped(1);
    run(unlockPage(held.page));
    run(freeSwapAndCache(held.entry));
    expect([users(held.entry), run(pageSwapCache(held.page)), count(held.page)]).toEqual([1, true, 2]);

    // More than half of the places are in use: now references do not matter.
    run(swapDuplicate(held.entry));
    swapped(0);
    run(freeSwapAndCache(held.entry));
    expect([users(held.entry), run(pageSwapCache(held.page)), count(held.page)]).toEqual([0, false, 1]);
  });

  it('leaves a locked page alone, and a migration entry', () => {
    const { page, entry } = swapped(1);
    run(freeSwapAndCache(entry));
    expect([users(entry), run(pageSwapCache(page)), count(page)]).toEqual([1, true, 2]);
    run(freeSwapAndCache(at(() => makeMigrationEntry(page, false))));
    expect(count(page)).toBe(2);
  });

  it('is counted with the mappings when a page is to be written in place', () => {
    const { page } = swapped(1);
    expect(run(canShareSwapPage(page))).toBe(true);
    setWord(Page._mapcount(page), 0);
    expect(run(canShareSwapPage(page))).toBe(false);
    setWord(Page._mapcount(page), 1);
    expect(run(canShareSwapPage(page))).toBe(false);
    const mapped = swapped(0).page;
    expect(run(canShareSwapPage(mapped))).toBe(false);
    setWord(Page._mapcount(mapped), 0);
    expect(run(canShareSwapPage(mapped))).toBe(true);
  });
});
