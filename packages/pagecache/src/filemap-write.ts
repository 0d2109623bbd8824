// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  condResched,
  load,
  mutexLock,
  mutexUnlock,
  NULL,
  pointedFunction,
  readOnce,
  store,
  writeOnce,
} from '@lockless/cpu';
import {
  AddressSpace,
  AOP_TRUNCATED_PAGE,
  EIO,
  ENOMEM,
  File,
  Inode,
  PAGE_SHIFT,
  PAGE_SIZE,
  Page,
} from '@lockless/mm-types';
import { lockPage, markPageAccessed, pageUptodate, putPage, setPageUptodate, unlockPage } from '@lockless/page';
import { versionOnDisk } from './block-map.js';
import { contentOf, contentWritten } from './content.js';
import { zeroPageContent } from './disk-aops.js';
import { inoOf, mappingGfpMask } from './filemap.js';
import { findOrCreatePage } from './filemap-lookup.js';
import { readPageAndWait } from './filemap-read.js';
import { setPageDirty } from './page-writeback.js';
import { balanceDirtyPages } from './pdflush.js';

/**
 * Puts `count` bytes at offset `offset` of a page, which is locked. Returns how many it put, or -errno. It must not touch user memory that is
 * not resident: a fault could want the very page that is locked. See `prefault`.
 */
export type WriteActor = (page: Ptr<Page>, offset: number, count: number) => Op<number>;

/** Makes the next `count` bytes of the source resident, `done` bytes into the write; no lock is held. Returns 0 or -errno. */
export type Prefault = (done: number, count: number) => Op<number>;

/** Gives a page that is not uptodate the content that a write of a part of it leaves in place. Page locked; stays so. */
function* fillUnwritten(file: Ptr<File>, page: Ptr<Page>, index: number, whole: boolean): Op<number> {
  const inode = yield* readOnce(File.inode(file));
  const mapping = yield* readOnce(File.mapping(file));
  if (whole) {
    // Nothing of the old content is needed, so nothing is read; but its version goes on from the one on the disk.
    yield* store(Page.contentIdentity(page), contentOf(inoOf(mapping), index));
    yield* store(Page.contentVersion(page), versionOnDisk(inoOf(mapping), index));
    return 0;
  }
  if (index * PAGE_SIZE >= (yield* readOnce(Inode.size(inode)))) {
    yield* zeroPageContent(page);
    return 0;
  }
  const error = yield* readPageAndWait(file, page);
  yield* lockPage(page);
  if (error !== 0) return error;
  return (yield* readOnce(Page.mapping(page))) === mapping ? 0 : AOP_TRUNCATED_PAGE;
}

/** write_begin: *returns* the page locked, held and fit to be written to, or -errno. *Source*: `block_write_begin`, 2.6.27. */
function* writeBegin(file: Ptr<File>, index: number, whole: boolean): Op<Ptr<Page> | number> {
  const mapping = yield* readOnce(File.mapping(file));
  const own = pointedFunction(yield* load(AddressSpace.aOps(mapping))).writeBegin;
  if (own !== undefined) return yield* own(file, index);
  for (;;) {
    const page = yield* findOrCreatePage(mapping, index, yield* mappingGfpMask(mapping));
    if (page === NULL) return -ENOMEM;
    if (yield* pageUptodate(page)) return page;
    const error = yield* fillUnwritten(file, page, index, whole);
    if (error === 0) return page;
    yield* unlockPage(page);
    yield* putPage(page);
    if (error !== AOP_TRUNCATED_PAGE) return error;
  }
}

/** write_end: content, flags, size. Unlocks the page. *Source*: `generic_write_end`, fs/buffer.c, 2.6.27. */
function* writeEnd(file: Ptr<File>, page: Ptr<Page>, end: number, copied: number): Op<void> {
  const inode = yield* readOnce(File.inode(file));
  if (copied > 0) {
    yield* contentWritten(page);
    yield* setPageUptodate(page);
    yield* setPageDirty(page);
    // Under the page lock, so that writepage does not take the page for one beyond the end.
    if (end > (yield* readOnce(Inode.size(inode)))) yield* writeOnce(Inode.size(inode), end);
  }
  yield* unlockPage(page);
}

function* writeOnePage(file: Ptr<File>, pos: number, count: number, fill: WriteActor): Op<number> {
  const offset = pos % PAGE_SIZE;
  const page = yield* writeBegin(file, pos >> PAGE_SHIFT, count === PAGE_SIZE);
  if (page < 0) return page;
  const held = page as Ptr<Page>;
  let copied = yield* fill(held, offset, count);
  // A page that was to be overwritten as a whole, and was not, holds nothing that can be read.
  if (copied < count && !(yield* pageUptodate(held)) && count === PAGE_SIZE) copied = Math.min(copied, 0);
  yield* writeEnd(file, held, pos + Math.max(copied, 0), copied);
  yield* markPageAccessed(held);
  yield* putPage(held);
  return copied;
}

/**
 * Writes `count` bytes at byte `pos` into the page cache, as {@link genericFileWrite}. *Context*: inode->mutex held; may sleep.
 * *Source*: `generic_perform_write`, mm/filemap.c, 2.6.27. *Differs*: a page is one block.
 */
export function* genericFileWriteLocked(
  file: Ptr<File>,
  pos: number,
  count: number,
  fill: WriteActor,
  prefault?: Prefault,
): Op<number> {
  const mapping = yield* readOnce(File.mapping(file));
  let done = 0;
  let error = 0;
  while (done < count) {
    const bytes = Math.min(PAGE_SIZE - ((pos + done) % PAGE_SIZE), count - done);
    if (prefault !== undefined) error = yield* prefault(done, bytes);
    if (error !== 0) break;
    const copied = yield* writeOnePage(file, pos + done, bytes, fill);
    if (copied <= 0) {
      error = copied === 0 ? -EIO : copied;
      break;
    }
    done += copied;
    yield* balanceDirtyPages(mapping);
    yield* condResched();
  }
  return done > 0 ? done : error;
}

/**
 * Writes `count` bytes at byte `pos` of a file into the page cache; they reach the disk later. *Context*: may sleep; takes inode->mutex.
 * *Returns* the number of bytes, or -errno when nothing was written. *Source*: `generic_file_aio_write`, mm/filemap.c, 2.6.27.
 */
export function* genericFileWrite(
  file: Ptr<File>,
  pos: number,
  count: number,
  fill: WriteActor,
  prefault?: Prefault,
): Op<number> {
  const inode = yield* readOnce(File.inode(file));
  yield* mutexLock(Inode.mutex(inode));
  const written = yield* genericFileWriteLocked(file, pos, count, fill, prefault);
  yield* mutexUnlock(Inode.mutex(inode));
  return written;
}
