// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, condResched, defineGuard, NULL, pointedFunction, readOnce } from '@lockless/cpu';
import { AddressSpace, PAGE_SHIFT, PAGE_SIZE, Page } from '@lockless/mm-types';
import {
  clearPageMappedToDisk,
  deactivatePage,
  lockPage,
  modZonePageState,
  NR_FILE_DIRTY,
  PAGEVEC_SIZE,
  pageDirty,
  pageMapped,
  pageMapping,
  pagePrivate,
  pageWriteback,
  putPage,
  releasePages,
  testClearPageDirty,
  trylockPage,
  unlockPage,
  waitOnPageWriteback,
} from '@lockless/page';
import { unmapMappingRange } from '@lockless/rmap';
import { deactivatesInvalidated } from './config.js';
import { accountsDirty, removeFromPageCache, removeFromPageCacheLocked } from './filemap.js';
import { findGetPages, findLockPage } from './filemap-lookup.js';
import { removeMapping } from './remove-mapping.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/** Kernel-facts C4. */
const checkCount = defineGuard(
  'invalidateCompletePage.checkCount',
  'invalidation takes a clean page out of the cache whoever refers to it (before 016eb4a0ed)',
);

/** CVE-2014-4171. */
const holesOnce = defineGuard(
  'truncateInodePagesRange.holesOnce',
  'making a hole goes on until a scan finds no page, while faults, which the size does not stop, bring in more',
);

/** Forgets that a page is dirty: what it holds will never be written. *Source*: `cancel_dirty_page`, mm/truncate.c, 2.6.27. */
export function* cancelDirtyPage(page: Ptr<Page>, mapping: Ptr<AddressSpace>): Op<void> {
  if ((yield* testClearPageDirty(page)) && accountsDirty(mapping)) yield* modZonePageState(NR_FILE_DIRTY, -1);
}

function* dropPrivate(mapping: Ptr<AddressSpace>, page: Ptr<Page>, offset: number): Op<void> {
  if (!(yield* pagePrivate(page))) return;
  const { invalidatepage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  if (invalidatepage !== undefined) yield* invalidatepage(page, offset);
}

/**
 * Takes a truncated page out of the cache whoever refers to it: other holders keep a page without a mapping.
 * *Context*: page locked, not under writeback, not mapped. *Source*: `truncate_complete_page`, mm/truncate.c, 2.6.27.
 */
export function* truncateCompletePage(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<void> {
  if ((yield* readOnce(Page.mapping(page))) !== mapping) return;
  yield* dropPrivate(mapping, page, 0);
  yield* cancelDirtyPage(page, mapping);
  yield* removeFromPageCache(page);
  yield* clearPageMappedToDisk(page);
  yield* putPage(page);
}

const unmapUnderLock = defineGuard(
  'truncateInodePage.unmapUnderLock',
  'truncation relies on having unmapped all of the range before, and a fault may have had the page locked then',
);

/**
 * {@link truncateCompletePage}, of a page that a fault may have mapped since the range was unmapped: none can from here on.
 * *Context*: page locked, not under writeback. *Source*: a part of `truncate_inode_pages_range`, mm/truncate.c, 2.6.27; `truncate_inode_page`, 2.6.32.
 */
export function* truncateInodePage(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<void> {
  if (unmapUnderLock() && (yield* pageMapped(page)))
    yield* unmapMappingRange(mapping, yield* readOnce(Page.index(page)), 1, false);
  yield* truncateCompletePage(mapping, page);
}

/** First pass: what can be had without waiting. */
function* truncateWithoutWaiting(mapping: Ptr<AddressSpace>, start: number, end: number): Op<void> {
  let next = start;
  while (next <= end) {
    const pages = yield* findGetPages(mapping, next, PAGEVEC_SIZE);
    if (pages.length === 0) return;
    for (const page of pages) {
      const index = yield* readOnce(Page.index(page));
      next = Math.max(next, index) + 1;
      if (index > end) break;
      if (!(yield* trylockPage(page))) continue;
      if (!(yield* pageWriteback(page))) yield* truncateInodePage(mapping, page);
      yield* unlockPage(page);
    }
    yield* releasePages(pages);
    yield* condResched();
  }
}

/** Second pass: waits for locks and writeback, and repeats until a whole scan finds nothing, or does not (`once`). */
function* truncateWaiting(mapping: Ptr<AddressSpace>, start: number, end: number, once: boolean): Op<void> {
  let next = start;
  for (;;) {
    yield* condResched();
    const pages = next > end ? [] : yield* findGetPages(mapping, next, PAGEVEC_SIZE);
    const inRange = pages.length > 0 && (yield* readOnce(Page.index(pages[0]))) <= end;
    if (!inRange) {
      yield* releasePages(pages);
      if (next === start || once) return;
      next = start;
      continue;
    }
    for (const page of pages) {
      if ((yield* readOnce(Page.index(page))) > end) break;
      yield* lockPage(page);
      yield* waitOnPageWriteback(page);
      next = Math.max(next, yield* readOnce(Page.index(page))) + 1;
      yield* truncateInodePage(mapping, page);
      yield* unlockPage(page);
    }
    yield* releasePages(pages);
  }
}

/** Largest page index + 1: "to the end of the file". */
export const MAX_PAGE_INDEX = 0x7fffffff;

/**
 * Takes the pages from byte `start` to byte `end` (the last one of a page) out of the cache; a first page that is cut keeps its place.
 * *Context*: may sleep; inode->mutex held; i_size is the new one already, or the range is to become a hole: then a page may be there again.
 * *Source*: `truncate_inode_pages_range`, mm/truncate.c, 2.6.27; holes in one scan as shmem_undo_range since 3.16 (b1a366500bd5).
 * *Differs*: contents are not bytes here, so the cut part of a page is not zeroed, only waited for.
 */
export function* truncateInodePagesRange(mapping: Ptr<AddressSpace>, start: number, end: number): Op<void> {
  if ((yield* readOnce(AddressSpace.nrpages(mapping))) === 0) return;
  bugOn(end !== MAX_PAGE_INDEX && (end + 1) % PAGE_SIZE !== 0, 'truncation must end with the last byte of a page');
  const first = Math.floor((start + PAGE_SIZE - 1) / PAGE_SIZE);
  const last = end === MAX_PAGE_INDEX ? MAX_PAGE_INDEX >> PAGE_SHIFT : end >> PAGE_SHIFT;
  yield* truncateWithoutWaiting(mapping, first, last);
  if (start % PAGE_SIZE !== 0) yield* truncatePartialPage(mapping, first - 1, start % PAGE_SIZE);
  // What is beyond the end nobody brings back; into a hole others may fault as fast as we clear it.
  yield* truncateWaiting(mapping, first, last, end !== MAX_PAGE_INDEX && holesOnce());
}

/** *Source*: `truncate_partial_page` and its caller, mm/truncate.c, 2.6.27. */
function* truncatePartialPage(mapping: Ptr<AddressSpace>, index: number, offset: number): Op<void> {
  const page = yield* findLockPage(mapping, index);
  if (page === 0) return;
  yield* waitOnPageWriteback(page);
  yield* dropPrivate(mapping, page, offset);
  yield* unlockPage(page);
  yield* putPage(page);
}

/** Takes all pages from byte `start` on out of the cache. *Source*: `truncate_inode_pages`, mm/truncate.c, 2.6.27. */
export function* truncateInodePages(mapping: Ptr<AddressSpace>, start: number): Op<void> {
  yield* truncateInodePagesRange(mapping, start, MAX_PAGE_INDEX);
}

function* releasePrivate(mapping: Ptr<AddressSpace>, page: Ptr<Page>, gfp: number): Op<boolean> {
  if (!(yield* pagePrivate(page))) return true;
  const { releasepage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  return releasepage !== undefined && (yield* releasepage(page, gfp));
}

/**
 * Takes a page that nobody uses out of the cache. *Context*: page locked, clean. *Returns* true when it did; false when somebody refers to it.
 * *Source*: `invalidate_complete_page`, mm/truncate.c, with 016eb4a0ed: a page with references stays (kernel-facts C4).
 */
export function* invalidateCompletePage(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  if ((yield* readOnce(Page.mapping(page))) !== mapping) return false;
  if (!(yield* releasePrivate(mapping, page, 0))) return false;
  if (checkCount()) return yield* removeMapping(mapping, page);
  yield* removeFromPageCache(page);
  yield* putPage(page);
  return true;
}

/**
 * Takes a clean page out of the cache whoever refers to it, as direct I/O must. *Context*: page locked, not mapped.
 * *Returns* true when it did; false: it is dirty, or not of this mapping. *Source*: `invalidate_complete_page2`, mm/truncate.c, 2.6.27.
 */
export function* invalidateCompletePage2(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  if ((yield* readOnce(Page.mapping(page))) !== mapping) return false;
  if (!(yield* releasePrivate(mapping, page, 0))) return false;
  yield* lockTreeIrq(mapping);
  const clean = !(yield* pageDirty(page));
  if (clean) yield* removeFromPageCacheLocked(page);
  yield* unlockTreeIrq(mapping);
  if (clean) yield* putPage(page);
  return clean;
}

function* invalidateUnused(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  const busy = (yield* pageDirty(page)) || (yield* pageWriteback(page)) || (yield* pageMapped(page));
  return !busy && (yield* invalidateCompletePage(mapping, page));
}

/**
 * Takes a page out of its cache if it is clean and nobody but the caller uses it. *Context*: page locked, a reference.
 * *Source*: `invalidate_inode_page`, mm/truncate.c, 2.6.32.
 */
export function* invalidateInodePage(page: Ptr<Page>): Op<boolean> {
  const mapping = yield* pageMapping(page);
  return mapping !== NULL && (yield* invalidateUnused(mapping, page));
}

function* invalidateOne(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  if (!(yield* trylockPage(page))) return false;
  const removed = yield* invalidateUnused(mapping, page);
  yield* unlockPage(page);
  // The lookup's reference is ours still.
  if (!removed && deactivatesInvalidated()) yield* deactivatePage(page);
  return removed;
}

/**
 * Takes pages `start` to `end` out of the cache as far as they are clean, unlocked, unmapped and unused. Waits for nothing.
 * *Returns* how many. *Source*: `invalidate_mapping_pages`, mm/truncate.c, 2.6.27; with option `deactivate` 3.1, which has reclaim look first
 * at those that it must leave.
 */
export function* invalidateMappingPages(mapping: Ptr<AddressSpace>, start: number, end: number): Op<number> {
  let next = start;
  let removed = 0;
  while (next <= end) {
    const pages = yield* findGetPages(mapping, next, PAGEVEC_SIZE);
    if (pages.length === 0) break;
    for (const page of pages) {
      const index = yield* readOnce(Page.index(page));
      next = Math.max(next, index) + 1;
      if (index > end) break;
      if (yield* invalidateOne(mapping, page)) removed++;
    }
    yield* releasePages(pages);
    yield* condResched();
  }
  return removed;
}
