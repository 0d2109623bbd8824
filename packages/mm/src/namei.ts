// SPDX-License-Identifier: GPL-2.0-only
import { load, mutexLock, mutexUnlock, NULL, type Op, type Ptr, store } from '@lockless/cpu';
import { ENOENT, ENOMEM, type File, Inode } from '@lockless/mm-types';
import { fileOpen, filePut, inodeGet, inodePut } from '@lockless/pagecache';
import { doTruncate } from './truncate.js';

export interface OpenOptions {
  /** FMODE_* bits. */
  readonly mode: number;
  /** O_TRUNC. */
  readonly truncate?: boolean;
}

/**
 * open(2), the part behind the name: an open file on an inode.
 *
 * *Context*: sleeps; the caller has a reference to the inode. *Returns* the file with one reference, or -ENOMEM.
 * *Source*: `may_open`, `nameidata_to_filp`, fs/namei.c, 2.6.27.
 */
export function* openInode(inode: Ptr<Inode>, { mode, truncate = false }: OpenOptions): Op<Ptr<File> | number> {
  const file = yield* fileOpen(inode, mode);
  if (file === NULL) return -ENOMEM;
  if (!truncate) return file;
  const error = yield* doTruncate(inode, 0);
  if (error === 0) return file;
  yield* filePut(file);
  return error;
}

/**
 * unlink(2), the part behind the name: one name less. With the last name gone, the last reference (open file, mapping) takes the pages and
 * the blocks along.
 *
 * *Context*: sleeps; the caller has a reference to the inode, and keeps it. *Returns* 0, or -ENOENT when there was no name left.
 * *Source*: `vfs_unlink`, `do_unlinkat`, fs/namei.c, 2.6.27.
 */
export function* unlinkInode(inode: Ptr<Inode>): Op<number> {
  yield* inodeGet(inode);
  yield* mutexLock(Inode.mutex(inode));
  const links = yield* load(Inode.nlink(inode));
  if (links > 0) yield* store(Inode.nlink(inode), links - 1);
  yield* mutexUnlock(Inode.mutex(inode));
  yield* inodePut(inode);
  return links > 0 ? 0 : -ENOENT;
}
