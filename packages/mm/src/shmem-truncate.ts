// SPDX-License-Identifier: GPL-2.0-only
import { defineGuard, load, type Op, type Ptr, spinLock, spinUnlock } from '@lockless/cpu';
import { AddressSpace, Inode, PAGE_SIZE } from '@lockless/mm-types';
import { freeSwapAndCache, MAX_PAGE_INDEX, truncateInodePages, truncateInodePagesRange } from '@lockless/pagecache';
import { radixTreeGangLookupSlot } from '@lockless/radix-tree';
import type { SwpEntry } from '@lockless/rmap';
import { ShmemInodeInfo, shmemInfo, shmemPlace, shmemPlaceClear } from './shmem-info.js';

const secondPass = defineGuard(
  'shmemTruncateRange.secondPass',
  'truncation frees places when it has been through the page cache, and does not look there again: a page may have come back from swap between',
);

/** Places that are freed without giving info->lock back. */
const BATCH = 16;

/**
 * shmem_truncate_range(): places of pages [first, end) are free. After that the page cache again: a fault or swapoff may have brought a page back between
 * the truncation of the page cache, which comes before this, and info->lock here. None does after that: i_size is looked at under the lock.
 *
 * *Context*: sleeps; the range is gone from the page cache. *Source*: `shmem_truncate_range`, mm/shmem.c, 2.6.27.
 */
export function* shmemTruncateRange(inode: Ptr<Inode>, first: number, end: number): Op<void> {
  if (!(yield* shmemFreePlaces(inode, first, end))) return;
  const mapping = Inode.data(inode);
  if (end === MAX_PAGE_INDEX) yield* truncateInodePages(mapping, first * PAGE_SIZE);
  else yield* truncateInodePagesRange(mapping, first * PAGE_SIZE, end * PAGE_SIZE - 1);
}

/** The first half of {@link shmemTruncateRange}. *Returns* whether there may be something in the page cache, for the second. */
export function* shmemFreePlaces(inode: Ptr<Inode>, first: number, end: number): Op<boolean> {
  const info = yield* shmemInfo(inode);
  let freed = BATCH;
  while (freed === BATCH) {
    yield* spinLock(ShmemInodeInfo.lock(info));
    freed = yield* freePlaces(info, first, end);
    yield* spinUnlock(ShmemInodeInfo.lock(info));
  }
  return secondPass() && (yield* load(AddressSpace.nrpages(Inode.data(inode)))) !== 0;
}

/** *Context*: info->lock. *Returns* how many it freed: fewer than a batch when there are no more. */
function* freePlaces(info: Ptr<ShmemInodeInfo>, first: number, end: number): Op<number> {
  const indices: number[] = [];
  yield* radixTreeGangLookupSlot(ShmemInodeInfo.places(info), first, BATCH, indices);
  const within = indices.filter((index) => index < end);
  for (const index of within) {
    const entry = (yield* shmemPlace(info, index)) as SwpEntry;
    yield* shmemPlaceClear(info, index);
    yield* freeSwapAndCache(entry);
  }
  return within.length;
}
