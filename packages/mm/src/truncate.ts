// SPDX-License-Identifier: GPL-2.0-only
import { load, mutexLock, mutexUnlock, type Op, type Ptr, readOnce } from '@lockless/cpu';
import { EBADF, EFBIG, EINVAL, EOPNOTSUPP, File, FMODE_WRITE, Inode, PAGE_SIZE } from '@lockless/mm-types';
import { freeBlocks, iSizeWrite, truncateInodePages } from '@lockless/pagecache';
import { unmapMappingRange } from '@lockless/rmap';

/** Largest size in bytes: a position must fit a word. */
const MAX_LFS_FILESIZE = 0x7fffffff;
export const FALLOC_FL_KEEP_SIZE = 1;

/**
 * vmtruncate(): gives a file another size; what lies beyond is gone from all address spaces, the cache and the disk.
 *
 * 1. the size, so that no fault or read brings a page beyond it back; 2. unmap; 3. take the pages from the cache, each under its lock;
 * 4. unmap again, because between 2 and 3 a fault on a private mapping may have copied a page that was still there (C2).
 *
 * *Context*: inode->mutex held; sleeps.
 * *Source*: `vmtruncate`, mm/memory.c, 2.6.27.
 */
export function* vmtruncate(inode: Ptr<Inode>, bytes: number): Op<void> {
  const old = yield* load(Inode.size(inode));
  yield* iSizeWrite(inode, bytes); // 1
  if (bytes >= old) return;
  const mapping = Inode.data(inode);
  const firstGone = Math.ceil(bytes / PAGE_SIZE);
  yield* unmapMappingRange(mapping, firstGone, 0, true); // 2
  yield* truncateInodePages(mapping, bytes); // 3
  yield* unmapMappingRange(mapping, firstGone, 0, true); // 4
  freeBlocks(yield* load(Inode.ino(inode)), firstGone);
}

/**
 * truncate(2): a new size in bytes.
 *
 * *Context*: sleeps; takes inode->mutex. *Returns* 0, -EINVAL, -EFBIG. *Source*: `do_truncate`, fs/open.c, 2.6.27.
 */
export function* doTruncate(inode: Ptr<Inode>, bytes: number): Op<number> {
  if (bytes < 0) return -EINVAL;
  if (bytes > MAX_LFS_FILESIZE) return -EFBIG;
  yield* mutexLock(Inode.mutex(inode));
  yield* vmtruncate(inode, bytes);
  yield* mutexUnlock(Inode.mutex(inode));
  return 0;
}

/** ftruncate(2). *Returns* as {@link doTruncate}, or -EINVAL when the file is not open for writing. *Source*: fs/open.c, 2.6.27. */
export function* sysFtruncate(file: Ptr<File>, bytes: number): Op<number> {
  if (((yield* readOnce(File.mode(file))) & FMODE_WRITE) === 0) return -EINVAL;
  return yield* doTruncate(yield* load(File.inode(file)), bytes);
}

/**
 * fallocate(2): the file is at least `offset + bytes` long, unless FALLOC_FL_KEEP_SIZE. New pages are holes, which read as zeros.
 *
 * *Context*: sleeps; takes inode->mutex. *Returns* 0; -EINVAL, -EFBIG, -EBADF; -EOPNOTSUPP for every other mode.
 * *Source*: `sys_fallocate`, fs/open.c, 2.6.27. *Differs*: no blocks are reserved; holes cannot be punched.
 */
export function* sysFallocate(file: Ptr<File>, mode: number, offset: number, bytes: number): Op<number> {
  if (offset < 0 || bytes <= 0) return -EINVAL;
  if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0) return -EOPNOTSUPP;
  if (((yield* readOnce(File.mode(file))) & FMODE_WRITE) === 0) return -EBADF;
  if (offset + bytes > MAX_LFS_FILESIZE) return -EFBIG;
  if (mode === FALLOC_FL_KEEP_SIZE) return 0;
  const inode = yield* load(File.inode(file));
  yield* mutexLock(Inode.mutex(inode));
  if (offset + bytes > (yield* load(Inode.size(inode)))) yield* iSizeWrite(inode, offset + bytes);
  yield* mutexUnlock(Inode.mutex(inode));
  return 0;
}
