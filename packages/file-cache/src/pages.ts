// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, readOnce } from '@lockless/cpu/native';
import { type AddressSpace, EEXIST, File, PAGE_SIZE, Page, PG_LOCKED } from '@lockless/mm-types/native';
import {
  allocPage,
  countVmEvent,
  FILEMAP_HIT,
  FILEMAP_MISS,
  pageReadahead,
  pageUptodate,
  putPage,
  setPageUptodate,
  trylockPage,
  unlockPage,
} from '@lockless/page/native';
import {
  addToPageCacheLru,
  findGetPage,
  grabCachePageNowait,
  mappingGfpMask,
  pageCacheAsyncReadahead,
  pageCacheSyncReadahead,
  tallyHit,
  tallyMiss,
} from '@lockless/pagecache/native';
import { fileCacheOperations } from './address-space-operations.js';
import type { Device } from './device.js';
import { FileCacheError, isDeadlock } from './errors.js';
import { type SeenSize, sizeOf, storedSizeOf } from './file-sizes.js';
import { beginBytes, bytesOf, endBytes, isBeingRead } from './frames.js';
import type { Memory } from './memory.js';
import { type Pin, recordPin, unpin } from './pins.js';
import type { FileRecord } from './shared-words.js';
import type { StorageFile } from './storage.js';
import { type Steps, waitForTransfer, waitOnPage } from './waiting.js';

/*
 * How a page of a file comes into the cache, and is found, locked and filled: do_generic_file_read() and generic_perform_write() of the page cache, whose parts these
 * are made of, with other waits (waiting.ts).
 */

/** An open file, as operations on its pages see it. */
export interface PagedFile {
  /** Number of its record. */
  readonly number: number;
  readonly record: Ptr<FileRecord>;
  readonly mapping: Ptr<AddressSpace>;
  readonly seenSize: SeenSize;
  readonly file: Ptr<File>;
  readonly device: Device;
  readonly storage: StorageFile;
  readonly memory: Memory;
}

/** The page at an index, pinned, or undefined. *Context*: inside kernel code. */
export function findPinned(mapping: Ptr<AddressSpace>, index: number): Pin | undefined {
  const page = findGetPage(mapping, index);
  return page === NULL ? undefined : recordPin(page);
}

/** A new page at an index, locked and pinned, not uptodate. undefined: somebody else was faster. Throws ENOMEM when no frame is to be had. */
function* addPage({ mapping, memory, device }: PagedFile, index: number): Steps<Pin | undefined> {
  for (let tries = 0; ; tries++) {
    const gfp = mappingGfpMask(mapping);
    const page = allocPage(gfp);
    if (page !== NULL) {
      const error = addToPageCacheLru(page, mapping, index, gfp);
      if (error === 0) {
        device.fresh = true;
        return recordPin(page);
      }
      putPage(page);
      if (error === -EEXIST) return undefined;
    }
    yield* memory.waitForFrames(tries);
  }
}

/** Takes the page lock; false: the page is out of the mapping. *Source*: `find_lock_page`, mm/filemap.c, 2.6.27. */
function* lockInMapping(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Steps<boolean> {
  while (!trylockPage(page)) yield* waitOnPage(page, PG_LOCKED);
  if (readOnce(Page.mapping(page)) === mapping) return true;
  unlockPage(page);
  return false;
}

/** Reads a page that is locked and pinned. Throws what the storage throws. The page is unlocked after it. */
function* readLocked({ file, device }: PagedFile, { page }: Pin): Steps<void> {
  fileCacheOperations.readpage(file, page);
  const transfer = device.transferOf(page);
  if (transfer === undefined) throw new Error('readpage submitted nothing');
  const error = yield* waitForTransfer(transfer);
  if (error !== undefined) throw error;
}

/** Brings pages from `index` on as far as is wise, `index` itself at least. `request`: pages that the reader asks for. */
function* bringPages(file: PagedFile, index: number, request: number): Steps<Pin | undefined> {
  const { mapping } = file;
  pageCacheSyncReadahead(mapping, File.ra(file.file), file.file, index, request);
  const found = findPinned(mapping, index);
  if (found !== undefined) return found;
  const added = yield* addPage(file, index);
  if (added === undefined) return undefined;
  fileCacheOperations.readpage(file.file, added.page);
  if (index >= READAHEAD_END) bringMore(file, index + 1, Math.min(index + request, index + MAX_REQUEST));
  return added;
}

/** Read-ahead knows nothing beyond this index: i_size is one word. */
const READAHEAD_END = 2 ** 31 / PAGE_SIZE;
const MAX_REQUEST = 32;

/** Begins to read the pages from `first` to before `end` that are not in the cache, as far as the file goes and memory lasts. */
function bringMore({ mapping, file, record }: PagedFile, first: number, end: number): void {
  const last = Math.min(end, Math.ceil(sizeOf(record) / PAGE_SIZE));
  for (let index = first; index < last; index++) {
    const page = grabCachePageNowait(mapping, index);
    if (page === NULL) continue;
    if (pageUptodate(page)) unlockPage(page);
    else fileCacheOperations.readpage(file, page);
    putPage(page);
  }
}

/**
 * The page at an index, uptodate and pinned; read when it is not in the cache, with read-ahead. `request`: pages that the reader wants from there on.
 * Throws what the storage throws.
 * *Source*: `do_generic_file_read`, mm/filemap.c, 2.6.27.
 */
function* uptodatePage(file: PagedFile, index: number, request: number): Steps<Pin> {
  for (;;) {
    const pin = yield* cachedPage(file, index, request);
    if (pin === undefined) continue;
    let kept = false;
    try {
      kept = yield* makeUptodate(file, pin);
    } finally {
      if (!kept) unpin(pin);
    }
    if (kept) return pin;
  }
}

/** So often a blocking read tries to have a page that others are reading. */
const MAX_TRIES = 100;

/**
 * {@link uptodatePage}, for a blocking operation too that meets a page which this thread itself is reading asynchronously, as read-ahead does, or another that may wait for this one: that read
 * could end only after the operation, so it gets a frame of its own, outside the cache. What it reads is what the page will hold: a page that is being read is locked, and not dirty.
 */
export function* readablePage(file: PagedFile, index: number, request: number): Steps<Pin> {
  for (let tries = 0; ; tries++) {
    try {
      return yield* uptodatePage(file, index, request);
    } catch (error) {
      if (!isDeadlock(error) || file.storage.blocking === undefined || tries === MAX_TRIES) throw error;
      const pin = yield* readBeside(file, index);
      if (pin !== undefined) return pin;
    }
  }
}

/** A copy of the page at an index that is being read. undefined: it is not, or not any more. */
function* readBeside(file: PagedFile, index: number): Steps<Pin | undefined> {
  const found = findPinned(file.mapping, index);
  if (found === undefined) return undefined;
  try {
    if (!isBeingRead(found.page)) return undefined;
    const pin = yield* privatePage(file, index);
    if (isBeingRead(found.page)) return pin;
    unpin(pin);
    return undefined;
  } finally {
    unpin(found);
  }
}

function* privatePage({ mapping, memory, storage }: PagedFile, index: number): Steps<Pin> {
  for (let tries = 0; ; tries++) {
    const page = allocPage(mappingGfpMask(mapping));
    if (page === NULL) {
      yield* memory.waitForFrames(tries);
      continue;
    }
    const pin = recordPin(page);
    const bytes = bytesOf(page);
    beginBytes(page);
    try {
      bytes.fill(0, storage.blocking?.read([bytes], index * PAGE_SIZE));
      return pin;
    } catch (error) {
      unpin(pin);
      throw error;
    } finally {
      endBytes(page);
    }
  }
}

function* cachedPage(file: PagedFile, index: number, request: number): Steps<Pin | undefined> {
  const pin = findPinned(file.mapping, index);
  if (pin === undefined) {
    tallyMiss(file.mapping);
    countVmEvent(FILEMAP_MISS);
    return yield* bringPages(file, index, request);
  }
  tallyHit(file.mapping);
  countVmEvent(FILEMAP_HIT);
  if (pageReadahead(pin.page))
    pageCacheAsyncReadahead(file.mapping, File.ra(file.file), file.file, pin.page, index, request);
  return pin;
}

/** *Returns* false when the page was truncated. *Source*: `page_not_up_to_date` in `do_generic_file_read`, mm/filemap.c, 2.6.27. */
function* makeUptodate(file: PagedFile, pin: Pin): Steps<boolean> {
  if (pageUptodate(pin.page)) return true;
  if (!(yield* lockInMapping(file.mapping, pin.page))) return false;
  if (pageUptodate(pin.page)) {
    unlockPage(pin.page);
    return true;
  }
  yield* readLocked(file, pin);
  return pageUptodate(pin.page);
}

/** Fills a locked page that the file does not reach with zeros. */
function zeroPage(page: Ptr<Page>): void {
  beginBytes(page);
  bytesOf(page).fill(0);
  endBytes(page);
  setPageUptodate(page);
}

/**
 * The page at an index, locked and pinned, fit to be written to: uptodate, unless the write is of all that the page has (`whole`, asked with the page locked).
 * *Source*: `block_write_begin`, fs/buffer.c, 2.6.27.
 */
export function* writablePage(file: PagedFile, index: number, whole: () => boolean): Steps<Pin> {
  for (;;) {
    const found = findPinned(file.mapping, index);
    const pin = found ?? (yield* addPage(file, index));
    if (pin === undefined) continue;
    let kept = false;
    try {
      if (found === undefined || (yield* lockInMapping(file.mapping, pin.page)))
        kept = yield* makeWritable(file, pin, index, whole);
    } finally {
      if (!kept) unpin(pin);
    }
    if (kept) return pin;
  }
}

/** *Context*: page locked. *Returns* true with it locked still; false, and it is unlocked: look it up again. */
function* makeWritable(file: PagedFile, pin: Pin, index: number, whole: () => boolean): Steps<boolean> {
  const { page } = pin;
  if (pageUptodate(page) || whole()) return true;
  const start = index * PAGE_SIZE;
  if (start >= sizeOf(file.record) || start >= storedSizeOf(file.record)) {
    zeroPage(page);
    return true;
  }
  yield* readLocked(file, pin);
  return false;
}

/** A file of that many bytes has no such place. */
export function checkPosition(position: number, length: number): void {
  if (!Number.isSafeInteger(position) || position < 0 || !Number.isSafeInteger(length) || length < 0)
    throw new FileCacheError('EINVAL', `no file has ${length} bytes at ${position}`);
  if (position + length > MAX_BYTES)
    throw new FileCacheError('EINVAL', `byte ${position + length} is beyond the largest file of ${MAX_BYTES} bytes`);
}

/** Page indexes are words. */
const MAX_BYTES: number = 0x7fffffff * PAGE_SIZE;
