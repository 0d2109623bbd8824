// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, condResched, NULL, pointedFunction, readOnce } from '@lockless/cpu';
import { AddressSpace, AOP_WRITEPAGE_ACTIVATE, PAGECACHE_TAG_DIRTY, Page } from '@lockless/mm-types';
import {
  clearPageReclaim,
  lockPage,
  modZonePageState,
  NR_FILE_DIRTY,
  PAGEVEC_SIZE,
  pageDirty,
  pageLocked,
  pageMapping,
  pageWriteback,
  putPage,
  testClearPageDirty,
  testSetPageDirty,
  unlockPage,
  waitOnPageWriteback,
} from '@lockless/page';
import { pageMkclean } from '@lockless/rmap';
import { accountsDirty } from './filemap.js';
import { findGetPagesTag, pageBelongsTo } from './filemap-lookup.js';
import { setPageDirtyNobuffers } from './page-writeback-tags.js';
import { swapperSpace } from './swapper-space.js';

/**
 * Marks a page dirty in the way of its mapping. *Context*: page locked, or mapped, or held so that truncation cannot free the inode.
 * *Returns* true when it was clean. *Source*: `set_page_dirty`, mm/page-writeback.c, 2.6.27.
 */
export function* setPageDirty(page: Ptr<Page>): Op<boolean> {
  const mapping = yield* pageMapping(page);
  if (mapping === NULL) return !(yield* pageDirty(page)) && !(yield* testSetPageDirty(page));
  const operation = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping))).setPageDirty;
  return yield* (operation ?? setPageDirtyNobuffers)(page);
}

/** {@link setPageDirty} for callers that hold only a reference. *Source*: `set_page_dirty_lock`, mm/page-writeback.c, 2.6.27. */
export function* setPageDirtyLock(page: Ptr<Page>): Op<boolean> {
  yield* lockPage(page);
  const newly = yield* setPageDirty(page);
  yield* unlockPage(page);
  return newly;
}

/**
 * Takes the dirt off a page that is about to be written. The dirty tag stays until PG_writeback is set, so that a sync finds the page.
 * *Context*: page locked. *Returns* true when it was dirty.
 * *Ordering*: dirt that processes left in their page tables is collected before PG_dirty is cleared; a fault that makes a page-table entry
 * dirty locks the page before it sets PG_dirty (kernel-facts C11).
 * *Source*: `clear_page_dirty_for_io`, mm/page-writeback.c, 2.6.27.
 */
export function* clearPageDirtyForIo(page: Ptr<Page>): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), 'clear_page_dirty_for_io of an unlocked page');
  yield* clearPageReclaim(page);
  const mapping = yield* pageMapping(page);
  if (mapping === NULL || mapping === swapperSpace || !accountsDirty(mapping)) return yield* testClearPageDirty(page);
  if (yield* pageMkclean(page)) yield* setPageDirty(page);
  if (!(yield* testClearPageDirty(page))) return false;
  yield* modZonePageState(NR_FILE_DIRTY, -1);
  return true;
}

/** What to write. */
export interface WritebackControl {
  /** WB_SYNC_ALL: waits for pages under writeback and for locks, for data integrity. Else skips pages under writeback. */
  readonly syncAll: boolean;
  /** At most so many pages. */
  nrToWrite: number;
  /** First and last page index. */
  readonly start: number;
  readonly end: number;
}

/** The whole of a file, for data integrity. */
export const syncEverything = (): WritebackControl => ({
  syncAll: true,
  nrToWrite: Number.MAX_SAFE_INTEGER,
  start: 0,
  end: 0x7fffffff,
});

/** Locked page out of a mapping: starts its writing if it is still there, still dirty and not being written. Unlocks it. */
function* writeOnePage(mapping: Ptr<AddressSpace>, page: Ptr<Page>, wbc: WritebackControl): Op<number> {
  if (!(yield* pageBelongsTo(page, mapping))) {
    yield* unlockPage(page);
    return 0;
  }
  if (wbc.syncAll) yield* waitOnPageWriteback(page);
  if ((yield* pageWriteback(page)) || !(yield* clearPageDirtyForIo(page))) {
    yield* unlockPage(page);
    return 0;
  }
  wbc.nrToWrite--;
  const { writepage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  const error = yield* writepage(page, false);
  if (error !== AOP_WRITEPAGE_ACTIVATE) return error;
  yield* unlockPage(page);
  return 0;
}

/**
 * Starts the writing of a mapping's dirty pages. *Context*: may sleep; no page locked.
 * *Returns* 0 or the first -errno of a writepage. Counts `wbc.nrToWrite` down.
 * *Source*: `write_cache_pages`, mm/page-writeback.c, 2.6.27. *Differs*: always from `wbc.start`, without the cyclic index.
 */
export function* writeCachePages(mapping: Ptr<AddressSpace>, wbc: WritebackControl): Op<number> {
  let next = wbc.start;
  let result = 0;
  while (next <= wbc.end && wbc.nrToWrite > 0) {
    const pages = yield* findGetPagesTag(mapping, next, PAGECACHE_TAG_DIRTY, PAGEVEC_SIZE);
    if (pages.length === 0) break;
    for (const page of pages) {
      const index = yield* readOnce(Page.index(page));
      next = Math.max(next, index) + 1;
      if (index <= wbc.end && wbc.nrToWrite > 0) {
        yield* lockPage(page);
        const error = yield* writeOnePage(mapping, page, wbc);
        result ||= error;
      }
      yield* putPage(page);
    }
    yield* condResched();
  }
  return result;
}
