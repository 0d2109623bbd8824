// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL } from '@lockless/cpu';
import { Page, PG_DIRTY } from '@lockless/mm-types';
import {
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
  testSetPageWriteback,
  unlockPage,
} from '@lockless/page';
import { makeMigrationEntry, type SwpEntry, swpEntry } from '@lockless/rmap';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  addToSwap,
  addToSwapCache,
  canShareSwapPage,
  deleteFromSwapCache,
  freeSwapAndCache,
  lockSwapCachePage,
  lookupSwapCache,
  pageSwapEntry,
  removeExclusiveSwapPage,
  removeFromSwapCacheFrozen,
  swapDuplicate,
  tryToFreeSwap,
} from '../src/index.js';
import { at, boot, count, freshPage, PLACES, run, setWord, users, word } from './swap-system.js';

beforeEach(() => boot(64));

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
