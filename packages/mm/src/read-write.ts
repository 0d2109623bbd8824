// SPDX-License-Identifier: GPL-2.0-only
import { load, mutexLock, mutexUnlock, type Op, type Ptr, readOnce } from '@lockless/cpu';
import {
  EBADF,
  EFAULT,
  EINVAL,
  File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGE_SHIFT,
  PAGE_SIZE,
  Page,
} from '@lockless/mm-types';
import { genericFileRead, genericFileWrite, genericFileWriteLocked } from '@lockless/pagecache';
import { type Content, readContent } from './content.js';
import { withinFileSizeLimit } from './rlimit.js';
import { shmemMapping } from './shmem.js';
import { doShmemFileRead } from './shmem-read.js';
import { userAccess, userWrite } from './user-access.js';

/** A stretch of the program's memory. */
export interface UserBuffer {
  /** Page number. */
  readonly page: number;
  /** First byte in that page. */
  readonly offset: number;
}

/** What a system call met in one page of a file; told to the host, who may verify it. */
export interface Seen extends Content {
  readonly ino: number;
  readonly index: number;
}
export type Observer = (seen: Seen) => void;

const ignore: Observer = () => undefined;
/** PIPE_BUFFERS: pages that are on their way from one file to the other at a time. */
const PIPE_PAGES = 16;

/** Touches the pages of `count` bytes, `done` bytes into the buffer. 0 or -EFAULT. */
function* touchBuffer(
  buffer: UserBuffer,
  done: number,
  count: number,
  touch: (page: number) => ReturnType<typeof userWrite>,
): Op<number> {
  const first = buffer.offset + done;
  for (let page = first >> PAGE_SHIFT; page <= (first + count - 1) >> PAGE_SHIFT; page++) {
    if ((yield* touch(buffer.page + page)).error !== 0) return -EFAULT;
  }
  return 0;
}

/**
 * pread64(2): reads through the page cache into the program's memory.
 *
 * *Context*: a task, with an mm if there is a buffer; no locks. Sleeps.
 * *Returns* bytes read, short at the end of the file or where the buffer cannot be touched; -EBADF, -EINVAL, -EFAULT, -EIO, -ENOMEM.
 * *Source*: `vfs_read`, fs/read_write.c, and `file_read_actor`, mm/filemap.c, 2.6.27.
 * *Differs*: `buffer` null: only the file's side (sendfile, or a buffer that nobody knows). The program's pages get the datum of the last
 * file page that was copied into them.
 */
export function* sysPread(
  file: Ptr<File>,
  pos: number,
  count: number,
  buffer: UserBuffer | null,
  observe: Observer = ignore,
): Op<number> {
  if (((yield* readOnce(File.mode(file))) & FMODE_READ) === 0) return -EBADF;
  if (pos < 0 || count < 0) return -EINVAL;
  const ino = yield* load(Inode.ino(yield* load(File.inode(file))));
  let done = 0;
  let fault = 0;
  const inMemory = yield* shmemMapping(yield* load(File.mapping(file)));
  const readPages = inMemory ? doShmemFileRead : genericFileRead;
  const read = yield* readPages(file, pos, count, function* (page, _offset, bytes): Op<number> {
    const content = yield* readContent(page);
    if (buffer !== null) fault = yield* touchBuffer(buffer, done, bytes, (user) => userWrite(user, content));
    if (fault !== 0) return 0;
    observe({ ino, index: (pos + done) >> PAGE_SHIFT, ...content });
    done += bytes;
    return bytes;
  });
  return read === 0 && fault !== 0 ? fault : read;
}

/**
 * pwrite64(2): writes the program's memory into the page cache.
 *
 * The buffer's pages are touched before a page of the file is locked: it may be mapped there, and its fault would wait for our lock.
 *
 * *Context*: as {@link sysPread}; takes inode->mutex. *Returns* bytes written, or -EBADF, -EINVAL, -EFAULT, -EFBIG, -EIO, -ENOMEM.
 * *Source*: `vfs_write`, fs/read_write.c, `iov_iter_fault_in_readable`, mm/filemap.c, 2.6.27.
 * *Differs*: the observer is told the version that the write makes.
 */
export function* sysPwrite(
  file: Ptr<File>,
  pos: number,
  count: number,
  buffer: UserBuffer | null,
  observe: Observer = ignore,
): Op<number> {
  if (((yield* readOnce(File.mode(file))) & FMODE_WRITE) === 0) return -EBADF;
  if (pos < 0 || count < 0) return -EINVAL;
  if (count === 0) return 0;
  const bytes = yield* withinFileSizeLimit(pos, count);
  if (bytes < 0) return bytes;
  return yield* genericFileWrite(
    file,
    pos,
    bytes,
    copyFromUser(yield* load(File.inode(file)), observe),
    prefault(buffer),
  );
}

/** write(2) with O_APPEND: as {@link sysPwrite} at the end of the file, whoever else appends. */
export function* sysAppend(
  file: Ptr<File>,
  count: number,
  buffer: UserBuffer | null,
  observe: Observer = ignore,
): Op<number> {
  if (((yield* readOnce(File.mode(file))) & FMODE_WRITE) === 0) return -EBADF;
  if (count <= 0) return count === 0 ? 0 : -EINVAL;
  const inode = yield* load(File.inode(file));
  yield* mutexLock(Inode.mutex(inode));
  const end = yield* load(Inode.size(inode));
  let written = yield* withinFileSizeLimit(end, count);
  if (written > 0)
    written = yield* genericFileWriteLocked(file, end, written, copyFromUser(inode, observe), prefault(buffer));
  yield* mutexUnlock(Inode.mutex(inode));
  return written;
}

const prefault =
  (buffer: UserBuffer | null) =>
  (done: number, count: number): Op<number> =>
    touchSource(buffer, done, count);

function* touchSource(buffer: UserBuffer | null, done: number, count: number): Op<number> {
  return buffer === null ? 0 : yield* touchBuffer(buffer, done, count, (page) => userAccess(page, 'read'));
}

/** The copy into a locked page of the file: one version on. */
const copyFromUser = (inode: Ptr<Inode>, observe: Observer) =>
  function* (page: Ptr<Page>, _offset: number, count: number): Op<number> {
    const { identity, version } = yield* readContent(page);
    observe({
      ino: yield* load(Inode.ino(inode)),
      index: yield* readOnce(Page.index(page)),
      identity,
      version: version + 1,
    });
    return count;
  };

/**
 * sendfile(2), copy_file_range(2): from one file to another, or to nobody (a socket), without the program's memory.
 *
 * *Context*: sleeps. *Returns* bytes copied, or an error of reading or writing when there were none.
 * *Source*: `do_splice_direct`, fs/splice.c, 2.6.27. *Differs*: reads and writes what a pipe holds at a time, without the pipe.
 */
export function* sysSendfile(
  from: Ptr<File> | 0,
  fromPos: number,
  to: Ptr<File> | 0,
  toPos: number,
  count: number,
  observe: Observer = ignore,
): Op<number> {
  let done = 0;
  while (done < count) {
    let bytes = Math.min(count - done, PIPE_PAGES * PAGE_SIZE);
    if (from !== 0) bytes = yield* sysPread(from, fromPos + done, bytes, null, observe);
    if (bytes > 0 && to !== 0) bytes = yield* sysPwrite(to, toPos + done, bytes, null, observe);
    if (bytes <= 0) return done > 0 ? done : bytes;
    done += bytes;
  }
  return done;
}
