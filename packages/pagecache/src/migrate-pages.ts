// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_HIGHUSER_MOVABLE, NULL, spinLockIrq, spinUnlockIrq, vmBugOn } from '@lockless/cpu';
import { EAGAIN, ENOMEM, type Page } from '@lockless/mm-types';
import {
  addPageToLruList,
  allocPage,
  countVmEvents,
  getPageUnlessZeroExempt,
  lruAddDrain,
  lruOf,
  memMapPages,
  PGMIGRATE_FAIL,
  PGMIGRATE_SUCCESS,
  pageCount,
  pageLru,
  pfnToPage,
  putPage,
  setPageLru,
  Zone,
  zone,
} from '@lockless/page';
import { isolateLruPageForMigration, unmapAndMove } from './migrate.js';

const lruLock = Zone.lruLock(zone);

/** From this pass on migration waits for page locks and for writeback. */
const FORCE_AFTER = 2;
const PASSES = 10;

/** move_to_lru(): puts a page back that was isolated, and gives the reference back: the last one frees it. *Source*: mm/migrate.c, 2.6.27. */
function* moveToLru(page: Ptr<Page>): Op<void> {
  yield* spinLockIrq(lruLock);
  vmBugOn(yield* pageLru(page), 'isolated page is on a list');
  yield* setPageLru(page);
  yield* addPageToLruList(page, yield* lruOf(page));
  yield* spinUnlockIrq(lruLock);
  yield* putPage(page);
}

/**
 * Moves pages to other frames.
 *
 * *Context*: each page is isolated, with a reference of the caller's, which is given back; may sleep. *Returns* how many stayed where they were.
 * *Source*: `migrate_pages`, mm/migrate.c, 2.6.27. *Differs*: no page is left for the caller to put back.
 */
export function* migratePages(pages: readonly Ptr<Page>[]): Op<number> {
  let left = pages;
  let failed = 0;
  for (let pass = 0; pass < PASSES && left.length > 0; pass++) {
    const again: Ptr<Page>[] = [];
    for (const page of left) {
      const error = yield* migrateOne(page, pass > FORCE_AFTER);
      if (error === -EAGAIN) again.push(page);
      else if (error !== 0) failed++;
    }
    left = again;
  }
  for (const page of left) yield* moveToLru(page);
  failed += left.length;
  yield* countVmEvents(PGMIGRATE_SUCCESS, pages.length - failed);
  yield* countVmEvents(PGMIGRATE_FAIL, failed);
  return failed;
}

/** The first and the last part of unmap_and_move(). *Returns* as that; unless -EAGAIN, the page is back on the LRU or gone. */
function* migrateOne(page: Ptr<Page>, force: boolean): Op<number> {
  // Ours is the only reference: the page was freed while it was isolated.
  if ((yield* pageCount(page)) === 1) {
    yield* moveToLru(page);
    return 0;
  }
  const newpage = yield* allocPage(GFP_HIGHUSER_MOVABLE);
  const error = newpage === NULL ? -ENOMEM : yield* unmapAndMove(newpage, page, force);
  if (newpage !== NULL) yield* error === 0 ? moveToLru(newpage) : putPage(newpage);
  if (error !== -EAGAIN) yield* moveToLru(page);
  return error;
}

/**
 * do_migrate_range(): moves what is in `frames` frames from number `first` on somewhere else, whosever it is.
 *
 * *Context*: may sleep. *Returns* how many pages were found that could be isolated, and how many of them stayed.
 * *Source*: `do_migrate_range`, mm/memory_hotplug.c, 3.1. *Differs*: frames that are emptied may be used again.
 */
export function* doMigrateRange(
  first: number,
  frames: number,
): Op<{ readonly found: number; readonly failed: number }> {
  yield* lruAddDrain();
  const pages: Ptr<Page>[] = [];
  for (let pfn = first; pfn < Math.min(first + frames, memMapPages()); pfn++) {
    const page = pfnToPage(pfn);
    if (!(yield* getPageUnlessZeroExempt(page, 'doMigrateRange'))) continue;
    if ((yield* isolateLruPageForMigration(page)) === 0) pages.push(page);
    yield* putPage(page);
  }
  return { found: pages.length, failed: yield* migratePages(pages) };
}
