// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { spinLockIrqsave, spinUnlockIrqrestore, vmBugOn } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { callCompoundPageDtor, compoundPagesInUse, pageHead } from './compound-page.js';
import { delPageFromLru, Zone, zone } from './mmzone.js';
import { freeHotColdPage } from './page-alloc.js';
import { nonAtomicClearPageLru, pageLru } from './page-flags.js';

const lruLock = Zone.lruLock(zone);

/** *Context*: lru_lock, count 0. */
export function* takeOffLru(page: Ptr<Page>): Op<void> {
  vmBugOn(!(yield* pageLru(page)), 'page left the LRU while its count was 0');
  yield* nonAtomicClearPageLru(page);
  yield* delPageFromLru(page);
}

/**
 * __page_cache_release(): frees a page whose count became 0, a compound one by its destructor. PG_lru may be read before the lock is taken: at
 * count 0 nobody sets or clears it but we (isolation takes a reference first, 46453a6e19).
 * *Source*: mm/swap.c, 2.6.27; `__put_single_page`, `__put_compound_page`, 3.1.
 */
export function* pageCacheFree(page: Ptr<Page>): Op<void> {
  if (yield* pageLru(page)) {
    const flags = yield* spinLockIrqsave(lruLock);
    yield* takeOffLru(page);
    yield* spinUnlockIrqrestore(lruLock, flags);
  }
  if (compoundPagesInUse() && (yield* pageHead(page))) yield* callCompoundPageDtor(page);
  else yield* freeHotColdPage(page, false);
}
