// SPDX-License-Identifier: GPL-2.0-only
import { condResched, load, NULL, type Op, type Ptr, readOnce } from '@lockless/cpu';
import { EINVAL, File, Inode, PAGE_SHIFT, PAGE_SIZE } from '@lockless/mm-types';
import { putPage, unlockPage, zeroPage } from '@lockless/page';
import type { ReadActor } from '@lockless/pagecache';
import { shmemGetpage } from './shmem-getpage.js';

/**
 * do_shmem_file_read(): reads a file in memory. Holes are read from the zero page: no page is made for them.
 *
 * *Context*: sleeps; no locks. *Returns* bytes read, short at the end of the file or where the actor takes no more; -EIO, -ENOMEM when nothing was.
 * *Ordering*: the size after the page, as `do_generic_file_read`: what was truncated and grown again is zeros.
 * *Source*: `do_shmem_file_read`, mm/shmem.c, 2.6.27 (SGP_READ).
 */
export function* doShmemFileRead(file: Ptr<File>, pos: number, count: number, actor: ReadActor): Op<number> {
  const inode = yield* readOnce(File.inode(file));
  let done = 0;
  while (done < count) {
    yield* condResched();
    const at = pos + done;
    const { page, error } = yield* shmemGetpage(yield* load(File.mapping(file)), at >> PAGE_SHIFT, 'read');
    if (page !== NULL) yield* unlockPage(page);
    if (error !== 0 && error !== -EINVAL) return done > 0 ? done : error;
    const offset = at % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - offset, count - done, (yield* readOnce(Inode.size(inode))) - at);
    const copied = bytes > 0 ? yield* actor(page === NULL ? zeroPage() : page, offset, bytes) : 0;
    if (page !== NULL) yield* putPage(page);
    done += copied;
    if (bytes <= 0 || copied < bytes) break;
  }
  return done;
}
