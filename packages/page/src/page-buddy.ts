// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  bugOn,
  containerOf,
  ListHead,
  listAdd,
  listDelEntry,
  listEmpty,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { FreeArea, freeArea, MAX_ORDER, pageToPfn, pfnToPage, pfnValid, Zone, zone } from './mmzone.js';
import { nonAtomicClearPageBuddy, nonAtomicSetPageBuddy, pageBuddy } from './page-flags.js';
import { pageCount } from './page-ref.js';
import { modZonePageState, NR_FREE_PAGES } from './vmstat.js';

/*
 * The buddy allocator, mm/page_alloc.c, 2.6.27: free blocks of 2^order pages, aligned to their size. The block next to it with which a
 * block makes one of twice the size, its buddy, differs from it in one bit of the frame number. The first page of a free block has
 * PG_buddy and its order in page->private. All under zone->lock.
 * *Differs*: one free list per order; pages are not grouped by mobility.
 */

function* setPageOrder(page: Ptr<Page>, order: number): Op<void> {
  yield* store(Page.private(page), order);
  yield* nonAtomicSetPageBuddy(page);
}

function* rmvPageOrder(page: Ptr<Page>): Op<void> {
  yield* nonAtomicClearPageBuddy(page);
  yield* store(Page.private(page), 0);
}

function* changeNrFree(order: number, delta: number): Op<void> {
  const nrFree = FreeArea.nrFree(freeArea(order));
  yield* store(nrFree, (yield* load(nrFree)) + delta);
}

/** page_is_buddy(): a free block of that order begins there. A page in use may change its flags meanwhile, but not to PG_buddy. */
function* pageIsBuddy(pfn: number, order: number): Op<boolean> {
  if (!pfnValid(pfn)) return false;
  const page = pfnToPage(pfn);
  if (!(yield* pageBuddy(page)) || (yield* readOnce(Page.private(page))) !== order) return false;
  bugOn((yield* pageCount(page)) !== 0, 'page_is_buddy: a free page has references');
  return true;
}

/** __free_one_page(): frees a block, merged with its buddy as long as that is free too. *Context*: zone->lock. */
function* freeOnePage(page: Ptr<Page>, order: number): Op<void> {
  let pfn = pageToPfn(page);
  bugOn((pfn & ((1 << order) - 1)) !== 0, 'free of a block that is not aligned to its size');
  yield* modZonePageState(NR_FREE_PAGES, 1 << order);
  while (order < MAX_ORDER - 1) {
    const buddyPfn = pfn ^ (1 << order);
    if (!(yield* pageIsBuddy(buddyPfn, order))) break;
    const buddy = pfnToPage(buddyPfn);
    yield* listDelEntry(Page.lru(buddy));
    yield* changeNrFree(order, -1);
    yield* rmvPageOrder(buddy);
    pfn &= buddyPfn;
    order++;
  }
  const merged = pfnToPage(pfn);
  yield* setPageOrder(merged, order);
  yield* listAdd(Page.lru(merged), FreeArea.freeList(freeArea(order)));
  yield* changeNrFree(order, 1);
}

/** expand(): gives the upper halves of a block back until what is left has the order wanted. *Context*: zone->lock. */
function* expand(page: Ptr<Page>, low: number, high: number): Op<void> {
  for (let order = high - 1; order >= low; order--) {
    const upper = pfnToPage(pageToPfn(page) + (1 << order));
    yield* listAdd(Page.lru(upper), FreeArea.freeList(freeArea(order)));
    yield* changeNrFree(order, 1);
    yield* setPageOrder(upper, order);
  }
}

/** __rmqueue(): a block from the smallest free one that is large enough, or NULL. *Context*: zone->lock. */
export function* rmqueue(order: number): Op<Ptr<Page> | Null> {
  for (let from = order; from < MAX_ORDER; from++) {
    const list = FreeArea.freeList(freeArea(from));
    if (yield* listEmpty(list)) continue;
    const page = containerOf(yield* load(ListHead.next(list)), Page, 'lru');
    yield* listDelEntry(Page.lru(page));
    yield* rmvPageOrder(page);
    yield* changeNrFree(from, -1);
    yield* modZonePageState(NR_FREE_PAGES, -(1 << order));
    yield* expand(page, order, from);
    return page;
  }
  return NULL;
}

/** free_one_page(). *Context*: interrupts off. */
export function* freeBlock(page: Ptr<Page>, order: number): Op<void> {
  yield* spinLock(Zone.lock(zone));
  yield* freedSome();
  yield* freeOnePage(page, order);
  yield* spinUnlock(Zone.lock(zone));
}

/** free_pages_bulk(): frees `count` single pages from the tail of a list, where the coldest are. *Context*: interrupts off. */
export function* freePagesBulk(count: number, list: Ptr<ListHead>): Op<void> {
  yield* spinLock(Zone.lock(zone));
  yield* freedSome();
  for (let i = 0; i < count; i++) {
    const page = containerOf(yield* load(ListHead.prev(list)), Page, 'lru');
    yield* listDelEntry(Page.lru(page));
    yield* freeOnePage(page, 0);
  }
  yield* spinUnlock(Zone.lock(zone));
}

/** Reclaim is not hopeless. Read without a lock by kswapd. */
function* freedSome(): Op<void> {
  if ((yield* readOnce(Zone.pagesScanned(zone))) !== 0) yield* store(Zone.pagesScanned(zone), 0);
}
