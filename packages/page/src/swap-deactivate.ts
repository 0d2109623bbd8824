// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard, definePerCpu, listMoveTail, spinLockIrqsave, spinUnlockIrqrestore } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { addPageToLruList, delPageFromLruList, LRU_ACTIVE, lruList, lruOf, Zone, zone } from './mmzone.js';
import {
  clearPageActive,
  clearPageReferenced,
  pageActive,
  pageDirty,
  pageLru,
  pageWriteback,
  setPageReclaim,
} from './page-flags.js';
import { pageMapped } from './page-mapcount.js';
import { Pagevec } from './pagevec.js';
import { countVmEvent, PGDEACTIVATE, PGROTATED } from './vmstat.js';

const stillOnLru = defineGuard(
  'lruDeactivateFn.stillOnLru',
  'a page is moved to the inactive list without a look whether it is on a list at all by now',
);

const lruLock = Zone.lruLock(zone);

/** The pagevec of pages that a CPU is going to deactivate. Touched by its CPU alone, preemption off. */
export const deactivatePagevec: (cpu: number) => Ptr<Pagevec> = definePerCpu(Pagevec, 'lru_deactivate_pvecs');

/**
 * Moves what was in a pagevec to the inactive list, where reclaim looks next: a clean page to its tail, one that is to be written to its
 * head, and to the tail when that is done (PG_reclaim). A page that is mapped stays: its owners would have to fault it in again.
 * *Context*: any; a reference to each page.
 * *Source*: `pagevec_lru_move_fn` with `lru_deactivate_fn`, mm/swap.c, 3.1.
 */
export function* lruDeactivate(pages: readonly Ptr<Page>[]): Op<void> {
  if (pages.length === 0) return;
  const flags = yield* spinLockIrqsave(lruLock);
  for (const page of pages) yield* lruDeactivateFn(page);
  yield* spinUnlockIrqrestore(lruLock, flags);
}

/** *Context*: lru_lock. Since the page was put on the pagevec it may have been isolated, mapped, or used: all is looked at afresh. */
function* lruDeactivateFn(page: Ptr<Page>): Op<void> {
  if (stillOnLru() && !(yield* pageLru(page))) return;
  if (yield* pageMapped(page)) return;
  const lru = yield* lruOf(page);
  const active = yield* pageActive(page);
  yield* delPageFromLruList(page, lru);
  yield* clearPageActive(page);
  yield* clearPageReferenced(page);
  const inactive = active ? lru - LRU_ACTIVE : lru;
  yield* addPageToLruList(page, inactive);
  if ((yield* pageWriteback(page)) || (yield* pageDirty(page))) {
    // Its writeback ends in rotate_reclaimable_page(). It may have ended already: then the flag is for the next one.
    yield* setPageReclaim(page);
  } else {
    yield* listMoveTail(Page.lru(page), lruList(inactive));
    yield* countVmEvent(PGROTATED);
  }
  if (active) yield* countVmEvent(PGDEACTIVATE);
}
