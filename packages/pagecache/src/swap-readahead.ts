// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL } from '@lockless/cpu';
import { ENOMEM, type Page } from '@lockless/mm-types';
import { allocPage, clearPageLocked, lruAddDrain, lruCacheAddAnon, putPage, setPageLocked } from '@lockless/page';
import { type SwpEntry, swpEntry, swpType } from '@lockless/rmap';
import { pageCluster } from './config.js';
import { swapReadpage } from './page-io.js';
import { swapDuplicate, swapFree, validSwaphandles } from './swap-map.js';
import { addToSwapCache, lookupSwapCache } from './swap-state.js';

/**
 * Finds the page of a place, or has it read: the page is then locked until it is there.
 *
 * 1. it is in the swap cache; 2. a frame for it, once; 3. a use of the place for the cache: only while somebody else uses the place is there
 * something to read; 4. into the swap cache, locked and not uptodate: who finds it waits; another task may be faster; 5. read.
 *
 * *Context*: sleeps. *Returns* the page with a reference; NULL: no memory, or the place is free by now.
 * *Source*: `read_swap_cache_async`, mm/swap_state.c, 2.6.27.
 */
export function* readSwapCacheAsync(entry: SwpEntry, gfp: number): Op<Ptr<Page> | Null> {
  let fresh: Ptr<Page> | Null = NULL;
  let found: Ptr<Page> | Null = NULL;
  for (let error = 0; error !== -ENOMEM; ) {
    found = yield* lookupSwapCache(entry); // 1
    if (found !== NULL) break;
    if (fresh === NULL) fresh = yield* allocPage(gfp); // 2
    if (fresh === NULL) break;
    if (!(yield* swapDuplicate(entry))) break; // 3
    yield* setPageLocked(fresh);
    error = yield* addToSwapCache(fresh, entry, gfp & GFP_KERNEL); // 4
    if (error === 0) {
      yield* lruCacheAddAnon(fresh);
      yield* swapReadpage(NULL, fresh); // 5
      return fresh;
    }
    yield* clearPageLocked(fresh);
    yield* swapFree(entry);
  }
  if (fresh !== NULL) yield* putPage(fresh);
  return found;
}

/**
 * {@link readSwapCacheAsync}, and the neighbouring places too: what was swapped out together is likely to be wanted together.
 * *Context*: sleeps. *Returns* as that. *Source*: `swapin_readahead`, mm/swap_state.c, 2.6.27.
 */
export function* swapinReadahead(entry: SwpEntry, gfp: number): Op<Ptr<Page> | Null> {
  const order = pageCluster();
  if (order > 0) {
    const { first, count } = yield* validSwaphandles(entry, order);
    for (let i = 0; i < count; i++) {
      const page = yield* readSwapCacheAsync(swpEntry(swpType(entry), first + i), gfp);
      if (page === NULL) break;
      yield* putPage(page);
    }
    yield* lruAddDrain(); // Pages on pagevecs have a reference more than reclaim expects.
  }
  return yield* readSwapCacheAsync(entry, gfp);
}
