// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_NOFS } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { clearPageActive, lruAddDrain, pageActive } from '@lockless/page';
import { scanControl } from './scan-control.js';
import { beginIsolation, putbackLruPages } from './vmscan-isolate.js';
import { shrinkPageList } from './vmscan-page-list.js';
import { handleWriteErrors } from './vmscan-pageout.js';

/**
 * reclaim_pages(): reclaims pages that somebody has chosen, and taken off the LRU, used or not.
 *
 * *Context*: each page has a reference of the caller and no PG_lru; it is the caller's no more. May sleep; no locks. `sync`: waits for the
 * writeback, and frees what was written; otherwise such pages stay in the swap cache until they are looked at again.
 * *Returns* pages freed. *Source*: `reclaim_pages`, mm/vmscan.c, 1a4e58cce84e (5.4), without `sync`.
 */
export function* reclaimPages(pages: Ptr<Page>[], sync: boolean): Op<number> {
  yield* lruAddDrain();
  yield* beginIsolation();
  // Dirty pages of files stay: since 3.2 kswapd alone writes them.
  const sc = scanControl(GFP_NOFS, 0, false, true);
  let freed = 0;
  for (const wait of sync ? [false, true] : [false]) {
    for (const page of pages) if (yield* pageActive(page)) yield* clearPageActive(page);
    freed += yield* shrinkPageList(pages, sc, wait);
  }
  yield* putbackLruPages(pages);
  yield* handleWriteErrors(sc);
  return freed;
}
