// SPDX-License-Identifier: GPL-2.0-only
import {
  defineStatic,
  type Embed,
  GFP_ATOMIC,
  GFP_KERNEL,
  GFP_NOWARN,
  initListHead,
  type KmemCache,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  listDelInit,
  listEmpty,
  load,
  Mutex,
  mutexInit,
  mutexLock,
  mutexUnlock,
  NULL,
  type Op,
  type Ptr,
  type SpinLock,
  type StructOf,
  spinLock,
  spinUnlock,
  store,
  struct,
} from '@lockless/cpu';
import { AddressSpace, Inode, RadixTreeRoot } from '@lockless/mm-types';
import { radixTreeDelete, radixTreeInit, radixTreeInsert, radixTreeLookup } from '@lockless/radix-tree';
import type { SwpEntry } from '@lockless/rmap';

/*
 * struct shmem_inode_info: where the pages of a file in memory are that are in swap. A page of the file is in the page cache, or its place is here, or it
 * is a hole; who moves it holds the page's lock and info->lock. The lock also keeps the place in use: what has it in hand under the lock finds its page, in
 * the swap cache or on the disk.
 *
 * 2.6.27 has vectors of places, direct and indirect as blocks of an old file system; here they are in a radix tree, as they are since 3.1 (where it is the
 * page cache's own).
 */

export interface ShmemInodeInfo {
  /** Before swap_lock and tree_lock; after the page lock. */
  lock: SpinLock;
  inode: Ptr<Inode>;
  /** Places in the tree. */
  swapped: number;
  /** On shmem_swaplist, for swapoff; from when a page is first swapped out. */
  swaplist: Embed<ListHead>;
  places: Embed<RadixTreeRoot>;
}
export const ShmemInodeInfo: StructOf<ShmemInodeInfo> = struct<ShmemInodeInfo>('shmem_inode_info', {
  lock: 1,
  inode: 1,
  swapped: 1,
  swaplist: ListHead,
  places: RadixTreeRoot,
});
const infoCachep: KmemCache<ShmemInodeInfo> = kmemCacheCreate(ShmemInodeInfo);

/** shmem_swaplist: files that may have pages in swap. */
export const shmemSwaplist: Ptr<ListHead> = defineStatic(ListHead, 'shmem_swaplist');
export const shmemSwaplistMutex: Ptr<Mutex> = defineStatic(Mutex, 'shmem_swaplist_mutex');

/** Boot. */
export function* shmemSwaplistInit(): Op<void> {
  yield* initListHead(shmemSwaplist);
  yield* mutexInit(shmemSwaplistMutex);
}

/** SHMEM_I(). */
export function* shmemInfo(inode: Ptr<Inode>): Op<Ptr<ShmemInodeInfo>> {
  return (yield* load(Inode.info(inode))) as Ptr<ShmemInodeInfo>;
}

/** Gives a new inode its info. *Returns* false: no memory. */
export function* shmemInfoAlloc(inode: Ptr<Inode>): Op<boolean> {
  const info = yield* kmemCacheAlloc(infoCachep, GFP_KERNEL);
  if (info === NULL) return false;
  yield* store(ShmemInodeInfo.inode(info), inode);
  yield* initListHead(ShmemInodeInfo.swaplist(info));
  yield* radixTreeInit(ShmemInodeInfo.places(info), GFP_ATOMIC | GFP_NOWARN);
  yield* store(Inode.info(inode), info);
  return true;
}

/** The inode goes. *Context*: no page of it is in swap any more; sleeps. *Source*: `shmem_delete_inode`, mm/shmem.c, 2.6.27. */
export function* shmemInfoFree(inode: Ptr<Inode>): Op<void> {
  const info = yield* shmemInfo(inode);
  // swapoff goes along the list under the mutex, and has our info in hand until it gives that back.
  yield* mutexLock(shmemSwaplistMutex);
  if (!(yield* listEmpty(ShmemInodeInfo.swaplist(info)))) yield* listDelInit(ShmemInodeInfo.swaplist(info));
  yield* mutexUnlock(shmemSwaplistMutex);
  yield* kmemCacheFree(infoCachep, info);
}

/** As an item of a radix tree, whose lowest bit is the tree's. */
const asItem = (entry: SwpEntry): number => entry * 2;
export const placeOfItem = (item: number): SwpEntry => (item / 2) as SwpEntry;

/** The place of a page, or 0. *Context*: info->lock. */
export function* shmemPlace(info: Ptr<ShmemInodeInfo>, index: number): Op<SwpEntry | 0> {
  return placeOfItem(yield* radixTreeLookup(ShmemInodeInfo.places(info), index));
}

/** Notes where a page is. *Context*: info->lock, preloaded. *Returns* 0, -ENOMEM or -EEXIST. */
export function* shmemPlaceSet(info: Ptr<ShmemInodeInfo>, index: number, entry: SwpEntry): Op<number> {
  const error = yield* radixTreeInsert(ShmemInodeInfo.places(info), index, asItem(entry));
  if (error === 0) yield* store(ShmemInodeInfo.swapped(info), (yield* load(ShmemInodeInfo.swapped(info))) + 1);
  return error;
}

/** *Context*: info->lock; there is one. */
export function* shmemPlaceClear(info: Ptr<ShmemInodeInfo>, index: number): Op<void> {
  yield* radixTreeDelete(ShmemInodeInfo.places(info), index);
  yield* store(ShmemInodeInfo.swapped(info), (yield* load(ShmemInodeInfo.swapped(info))) - 1);
}

/** {@link shmemPlace} of a mapping's page, which may be another when the caller has it. */
export function* shmemPlaceOf(mapping: Ptr<AddressSpace>, index: number): Op<SwpEntry | 0> {
  const info = yield* shmemInfo((yield* load(AddressSpace.host(mapping))) as Ptr<Inode>);
  yield* spinLock(ShmemInodeInfo.lock(info));
  const entry = yield* shmemPlace(info, index);
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  return entry;
}
