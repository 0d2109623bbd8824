// SPDX-License-Identifier: GPL-2.0-only
import { load, mutexLock, mutexUnlock, type Op, type Ptr, readOnce } from '@lockless/cpu';
import {
  EBADF,
  EFBIG,
  EINVAL,
  EOPNOTSUPP,
  ETXTBSY,
  File,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  S_SWAPFILE,
} from '@lockless/mm-types';
import { freeFileRange, iSizeWrite, truncateInodePagesRange } from '@lockless/pagecache';
import { unmapMappingRange } from '@lockless/rmap';
import { mmOption } from './mm-options.js';
import { withinFileSizeLimit } from './rlimit.js';
import { shmemMapping } from './shmem.js';
import { MAX_LFS_FILESIZE } from './truncate.js';

export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;

/**
 * vmtruncate_range(): makes a hole of pages [first, end) of a file: they are gone from address spaces, cache and disk, and read as zeros.
 *
 * 1. unmap; 2. take the pages from the cache, each under its lock; 3. free the blocks; 4. 1 and 2 again: the size does not tell faults and
 * reads to keep off, so between 2 and 3 they may have brought in what was on the disk.
 *
 * *Context*: inode->mutex held; sleeps. `evenCows`: private copies go too, as madvise has it; fallocate keeps them.
 * *Source*: `vmtruncate_range`, mm/memory.c, 2.6.27; `truncate_pagecache_range`, mm/truncate.c, 3.5.
 * *Differs*: 4; a page that is brought in, written to and written back between 2 and 4 keeps its content on the disk, which since 5.15
 * mapping->invalidate_lock prevents (730633f0b7f9; file systems of their own before).
 */
export function* vmtruncateRange(inode: Ptr<Inode>, first: number, end: number, evenCows: boolean): Op<void> {
  yield* dropPages(inode, first, end, evenCows); // 1, 2
  yield* freeFileRange(inode, first, end); // 3
  yield* dropPages(inode, first, end, evenCows); // 4
}

function* dropPages(inode: Ptr<Inode>, first: number, end: number, evenCows: boolean): Op<void> {
  const mapping = Inode.data(inode);
  yield* unmapMappingRange(mapping, first, end - first, evenCows);
  yield* truncateInodePagesRange(mapping, first * PAGE_SIZE, end * PAGE_SIZE - 1);
  if (evenCows) yield* unmapMappingRange(mapping, first, end - first, true);
}

/**
 * fallocate(2): the file is at least `offset + bytes` long, unless FALLOC_FL_KEEP_SIZE; new pages are holes, which read as zeros. With
 * FALLOC_FL_PUNCH_HOLE the whole pages of the range become holes.
 *
 * *Context*: sleeps; takes inode->mutex. *Returns* 0; -EINVAL, -EFBIG, -EBADF, -ETXTBSY; -EOPNOTSUPP for every other mode.
 * *Source*: `sys_fallocate`, fs/open.c, 2.6.27; holes as in 2.6.38 (79124f18b335). *Differs*: no blocks are reserved; contents are not bytes
 * here, so the parts of pages at the ends of a hole stay.
 */
export function* sysFallocate(file: Ptr<File>, mode: number, offset: number, bytes: number): Op<number> {
  if (offset < 0 || bytes <= 0) return -EINVAL;
  const punch = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
  if (punch && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
  if (((yield* readOnce(File.mode(file))) & FMODE_WRITE) === 0) return -EBADF;
  if (offset + bytes > MAX_LFS_FILESIZE) return -EFBIG;
  const inode = yield* load(File.inode(file));
  if (punch) return yield* punchHole(inode, offset, bytes, false);
  if (mode === FALLOC_FL_KEEP_SIZE) return 0;
  yield* mutexLock(Inode.mutex(inode));
  const error = yield* extend(inode, offset + bytes);
  yield* mutexUnlock(Inode.mutex(inode));
  return error;
}

/** *Context*: inode->mutex held. */
function* extend(inode: Ptr<Inode>, bytes: number): Op<number> {
  if (bytes <= (yield* load(Inode.size(inode)))) return 0;
  if ((yield* withinFileSizeLimit(bytes - 1, 1)) < 0) return -EFBIG;
  yield* iSizeWrite(inode, bytes);
  return 0;
}

/**
 * Where faults go by truncate_count, files on a disk can have no holes: after its second look a fault relies on i_size to hide the page, and a
 * hole leaves i_size as it is. File systems that could do it came later (2.6.38), faults under the page lock in 2.6.23.
 */
function* canPunch(inode: Ptr<Inode>): Op<boolean> {
  return mmOption('truncateCountFaults') === 0 || (yield* shmemMapping(Inode.data(inode)));
}

/**
 * Makes holes of the whole pages of `bytes` bytes from byte `offset`. *Context*: sleeps; takes inode->mutex. `evenCows` as of
 * {@link vmtruncateRange}. *Returns* 0, -ETXTBSY: memory is swapped out to the file; -EOPNOTSUPP: {@link canPunch}.
 */
export function* punchHole(inode: Ptr<Inode>, offset: number, bytes: number, evenCows: boolean): Op<number> {
  if (!(yield* canPunch(inode))) return -EOPNOTSUPP;
  const first = Math.ceil(offset / PAGE_SIZE);
  const end = Math.floor((offset + bytes) / PAGE_SIZE);
  yield* mutexLock(Inode.mutex(inode));
  const inUse = ((yield* load(Inode.flags(inode))) & S_SWAPFILE) !== 0;
  if (!inUse && first < end) yield* vmtruncateRange(inode, first, end, evenCows);
  yield* mutexUnlock(Inode.mutex(inode));
  return inUse ? -ETXTBSY : 0;
}
