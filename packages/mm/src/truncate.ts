// SPDX-License-Identifier: GPL-2.0-only
import { defineGuard, load, mutexLock, mutexUnlock, type Op, type Ptr, readOnce } from '@lockless/cpu';
import {
  type AddressSpace,
  EFBIG,
  EINVAL,
  ETXTBSY,
  File,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  S_SWAPFILE,
} from '@lockless/mm-types';
import { freeFileRange, iSizeWrite, truncateInodePages } from '@lockless/pagecache';
import { unmapMappingRange } from '@lockless/rmap';
import { withinFileSizeLimit } from './rlimit.js';

/** Largest size in bytes: a position must fit a word. */
export const MAX_LFS_FILESIZE = 0x7fffffff;

/** Kernel-facts C2. */
const secondUnmap = defineGuard(
  'vmtruncate.secondUnmap',
  'vmtruncate unmaps once: a private copy made of a page on its way out stays mapped',
);

/**
 * vmtruncate(): gives a file another size; what lies beyond is gone from all address spaces, the cache and the disk.
 *
 * 1. the size, so that no fault or read brings a page beyond it back; 2. unmap; 3. take the pages from the cache, each under its lock;
 * 4. unmap again, because between 2 and 3 a fault on a private mapping may have copied a page that was still there (C2).
 *
 * *Context*: inode->mutex held; sleeps.
 * *Returns* 0; -EFBIG beyond RLIMIT_FSIZE, with SIGXFSZ, or beyond what a file can have; -ETXTBSY: memory is swapped out to the part that
 * would go.
 * *Source*: `vmtruncate`, mm/memory.c, 2.6.27.
 */
export function* vmtruncate(inode: Ptr<Inode>, bytes: number): Op<number> {
  const old = yield* load(Inode.size(inode));
  if (bytes >= old) {
    if (bytes > old && (yield* withinFileSizeLimit(bytes - 1, 1)) < 0) return -EFBIG;
    if (bytes > MAX_LFS_FILESIZE) return -EFBIG;
    yield* iSizeWrite(inode, bytes);
    return 0;
  }
  if (((yield* load(Inode.flags(inode))) & S_SWAPFILE) !== 0) return -ETXTBSY;
  yield* iSizeWrite(inode, bytes); // 1
  yield* truncatePagecache(Inode.data(inode), bytes);
  yield* freeFileRange(inode, Math.ceil(bytes / PAGE_SIZE));
  return 0;
}

/**
 * truncate_pagecache(): steps 2 to 4 of {@link vmtruncate}; `takeOut` is 3.
 *
 * *Context*: sleeps; i_size is the new one already. *Source*: mm/truncate.c, 2.6.32, a part of vmtruncate() before.
 */
export function* truncatePagecache(
  mapping: Ptr<AddressSpace>,
  bytes: number,
  takeOut: (mapping: Ptr<AddressSpace>, bytes: number) => Op<void> = truncateInodePages,
): Op<void> {
  const firstGone = Math.ceil(bytes / PAGE_SIZE);
  yield* unmapMappingRange(mapping, firstGone, 0, true); // 2
  yield* takeOut(mapping, bytes); // 3
  if (secondUnmap()) yield* unmapMappingRange(mapping, firstGone, 0, true); // 4
}

/**
 * truncate(2): a new size in bytes.
 *
 * *Context*: sleeps; takes inode->mutex. *Returns* 0, -EINVAL, or an error of {@link vmtruncate}. *Source*: `do_truncate`, fs/open.c, 2.6.27.
 */
export function* doTruncate(inode: Ptr<Inode>, bytes: number): Op<number> {
  if (bytes < 0) return -EINVAL;
  yield* mutexLock(Inode.mutex(inode));
  const error = yield* vmtruncate(inode, bytes);
  yield* mutexUnlock(Inode.mutex(inode));
  return error;
}

/** ftruncate(2). *Returns* as {@link doTruncate}, or -EINVAL when the file is not open for writing. *Source*: fs/open.c, 2.6.27. */
export function* sysFtruncate(file: Ptr<File>, bytes: number): Op<number> {
  if (((yield* readOnce(File.mode(file))) & FMODE_WRITE) === 0) return -EINVAL;
  return yield* doTruncate(yield* load(File.inode(file)), bytes);
}
