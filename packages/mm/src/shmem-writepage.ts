// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  defineGuard,
  GFP_ATOMIC,
  GFP_NOMEMALLOC,
  GFP_NOWARN,
  listAddTail,
  listEmpty,
  load,
  mutexLock,
  mutexUnlock,
  NULL,
  type Op,
  type Ptr,
  readOnce,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { AddressSpace, AOP_WRITEPAGE_ACTIVATE, type Inode, Page } from '@lockless/mm-types';
import { pageLocked, pageMapped, putPage } from '@lockless/page';
import {
  addToSwapCache,
  deleteFromSwapCache,
  getSwapPage,
  removeFromPageCache,
  setPageDirtyNoWriteback,
  swapDuplicate,
  swapFree,
  swapWritepage,
} from '@lockless/pagecache';
import { radixTreePreload, radixTreePreloadEnd } from '@lockless/radix-tree';
import type { SwpEntry } from '@lockless/rmap';
import { ShmemInodeInfo, shmemInfo, shmemPlaceSet, shmemSwaplist, shmemSwaplistMutex } from './shmem-info.js';

const countedFirst = defineGuard(
  'shmemWritepage.duplicateUnderLock',
  'the use that the file has of the place is counted when info->lock is given back, as in 2.6.27: who frees the place meanwhile takes the swap cache’s',
);
const inSwapFirst = defineGuard(
  'shmemWritepage.swapCacheFirst',
  'the page leaves the page cache before the file says where it is: a lookup meanwhile finds a hole',
);

/**
 * shmem_writepage(): a page of a file in memory moves to swap.
 *
 * 1. a place; 2. the file is where swapoff finds it; 3. info->lock; 4. the page into the swap cache, and the place into the file, with a use of it that is
 * counted; 5. out of the page cache; 6. unlock; 7. write it.
 * Who looks for the page does it in this order too: page cache, then under info->lock the file's places. So it is never in neither.
 *
 * *Context*: page locked, clean for I/O, not mapped; unlocks it. The page lock keeps the inode: its end waits for it in truncate_inode_pages().
 * *Returns* 0; AOP_WRITEPAGE_ACTIVATE, the page locked and dirty again: no place, no memory.
 * *Source*: `shmem_writepage`, mm/shmem.c, 2.6.27; 2 before 3, the use counted in 4, and 7 as in 3.1. *Differs*: for reclaim alone; dirty pages of
 * files in memory are written for no other reason.
 */
export function* shmemWritepage(page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageLocked(page)), 'shmem_writepage: !PageLocked(page)');
  bugOn(yield* pageMapped(page), 'shmem_writepage: page_mapped(page)');
  const entry = yield* getSwapPage(); // 1
  if (entry === NULL) return yield* redirty(page);
  const mapping = (yield* readOnce(Page.mapping(page))) as Ptr<AddressSpace>;
  const info = yield* shmemInfo((yield* load(AddressSpace.host(mapping))) as Ptr<Inode>);
  yield* mutexLock(shmemSwaplistMutex); // 2
  if (yield* listEmpty(ShmemInodeInfo.swaplist(info))) yield* listAddTail(ShmemInodeInfo.swaplist(info), shmemSwaplist);
  yield* mutexUnlock(shmemSwaplistMutex);
  if (!(yield* moveToSwapCache(page, info, entry))) {
    yield* swapFree(entry);
    return yield* redirty(page);
  }
  return yield* swapWritepage(page); // 7
}

function* redirty(page: Ptr<Page>): Op<number> {
  yield* setPageDirtyNoWriteback(page);
  return AOP_WRITEPAGE_ACTIVATE;
}

/** 3 to 6 of {@link shmemWritepage}. *Context*: page locked; the place is in use once. *Returns* whether there was memory for it. */
export function* moveToSwapCache(page: Ptr<Page>, info: Ptr<ShmemInodeInfo>, entry: SwpEntry): Op<boolean> {
  const index = yield* readOnce(Page.index(page));
  if ((yield* radixTreePreload(GFP_ATOMIC | GFP_NOMEMALLOC | GFP_NOWARN)) !== 0) return false;
  if (!inSwapFirst()) yield* leavePageCache(page);
  yield* spinLock(ShmemInodeInfo.lock(info)); // 3
  let moved = (yield* addToSwapCache(page, entry, GFP_ATOMIC | GFP_NOMEMALLOC | GFP_NOWARN)) === 0;
  if (moved) {
    if (countedFirst()) yield* swapDuplicate(entry);
    moved = (yield* shmemPlaceSet(info, index, entry)) === 0; // 4
    if (!moved) yield* deleteFromSwapCache(page);
    else if (inSwapFirst()) yield* leavePageCache(page); // 5
  }
  yield* spinUnlock(ShmemInodeInfo.lock(info)); // 6
  if (moved && !countedFirst()) yield* swapDuplicate(entry);
  radixTreePreloadEnd();
  return moved;
}

function* leavePageCache(page: Ptr<Page>): Op<void> {
  yield* removeFromPageCache(page);
  yield* putPage(page);
}
