// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, defineGuard, GFP_KERNEL, NULL, readOnce, spinLockIrq, spinUnlockIrq, writeOnce } from '@lockless/cpu';
import { EAGAIN, EBUSY, ENOMEM, type MmStruct, Page } from '@lockless/mm-types';
import {
  clearPageLru,
  delPageFromLruList,
  getPage,
  getPageUnlessZero,
  getPageUnlessZeroExempt,
  lockPage,
  lruOf,
  pageAnon,
  pageLru,
  pageMapped,
  pagePrivate,
  pageSwapCache,
  pageWriteback,
  putPage,
  trylockPage,
  unlockPage,
  waitOnPageLocked,
  waitOnPageWriteback,
  Zone,
  zone,
} from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import {
  leavesMigrationEntries,
  migrationEntryOf,
  migrationEntryToPage,
  pteOffsetMapLock,
  pteUnmapUnlock,
  readPte,
  removeMigrationPtes,
  splitIfHuge,
  tryToUnmap,
} from '@lockless/rmap';
import { migratePageCopy } from './migrate-copy.js';
import { migratePageMoveMapping } from './migrate-mapping.js';
import { addToSwap } from './swap-state.js';

/*
 * mm/migrate.c, 2.6.27: a page moves to another frame. Its new frame takes its place in the tree while lookups go on:
 *
 *   1. lock the old page, take its mappings away (each entry becomes a migration entry, which counts as no reference);
 *   2. freeze the old page: if its count is not the expected one, somebody is at it, and it stays where it is;
 *   3. put the new page, complete and locked, into the slot;
 *   4. unfreeze the old page, and drop the cache's reference to it;
 *   5. copy, restore the mappings, unlock both.
 *
 * A lookup that read the slot before 3 has the old page in hand. Between 2 and 4 it gets no reference and starts again. After 4 it gets one,
 * and sees that the slot has another page. So 3 must be visible before 4 is: the release in page_unfreeze_refs() (kernel-facts A11).
 */

const getUnlessZero = defineGuard(
  'migrationEntryWait.getUnlessZero',
  'a fault that meets a migration entry takes its reference with get_page()',
);
const readsUnderRcu = defineGuard(
  'migrationEntryWait.rcuReadLock',
  'a fault that meets a migration entry is no RCU reader while it takes its reference (before patch 1 of 9, 2011)',
);
const ownReference = defineGuard(
  'isolateLruPageForMigration.ownReference',
  'a page is taken off the LRU for migration on the strength of the reference of who maps it (before 053837fce7)',
);
const rcuHeld = defineGuard(
  'unmapAndMove.rcuReadLock',
  'migration unmaps an anonymous page and maps it again without an RCU read-side section around both (before 989f89c57e)',
);
const mappedCheck = defineGuard(
  'unmapAndMove.mappedCheck',
  'migration goes on with an anonymous page that lost its last entry before the RCU read-side section began (before 67b9509b2c68)',
);

const lruLock = Zone.lruLock(zone);

/**
 * Takes a page off the LRU, to be migrated. The reference is the migration's own: who maps the page may unmap it at any time, and the last
 * reference frees it. *Context*: something else keeps the page until then: a page table's lock, a reference.
 * *Returns* 0, or -EBUSY: not on the LRU, or being freed.
 * *Source*: `isolate_lru_page`, mm/migrate.c, 2.6.27, with 053837fce7. *Differs*: the caller keeps the page, not a list.
 */
export function* isolateLruPageForMigration(page: Ptr<Page>): Op<number> {
  if (!(yield* pageLru(page))) return -EBUSY;
  yield* spinLockIrq(lruLock);
  const isolated =
    (yield* pageLru(page)) && (!ownReference() || (yield* getPageUnlessZeroExempt(page, 'isolateLruPageForMigration')));
  if (isolated) {
    yield* clearPageLru(page);
    yield* delPageFromLruList(page, yield* lruOf(page));
  }
  yield* spinUnlockIrq(lruLock);
  return isolated ? 0 : -EBUSY;
}

/** migrate_page(): of a page without buffers. *Context* and *Returns* as {@link migratePageMoveMapping}. *Source*: mm/migrate.c, 2.6.27. */
function* migratePage(newpage: Ptr<Page>, page: Ptr<Page>): Op<number> {
  bugOn(yield* pageWriteback(page), 'migrate_page: PageWriteback(page)');
  const error = yield* migratePageMoveMapping(newpage, page);
  if (error === 0) yield* migratePageCopy(newpage, page);
  return error;
}

/**
 * Gives the old page's place to a new one that nobody knows yet: 2 to 5, but for unlocking the old one.
 * *Context*: old page locked and not mapped, a reference to each. *Returns* 0 or -EAGAIN; then the new page is as it was.
 * *Source*: `move_to_new_page`, mm/migrate.c, 2.6.27. *Differs*: no file system has a way of its own; a page with buffers stays.
 */
function* moveToNewPage(newpage: Ptr<Page>, page: Ptr<Page>): Op<number> {
  bugOn(!(yield* trylockPage(newpage)), 'move_to_new_page: the new page is locked');
  yield* writeOnce(Page.index(newpage), yield* readOnce(Page.index(page)));
  yield* writeOnce(Page.mapping(newpage), yield* readOnce(Page.mapping(page)));
  const error = (yield* pagePrivate(page)) ? -EAGAIN : yield* migratePage(newpage, page);
  if (error === 0) yield* remap(page, newpage);
  else yield* writeOnce(Page.mapping(newpage), NULL);
  yield* unlockPage(newpage);
  return error;
}

/**
 * Moves one page to another frame. *Context*: the caller has isolated it, `newpage` is fresh; may sleep; `force`: waits for the page lock and
 * for writeback.
 * *Returns* 0: the new page is in its place, the caller's reference to the old one is the last. -EAGAIN: try again later. -ENOMEM: the page
 * needs a place in swap to be moved, and there is none.
 * *Source*: `unmap_and_move`, mm/migrate.c, 2.6.27; {@link givePlaceInSwap} as in 2.6.16. *Differs*: both pages stay the caller's, who puts them
 * back.
 */
export function* unmapAndMove(newpage: Ptr<Page>, page: Ptr<Page>, force: boolean): Op<number> {
  if (!(yield* splitIfHuge(page))) return -EAGAIN;
  if (!(yield* trylockPage(page))) {
    if (!force) return -EAGAIN;
    yield* lockPage(page);
  }
  let error = -EAGAIN;
  if (force) yield* waitOnPageWriteback(page);
  if (!(yield* pageWriteback(page))) {
    error = yield* givePlaceInSwap(page);
    if (error === 0) error = yield* unmapAndMoveLocked(newpage, page);
  }
  yield* unlockPage(page);
  return error;
}

/**
 * Where try_to_unmap() cannot leave migration entries, an anonymous page has to be in the swap cache: its entries become places in swap, and the
 * page that is found there on the next fault is the new one.
 */
function* givePlaceInSwap(page: Ptr<Page>): Op<number> {
  if (leavesMigrationEntries() || !(yield* pageAnon(page)) || (yield* pageSwapCache(page))) return 0;
  return (yield* addToSwap(page, GFP_KERNEL)) ? 0 : -ENOMEM;
}

function* unmapAndMoveLocked(newpage: Ptr<Page>, page: Ptr<Page>): Op<number> {
  // While no entry maps it, nothing else keeps the anon_vma for remove_migration_ptes() (989f89c57e).
  const anon = yield* pageAnon(page);
  const keepAnonVma = anon && rcuHeld();
  if (keepAnonVma) yield* rcuReadLock();
  // Unmapped before the section began: the anon_vma is gone, and nobody is left who would miss the page.
  const found = !anon || !mappedCheck() || (yield* pageSwapCache(page)) || (yield* pageMapped(page));
  const error = found ? yield* unmapAndMoveFound(newpage, page) : -EAGAIN;
  if (keepAnonVma) yield* rcuReadUnlock();
  return error;
}

function* unmapAndMoveFound(newpage: Ptr<Page>, page: Ptr<Page>): Op<number> {
  let error = -EAGAIN;
  yield* tryToUnmap(page, true); // 1.
  if (!(yield* pageMapped(page))) error = yield* moveToNewPage(newpage, page);
  if (error !== 0) yield* remap(page, page);
  return error;
}

/** The entries of a page of the swap cache have become places in swap: there is nothing to restore, and the anon_vma may be gone. */
function* remap(old: Ptr<Page>, page: Ptr<Page>): Op<void> {
  if (!(yield* pageAnon(page)) || !(yield* pageSwapCache(page))) yield* removeMigrationPtes(old, page);
}

/**
 * A fault has met a migration entry: waits until the page has moved. The fault is then repeated, whatever came of it.
 * *Context*: mmap_sem for reading; sleeps.
 *
 * The entry counts as no reference, and the page may be frozen: get_page_unless_zero() fails then, and must, or the freeze would end with a
 * count that its owner does not expect (kernel-facts A10). The fault comes back, until the page is unfrozen or the entry is gone.
 * *Source*: `migration_entry_wait`, mm/migrate.c, 2.6.27; an RCU reader from the entry to the reference since "mm: rcu read lock for getting
 * reference on pages in migration_entry_wait()" (2011).
 */
export function* migrationEntryWait(mm: Ptr<MmStruct>, address: number): Op<void> {
  const ptep = yield* pteOffsetMapLock(mm, address);
  if (ptep === NULL) return;
  if (readsUnderRcu()) yield* rcuReadLock();
  const entry = migrationEntryOf(yield* readPte(ptep));
  const page = entry === NULL ? NULL : migrationEntryToPage(entry);
  let pinned = page !== NULL;
  if (page !== NULL && getUnlessZero()) pinned = yield* getPageUnlessZero(page);
  else if (page !== NULL) yield* getPage(page);
  if (readsUnderRcu()) yield* rcuReadUnlock();
  yield* pteUnmapUnlock(mm, ptep);
  if (!pinned || page === NULL) return;
  yield* waitOnPageLocked(page);
  yield* putPage(page);
}
