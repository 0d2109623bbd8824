// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { bugOn, defineGuard, NULL } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import {
  pageCount,
  pageLocked,
  pageMapcount,
  pagePrivate,
  pageSwapCache,
  pageWriteback,
  putPage,
  setPageDirty,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { nonSwapEntry, type SwpEntry } from '@lockless/rmap';
import { findGetPage } from './filemap-lookup.js';
import { lockSwap, swapEntryFree, swapFree, swapUsers, unlockSwap, vmSwapFull } from './swap-map.js';
import { deleteFromSwapCache, deleteFromSwapCacheLocked, pageSwapEntry } from './swap-state.js';
import { swapperSpace } from './swapper-space.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/*
 * mm/swapfile.c, 2.6.27: places in swap areas whose last page-table entry goes, and pages that then need no place any more.
 *
 * These paths look at page_count() and do not freeze it. Under a speculative lookup the number is a hint in both directions:
 *
 *   one too many  the page keeps its place, though nobody else will use it. It is on the LRU, and reclaim, which freezes, takes it
 *                 from there: later, not never.
 *   one too few   the lookup takes its reference right after. It then holds a page that is not in the swap cache, and sees that when it
 *                 has locked it (lockSwapCachePage()).
 */

/** Kernel-facts A17, and the review of the second protocol, 2006-09-25: free_swap_and_cache() "does seem to want to have a stable page_count()". */
const countTest = defineGuard(
  'freeSwapAndCache.countTest',
  'a page whose last swap entry goes leaves the swap cache however many references it has',
);

/** page_swapcount(): page-table entries that name the place of a page; the cache's own use is not counted. *Context*: page locked. */
function* pageSwapcount(page: Ptr<Page>): Op<number> {
  const entry = yield* pageSwapEntry(page);
  yield* lockSwap();
  const users = yield* swapUsers(entry);
  yield* unlockSwap();
  return users - 1;
}

/**
 * can_share_swap_page(): the caller's mapping is the only use of an anonymous page, so it may be written in place: neither another mapping
 * nor an entry for its place is there, which would become one.
 * *Context*: page locked: nobody maps it by its entry meanwhile. *Source*: mm/swapfile.c, 2.6.27.
 */
export function* canShareSwapPage(page: Ptr<Page>): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), 'can_share_swap_page: !PageLocked(page)');
  const mappings = yield* pageMapcount(page);
  const users = mappings <= 1 && (yield* pageSwapCache(page)) ? yield* pageSwapcount(page) : 0;
  return mappings + users === 1;
}

/**
 * remove_exclusive_swap_page(): a page whose place no entry names, and that only the caller refers to, leaves the swap cache.
 * *Context*: page locked, a reference held. *Returns* true: out of the cache, and dirty: it has no copy any more.
 * *Source*: mm/swapfile.c, 2.6.27.
 */
export function* removeExclusiveSwapPage(page: Ptr<Page>): Op<boolean> {
  bugOn(yield* pagePrivate(page), 'remove_exclusive_swap_page: PagePrivate(page)');
  bugOn(!(yield* pageLocked(page)), 'remove_exclusive_swap_page: !PageLocked(page)');
  if (!(yield* pageSwapCache(page)) || (yield* pageWriteback(page)) || (yield* pageCount(page)) !== 2) return false;
  const entry = yield* pageSwapEntry(page);
  let removed = false;
  yield* lockSwap();
  if ((yield* swapUsers(entry)) === 1) {
    yield* lockTreeIrq(swapperSpace);
    // Again, now that no lookup under tree_lock can add one. A lockless lookup still can: then the page goes all the same.
    if ((yield* pageCount(page)) === 2 && !(yield* pageWriteback(page))) {
      yield* deleteFromSwapCacheLocked(page);
      yield* setPageDirty(page);
      removed = true;
    }
    yield* unlockTreeIrq(swapperSpace);
  }
  yield* unlockSwap();
  if (removed) {
    yield* swapFree(entry);
    yield* putPage(page);
  }
  return removed;
}

/**
 * try_to_free_swap(): {@link removeExclusiveSwapPage} without the count: who else holds a reference is none of its business.
 * *Context*: page locked, a reference held. *Returns* true: out of the cache, and dirty.
 * *Source*: `try_to_free_swap`, mm/swapfile.c, a2c43eed8334 (2.6.29).
 */
export function* tryToFreeSwap(page: Ptr<Page>): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), 'try_to_free_swap: !PageLocked(page)');
  if (!(yield* pageSwapCache(page)) || (yield* pageWriteback(page))) return false;
  if ((yield* pageSwapcount(page)) > 0) return false;
  yield* deleteFromSwapCache(page);
  yield* setPageDirty(page);
  return true;
}

/**
 * free_swap_cache(): the holder of a reference is about to drop it; if he and the cache are the last, the page leaves the cache.
 * *Context*: a reference held; page not locked by the caller. *Source*: mm/swap_state.c, 2.6.27.
 */
export function* freeSwapCache(page: Ptr<Page>): Op<void> {
  if (!(yield* trylockPage(page))) return;
  yield* removeExclusiveSwapPage(page);
  yield* unlockPage(page);
}

/** The page of an entry that only the cache uses now, locked and with a reference, unless somebody has it locked. *Context*: swap_lock. */
function* lastUsersPage(entry: SwpEntry): Op<Ptr<Page> | Null> {
  const page = yield* findGetPage(swapperSpace, entry);
  if (page === NULL || (yield* trylockPage(page))) return page;
  yield* putPage(page);
  return NULL;
}

/**
 * free_swap_and_cache(): a page-table entry that named a place goes; when only the cache is left, the page goes with it if that is cheap.
 * *Context*: the lock of the page-table entry. *Returns* nothing: freeing the page is an opportunity, not a duty.
 * *Source*: mm/swapfile.c, 2.6.27.
 */
export function* freeSwapAndCache(entry: SwpEntry): Op<void> {
  if (nonSwapEntry(entry)) return;
  yield* lockSwap();
  const users = yield* swapEntryFree(entry);
  const page = users === 1 ? yield* lastUsersPage(entry) : NULL;
  yield* unlockSwap();
  if (page === NULL) return;
  bugOn(yield* pagePrivate(page), 'free_swap_and_cache: PagePrivate(page)');
  // The cache and we. A lookup's passing reference makes it more: the page stays until reclaim looks at it.
  const oneUser = !countTest() || (yield* pageCount(page)) === 2;
  if ((yield* pageSwapCache(page)) && !(yield* pageWriteback(page)) && (oneUser || (yield* vmSwapFull()))) {
    yield* deleteFromSwapCache(page);
    yield* setPageDirty(page);
  }
  yield* unlockPage(page);
  yield* putPage(page);
}
