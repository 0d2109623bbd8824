// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  containerOf,
  ListHead,
  listDelEntry,
  listMove,
  load,
  spinLockIrq,
  spinUnlockIrq,
  store,
  vmBugOn,
} from '@lockless/cpu';
import { EBUSY, EINVAL, Page } from '@lockless/mm-types';
import {
  addPageToLruList,
  clearPageLru,
  getPageUnlessZero,
  LRU_ACTIVE,
  lruList,
  lruOf,
  lruStat,
  modZonePageState,
  pageActive,
  pageLru,
  releasePages,
  setPageLru,
  Zone,
  zone,
} from '@lockless/page';

const lruLock = Zone.lruLock(zone);

/**
 * Takes one page for reclaim, if it is on the list that is being scanned and is not being freed.
 * The reference comes first: PG_lru of a page whose count is 0 belongs to whoever frees it, who reads it without lru_lock; to clear it
 * would leave a page on the list that is freed (46453a6e19).
 * *Context*: lru_lock held. *Returns* 0: a reference is held and PG_lru cleared; -EINVAL: not on such a list; -EBUSY: being freed.
 * *Source*: `__isolate_lru_page`, mm/vmscan.c, 2.6.27.
 */
export function* isolateLruPage(page: Ptr<Page>, active: boolean): Op<number> {
  if (!(yield* pageLru(page))) return -EINVAL;
  if ((yield* pageActive(page)) !== active) return -EINVAL;
  if (!(yield* getPageUnlessZero(page))) return -EBUSY;
  yield* clearPageLru(page);
  return 0;
}

/** What was taken off a list, and how many pages were looked at for it. */
export interface Isolated {
  readonly pages: Ptr<Page>[];
  readonly scanned: number;
}

/**
 * Takes pages off the tail of a list, the longest unused first, so that work on them needs no lru_lock.
 * *Context*: interrupts on. *Returns* the pages, each with a reference and without PG_lru.
 * *Source*: `isolate_lru_pages` and its callers' bookkeeping, mm/vmscan.c, 2.6.27. *Differs*: takes no neighbours along for a large block
 * (lumpy reclaim).
 */
export function* isolateLruPages(nrToScan: number, lru: number): Op<Isolated> {
  const list = lruList(lru);
  const pages: Ptr<Page>[] = [];
  let scanned = 0;
  yield* spinLockIrq(lruLock);
  for (; scanned < nrToScan; scanned++) {
    const entry = yield* load(ListHead.prev(list));
    if (entry === list) break;
    const page = containerOf(entry, Page, 'lru');
    const error = yield* isolateLruPage(page, (lru & LRU_ACTIVE) !== 0);
    vmBugOn(error === -EINVAL, 'a page on an LRU list does not say so');
    if (error === 0) {
      yield* listDelEntry(entry);
      pages.push(page);
    } else {
      // Being freed on another CPU, which waits for lru_lock: out of our way.
      yield* listMove(entry, list);
    }
  }
  yield* modZonePageState(lruStat(lru), -pages.length);
  yield* store(Zone.pagesScanned(zone), (yield* load(Zone.pagesScanned(zone))) + scanned);
  yield* spinUnlockIrq(lruLock);
  return { pages, scanned };
}

/**
 * Puts pages back, each on the list that its flags name now, and gives the references of the isolation back: a page whose other owners
 * are gone meanwhile is freed by that. *Context*: interrupts on.
 * *Source*: the last part of `shrink_inactive_list`, mm/vmscan.c, 2.6.27.
 */
export function* putbackLruPages(pages: readonly Ptr<Page>[]): Op<void> {
  if (pages.length === 0) return;
  yield* spinLockIrq(lruLock);
  for (const page of pages) {
    vmBugOn(yield* pageLru(page), 'isolated page is on a list');
    yield* setPageLru(page);
    yield* addPageToLruList(page, yield* lruOf(page));
  }
  yield* spinUnlockIrq(lruLock);
  yield* releasePages(pages);
}
