// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, Ref } from '@lockless/cpu';
import { GFP_KERNEL, NULL, peek, poke } from '@lockless/cpu';
import { Inode, PAGECACHE_TAG_DIRTY, Page, PG_REFERENCED } from '@lockless/mm-types';
import {
  allocPage,
  getPage,
  lockPage,
  lruAddDrain,
  pageCount,
  pageDirty,
  pageFreezeRefs,
  pageLocked,
  pageLru,
  pageSwapCache,
  pageUptodate,
  putPage,
  setPageUptodate,
  unlockPage,
  zonePageState,
} from '@lockless/page';
import { makeMigrationEntry, mmAlloc, pteAllocMap, swpEntryToPte } from '@lockless/rmap';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  addToPageCacheLru,
  addToSwap,
  findGetPage,
  findGetPagesTag,
  inodeAlloc,
  isolateLruPageForMigration,
  lookupSwapCache,
  migratePageMoveMapping,
  migrationEntryWait,
  pageSwapEntry,
  setPageDirty,
  swapAreaInit,
  swapStateInit,
  unmapAndMove,
} from '../src/index.js';
import { bootSequential, type SequentialSystem } from './sequential-system.js';

const INDEX = 5;
let system: SequentialSystem;
let inode: Ptr<Inode>;
let page: Ptr<Page>;
let fresh: Ptr<Page>;
const run = <T>(op: Op<T> | Access<T>): T => system.run(op as Op<T>);
const at = <T>(look: () => T): T =>
  run(
    (function* () {
      return look();
    })(),
  );
const word = <V extends number>(ref: Ref<V>): V => at(() => peek(ref));
const mapping = () => Inode.data(inode);

beforeEach(() => {
  system = bootSequential({ pages: 64 });
  run(swapStateInit());
  run(swapAreaInit(0, 4));
  inode = run(inodeAlloc(1, 4096 * 10)) as Ptr<Inode>;
  page = run(allocPage(GFP_KERNEL)) as Ptr<Page>;
  run(addToPageCacheLru(page, mapping(), INDEX, GFP_KERNEL));
  run(lruAddDrain());
  run(setPageUptodate(page));
  at(() => poke(Page.contentIdentity(page), 77));
  run(unlockPage(page));
  // Of the three references the cache's is left, as after the read that brought it in.
  run(putPage(page));
  fresh = run(allocPage(GFP_KERNEL)) as Ptr<Page>;
});

describe('a page of a file', () => {
  it('moves to another frame with all that it is', () => {
    run(setPageDirty(page));
    at(() => poke(Page.flags(page), peek(Page.flags(page)) | (1 << PG_REFERENCED)));
    expect(run(isolateLruPageForMigration(page))).toBe(0);
    expect([run(pageCount(page)), run(pageLru(page))]).toEqual([2, false]);
    expect(run(unmapAndMove(fresh, page, true))).toBe(0);
    expect(run(findGetPage(mapping(), INDEX))).toBe(fresh);
    expect(run(findGetPagesTag(mapping(), 0, PAGECACHE_TAG_DIRTY, 10))).toEqual([fresh]);
    expect([run(pageDirty(fresh)), run(pageUptodate(fresh)), run(pageLocked(fresh))]).toEqual([true, true, false]);
    expect([word(Page.index(fresh)), word(Page.mapping(fresh)), word(Page.contentIdentity(fresh))]).toEqual([
      INDEX,
      mapping(),
      77,
    ]);
    expect(word(Page.flags(fresh)) & (1 << PG_REFERENCED)).not.toBe(0);
    expect([run(pageDirty(page)), word(Page.mapping(page)), run(pageCount(page))]).toEqual([false, 0, 1]);
    expect(at(() => zonePageState().nr_dirty)).toBe(1);
    // The last reference of the old page; freeing checks what it still says of itself.
    run(putPage(page));
  });

  it('stays when somebody else refers to it', () => {
    run(isolateLruPageForMigration(page));
    run(getPage(page));
    expect(run(unmapAndMove(fresh, page, true))).toBe(-11);
    expect(run(findGetPage(mapping(), INDEX))).toBe(page);
    expect([word(Page.mapping(fresh)), run(pageCount(fresh)), run(pageLocked(fresh)), run(pageLocked(page))]).toEqual([
      0,
      1,
      false,
      false,
    ]);
  });

  it('stays when it is locked and nobody insists', () => {
    run(isolateLruPageForMigration(page));
    run(lockPage(page));
    expect(run(unmapAndMove(fresh, page, false))).toBe(-11);
    expect(run(pageLocked(page))).toBe(true);
  });

  it('is isolated once', () => {
    expect(run(isolateLruPageForMigration(page))).toBe(0);
    expect(run(isolateLruPageForMigration(page))).toBe(-16);
    expect(run(isolateLruPageForMigration(fresh))).toBe(-16);
  });
});

describe('a page of the swap cache', () => {
  it('takes its entry along', () => {
    const anon = run(allocPage(GFP_KERNEL)) as Ptr<Page>;
    run(setPageUptodate(anon));
    run(lockPage(anon));
    run(addToSwap(anon, GFP_KERNEL));
    const entry = run(pageSwapEntry(anon));
    run(lockPage(fresh));
    expect(run(migratePageMoveMapping(fresh, anon))).toBe(0);
    expect([run(pageSwapCache(fresh)), run(pageSwapEntry(fresh))]).toEqual([true, entry]);
    expect([run(pageCount(anon)), run(pageCount(fresh))]).toEqual([1, 2]);
    expect(run(lookupSwapCache(entry))).toBe(fresh);
  });
});

describe('a page of nobody', () => {
  it("moves if it is the caller's alone", () => {
    const orphan = run(allocPage(GFP_KERNEL)) as Ptr<Page>;
    expect(run(migratePageMoveMapping(fresh, orphan))).toBe(0);
    run(getPage(orphan));
    expect(run(migratePageMoveMapping(fresh, orphan))).toBe(-11);
  });
});

describe('a migration entry', () => {
  const mapped = (write: boolean) => {
    const mm = run(mmAlloc());
    const ptep = mm === NULL ? NULL : run(pteAllocMap(mm, 0));
    if (mm === NULL || ptep === NULL) throw new Error('no memory');
    at(() => poke(ptep, swpEntryToPte(makeMigrationEntry(page, write))));
    return { mm, ptep };
  };

  it('lets a fault wait, without a reference while the page is frozen', () => {
    const { mm } = mapped(false);
    run(migrationEntryWait(mm, 0));
    expect(run(pageCount(page))).toBe(1);
    expect(run(pageFreezeRefs(page, 1))).toBe(true);
    run(migrationEntryWait(mm, 0));
    expect(run(pageCount(page))).toBe(0);
    // No entry, no table: nothing to wait for.
    run(migrationEntryWait(mm, 1));
    run(migrationEntryWait(mm, 2 ** 20));
  });
});
