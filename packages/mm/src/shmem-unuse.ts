// SPDX-License-Identifier: GPL-2.0-only
import {
  containerOf,
  ListHead,
  load,
  mutexLock,
  mutexUnlock,
  type Op,
  type Ptr,
  peek,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { Inode, type Page } from '@lockless/mm-types';
import { pageSwapCache } from '@lockless/page';
import { pageSwapEntry, swapFree, treeItems } from '@lockless/pagecache';
import { radixTreeGangLookupSlot, radixTreeLookup } from '@lockless/radix-tree';
import type { SwpEntry } from '@lockless/rmap';
import { moveToPageCache } from './shmem-getpage.js';
import { placeOfItem, ShmemInodeInfo, shmemPlace, shmemSwaplist, shmemSwaplistMutex } from './shmem-info.js';

/** Places that are looked at without giving info->lock back. */
const BATCH = 16;

/**
 * shmem_unuse(): swapoff looks for a place among those of the files in memory, and brings the page back into the file that has it.
 *
 * *Context*: page locked, not under writeback, a reference; sleeps. *Returns* 0: the page is in its file, or no file has it; -ENOMEM.
 * *Source*: `shmem_unuse`, `shmem_unuse_inode`, mm/shmem.c, 2.6.27. *Differs*: a file stays on the list when its last page is back.
 */
export function* shmemUnuse(entry: SwpEntry, page: Ptr<Page>): Op<number> {
  let error: number | null = null;
  yield* mutexLock(shmemSwaplistMutex);
  const left = !(yield* pageSwapCache(page)) || (yield* pageSwapEntry(page)) !== entry;
  let at = yield* load(ListHead.next(shmemSwaplist));
  while (!left && error === null && at !== shmemSwaplist) {
    error = yield* shmemUnuseInode(containerOf<ShmemInodeInfo>(at, ShmemInodeInfo, 'swaplist'), entry, page);
    at = yield* load(ListHead.next(at));
  }
  yield* mutexUnlock(shmemSwaplistMutex);
  return error ?? 0;
}

/** *Returns* null: not this file's. The mutex keeps its inode: the end of one takes it off the list. */
function* shmemUnuseInode(info: Ptr<ShmemInodeInfo>, entry: SwpEntry, page: Ptr<Page>): Op<number | null> {
  const index = yield* indexOf(info, entry);
  if (index === null) return null;
  const inode = yield* load(ShmemInodeInfo.inode(info));
  yield* spinLock(ShmemInodeInfo.lock(info));
  // The page is locked, so that nobody brings it back meanwhile; but it may have been truncated.
  const found = (yield* shmemPlace(info, index)) === entry;
  const error = found ? yield* moveToPageCache(page, Inode.data(inode), info, index) : null;
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  if (error === 0) yield* swapFree(entry);
  return error;
}

/** The page of a file whose place it is. */
function* indexOf(info: Ptr<ShmemInodeInfo>, entry: SwpEntry): Op<number | null> {
  const places = ShmemInodeInfo.places(info);
  for (let next = 0; ; ) {
    const indices: number[] = [];
    let found: number | null = null;
    yield* spinLock(ShmemInodeInfo.lock(info));
    yield* radixTreeGangLookupSlot(places, next, BATCH, indices);
    for (const index of indices) if (placeOfItem(yield* radixTreeLookup(places, index)) === entry) found = index;
    yield* spinUnlock(ShmemInodeInfo.lock(info));
    if (found !== null || indices.length < BATCH) return found;
    next = indices[indices.length - 1] + 1;
  }
}

/** A page of a file in memory that is in swap, looked at from outside. */
export interface ShmemSwapped {
  readonly ino: number;
  readonly index: number;
  readonly entry: SwpEntry;
}

/** All of them. */
export function shmemSwapped(): ShmemSwapped[] {
  const swapped: ShmemSwapped[] = [];
  let at = peek(ListHead.next(shmemSwaplist));
  for (; at !== 0 && at !== shmemSwaplist; at = peek(ListHead.next(at))) {
    const info = containerOf<ShmemInodeInfo>(at, ShmemInodeInfo, 'swaplist');
    const ino = peek(Inode.ino(peek(ShmemInodeInfo.inode(info))));
    for (const { index, page } of treeItems(ShmemInodeInfo.places(info)))
      swapped.push({ ino, index, entry: placeOfItem(page) });
  }
  return swapped;
}
