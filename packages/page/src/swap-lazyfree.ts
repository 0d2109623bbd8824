// SPDX-License-Identifier: GPL-2.0-only
import { defineWord, type Op, type Ptr, peek, poke, type Ref, spinLockIrq, spinUnlockIrq } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { addPageToLruList, delPageFromLruList, LRU_INACTIVE_FILE, lruOf, Zone, zone } from './mmzone.js';
import {
  clearPageActive,
  clearPageReferenced,
  clearPageSwapBacked,
  pageAnon,
  pageLru,
  pageSwapBacked,
  pageSwapCache,
} from './page-flags.js';

const lruLock = Zone.lruLock(zone);
/** Constant after boot. */
const inUse: Ref<number> = defineWord('lazyfree_in_use');

/**
 * mark_page_lazyfree(): nobody needs what an anonymous page has, unless it is written to again: reclaim drops it like a clean page of a file, and finds it
 * among those.
 *
 * *Context*: interrupts on, a reference held. A page on no list stays as it is, and so does one in the swap cache.
 * *Source*: mm/swap.c, 802a3a92ad7a and f7ad2a6cb9f7 (4.12). *Differs*: at once, where the kernel collects pages of a CPU first.
 */
export function* markPageLazyfree(page: Ptr<Page>): Op<void> {
  yield* spinLockIrq(lruLock);
  const wanted = (yield* pageLru(page)) && (yield* pageAnon(page)) && (yield* pageSwapBacked(page));
  if (wanted && !(yield* pageSwapCache(page))) {
    yield* delPageFromLruList(page, yield* lruOf(page));
    yield* clearPageActive(page);
    yield* clearPageReferenced(page);
    yield* clearPageSwapBacked(page);
    yield* addPageToLruList(page, LRU_INACTIVE_FILE);
  }
  yield* spinUnlockIrq(lruLock);
}

/** Anonymous pages without PG_swapbacked are such that MADV_FREE gave up; else there are none. *Context*: boot, one CPU. */
export const useLazyfree = (): void => poke(inUse, 1);

/** Whether MADV_FREE gave up what an anonymous page has. Under the page lock it can only become false. */
export function* pageLazyfree(page: Ptr<Page>): Op<boolean> {
  if (peek(inUse) === 0) return false;
  return (yield* pageAnon(page)) && !(yield* pageSwapBacked(page));
}
