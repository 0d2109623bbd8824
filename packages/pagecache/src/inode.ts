// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr, SpinLock } from '@lockless/cpu';
import {
  atomicDecAndTest,
  atomicInc,
  GFP_ATOMIC,
  GFP_HIGHUSER,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  mutexInit,
  NULL,
  pointedFunction,
  readOnce,
  store,
  writeOnce,
} from '@lockless/cpu';
import { AddressSpace, File, FileRaState, Inode, RadixTreeRoot } from '@lockless/mm-types';
import { freeBlocks } from './block-map.js';
import { defaultRaPages } from './config.js';
import { DISK_AOPS } from './disk-aops.js';
import { forgetInode, lockInodes, unlockInodes } from './inode-state.js';
import { MAX_PAGE_INDEX, truncateInodePages } from './truncate.js';

/* Exported for who looks for objects of which nobody knows any more. */
export const inodeCachep: KmemCache<Inode> = kmemCacheCreate(Inode);
export const filpCachep: KmemCache<File> = kmemCacheCreate(File);

/** i_size_read(): bytes. */
export function* iSizeRead(inode: Ptr<Inode>): Op<number> {
  return yield* readOnce(Inode.size(inode));
}

/** i_size_write(). *Context*: inode->mutex held. */
export function* iSizeWrite(inode: Ptr<Inode>, bytes: number): Op<void> {
  yield* writeOnce(Inode.size(inode), bytes);
}

/** Sets an address_space up. *Source*: `address_space_init_once` and `alloc_inode`, fs/inode.c, 2.6.27. */
function* addressSpaceInit(mapping: Ptr<AddressSpace>, host: Ptr<Inode>): Op<void> {
  yield* store(AddressSpace.host(mapping), host);
  const tree = AddressSpace.pageTree(mapping);
  yield* store(RadixTreeRoot.height(tree), 0);
  // Nodes come from the preloaded pool: an allocation under tree_lock must not sleep.
  yield* store(RadixTreeRoot.gfpMask(tree), GFP_ATOMIC);
  yield* store(RadixTreeRoot.rnode(tree), NULL);
  yield* store(AddressSpace.treeLock(mapping), 0 as SpinLock);
  yield* store(AddressSpace.aOps(mapping), DISK_AOPS);
  yield* store(AddressSpace.flags(mapping), GFP_HIGHUSER);
  yield* store(AddressSpace.iMmapLock(mapping), 0 as SpinLock);
  yield* initListHead(AddressSpace.iMmap(mapping));
  yield* initListHead(AddressSpace.iMmapNonlinear(mapping));
}

/**
 * Makes an inode of a regular file on the disk. *Returns* it with one link and one reference, or NULL: no memory.
 * *Source*: `alloc_inode`, `iget_locked`, fs/inode.c, 2.6.27. *Differs*: no inode cache; the caller keeps the table of inodes.
 */
export function* inodeAlloc(ino: number, size: number): Op<Ptr<Inode> | Null> {
  const inode = yield* kmemCacheAlloc(inodeCachep, GFP_KERNEL);
  if (inode === NULL) return NULL;
  yield* store(Inode.ino(inode), ino);
  yield* store(Inode.size(inode), size);
  yield* store(Inode.count(inode), 1);
  yield* store(Inode.nlink(inode), 1);
  yield* initListHead(Inode.list(inode));
  yield* mutexInit(Inode.mutex(inode));
  yield* addressSpaceInit(Inode.data(inode), inode);
  return inode;
}

/** Takes one more reference. *Context*: the caller has one. *Source*: `ihold`, `__iget`. */
export function* inodeGet(inode: Ptr<Inode>): Op<void> {
  yield* lockInodes();
  yield* store(Inode.count(inode), (yield* load(Inode.count(inode))) + 1);
  yield* unlockInodes();
}

/**
 * Drops a reference. When it was the last one of a file without links, the pages, the blocks and the inode go; one with links stays in
 * memory with its pages. *Context*: may sleep. *Source*: `iput`, `generic_drop_inode`, `generic_delete_inode`, fs/inode.c, 2.6.27.
 */
export function* inodePut(inode: Ptr<Inode>): Op<void> {
  yield* lockInodes();
  const left = (yield* load(Inode.count(inode))) - 1;
  yield* store(Inode.count(inode), left);
  const gone = left === 0 && (yield* load(Inode.nlink(inode))) === 0;
  if (gone) yield* forgetInode(inode);
  yield* unlockInodes();
  if (!gone) return;
  yield* truncateInodePages(Inode.data(inode), 0);
  yield* freeFileRange(inode, 0);
  const { evictInode } = pointedFunction(yield* load(AddressSpace.aOps(Inode.data(inode))));
  if (evictInode !== undefined) yield* evictInode(inode);
  yield* kmemCacheFree(inodeCachep, inode);
}

/** What a file keeps of pages [first, end) where they are not in memory, on its disk or in swap, is free. *Context*: sleeps; the pages left the cache. */
export function* freeFileRange(inode: Ptr<Inode>, first: number, end: number = MAX_PAGE_INDEX): Op<void> {
  const { truncateRange } = pointedFunction(yield* load(AddressSpace.aOps(Inode.data(inode))));
  if (truncateRange !== undefined) yield* truncateRange(inode, first, end);
  else freeBlocks(yield* load(Inode.ino(inode)), first, end);
}

/** file_ra_state_init(). *Source*: mm/readahead.c, 2.6.27. */
function* fileRaStateInit(ra: Ptr<FileRaState>): Op<void> {
  yield* store(FileRaState.raPages(ra), defaultRaPages());
  yield* store(FileRaState.prevIndex(ra), -1);
}

/**
 * Opens an inode. `mode`: FMODE_*. *Returns* a file with one reference, which holds one to the inode; NULL: no memory.
 * *Source*: `__dentry_open`, fs/open.c, 2.6.27.
 */
export function* fileOpen(inode: Ptr<Inode>, mode: number): Op<Ptr<File> | Null> {
  const file = yield* kmemCacheAlloc(filpCachep, GFP_KERNEL);
  if (file === NULL) return NULL;
  yield* inodeGet(inode);
  yield* store(File.inode(file), inode);
  yield* store(File.mapping(file), Inode.data(inode));
  yield* store(File.count(file), 1);
  yield* store(File.mode(file), mode);
  yield* fileRaStateInit(File.ra(file));
  return file;
}

/** get_file(). */
export function* fileGet(file: Ptr<File>): Op<void> {
  yield* atomicInc(File.count(file));
}

/** Drops a reference; the last one closes the file. *Context*: may sleep. *Source*: `fput`, fs/file_table.c, 2.6.27. */
export function* filePut(file: Ptr<File>): Op<void> {
  if (!(yield* atomicDecAndTest(File.count(file)))) return;
  const inode = yield* load(File.inode(file));
  yield* kmemCacheFree(filpCachep, file);
  yield* inodePut(inode);
}
