// SPDX-License-Identifier: GPL-2.0-only
import { OWNER_GONE, type Ptr, readOnce } from '@lockless/cpu/native';
import { type AddressSpace, PAGE_SIZE, Page, PG_LOCKED, PG_WRITEBACK } from '@lockless/mm-types/native';
import { PAGEVEC_SIZE, pageUptodate, pageWriteback, trylockPage, unlockPage } from '@lockless/page/native';
import { findGetPages, truncateCompletePage } from '@lockless/pagecache/native';
import { endExclusion, isSharing, shareOnceMore, takeExclusively, tryShare, waitForOwner } from './exclusion.js';
import { setStoredSize, sizeOf, storedSizeOf } from './file-sizes.js';
import { setFileSize } from './file-table.js';
import { beginBytes, bytesOf, discardRead, endBytes } from './frames.js';
import { findPinned, type PagedFile } from './pages.js';
import { recordPin, unpin } from './pins.js';
import { fromStorage, isBlocking, type Steps, waitOnPage } from './waiting.js';
import { refreshVersion, waitForWriteback } from './writeback.js';

/** Locks a page when it is not under writeback. */
export function* lockWritten(page: Ptr<Page>): Steps<void> {
  for (;;) {
    while (!trylockPage(page)) yield* waitOnPage(page, PG_LOCKED);
    if (!pageWriteback(page)) return;
    unlockPage(page);
    yield* waitOnPage(page, PG_WRITEBACK);
  }
}

/**
 * Takes the pages from `first` on out of the cache, whoever refers to them: views keep a page without a file. Repeats until a whole scan finds nothing but pages that are being read:
 * who reads may be waiting for us, so the page stays, without what is read.
 * *Source*: `truncate_inode_pages_range`, mm/truncate.c, 2.6.27. *Differs*: there reads are waited for.
 */
export function* truncatePages(mapping: Ptr<AddressSpace>, first: number): Steps<void> {
  let dropped = false;
  for (let next = first; ; ) {
    const pins = findGetPages(mapping, next, PAGEVEC_SIZE).map(recordPin);
    if (pins.length === 0 && !dropped) return;
    if (pins.length === 0) {
      next = first;
      dropped = false;
    }
    try {
      for (const { page } of pins) {
        next = Math.max(next, readOnce(Page.index(page)) + 1);
        if (discardRead(page)) continue;
        yield* lockWritten(page);
        truncateCompletePage(mapping, page);
        unlockPage(page);
        dropped = true;
      }
    } finally {
      for (const pin of pins) unpin(pin);
    }
  }
}

/** Zeros what the last page of a file has beyond its end: a file that grows again reads as zeros there. *Source*: `truncate_partial_page`. */
function* zeroTail(mapping: Ptr<AddressSpace>, size: number): Steps<void> {
  const pin = findPinned(mapping, Math.floor(size / PAGE_SIZE));
  if (pin === undefined) return;
  try {
    if (discardRead(pin.page)) return;
    yield* lockWritten(pin.page);
    if (!pageUptodate(pin.page)) return unlockPage(pin.page);
    beginBytes(pin.page);
    bytesOf(pin.page).fill(0, size % PAGE_SIZE);
    endBytes(pin.page);
    unlockPage(pin.page);
  } finally {
    unpin(pin);
  }
}

/** What lies beyond the new end goes from the cache. The storage has it no more, so nobody brings it back. */
function* dropBeyond(mapping: Ptr<AddressSpace>, size: number): Steps<void> {
  yield* truncatePages(mapping, Math.ceil(size / PAGE_SIZE));
  if (size % PAGE_SIZE !== 0) yield* zeroTail(mapping, size);
}

/**
 * Gives the file in the storage the size that the cache says. *Ordering*: what is written back from here on ends there, as the size was stored before (device.ts looks at it when the page is
 * tagged as under writeback, we look at the tags after the size: Dekker's; each is an atomic instruction, of a lock); what was begun earlier is waited for, or it would be brought back.
 */
function* resizeStored({ mapping, record, storage }: PagedFile, size: number): Steps<void> {
  yield* waitForWriteback(mapping, Math.floor(size / PAGE_SIZE));
  yield* fromStorage(
    () => storage.truncate(size),
    () => storage.blocking?.truncate(size),
  );
  setStoredSize(record, size);
}

/** The size in the cache was set, and whoever set it died, or failed, somewhere after it. *Context*: exclusive. */
function* finishCut(file: PagedFile): Steps<void> {
  const size = sizeOf(file.record);
  if (storedSizeOf(file.record) !== size) yield* resizeStored(file, size);
  yield* dropBeyond(file.mapping, size);
}

/** Finishes what another thread has half done, if one has. */
export function* finishTruncation(file: PagedFile): Steps<void> {
  let left = yield* takeExclusively(file);
  try {
    if (left === OWNER_GONE) yield* finishCut(file);
    left = 0;
  } finally {
    endExclusion(file, left);
  }
}

/** Nobody truncates the file until {@link endShare}. What is half done is finished first. */
export function* beginWrite(file: PagedFile): Steps<void> {
  for (;;) {
    const found = tryShare(file);
    if (found === 0) return;
    // A blocking write may not wait for who waits for writes that this thread is at; but then it waits for all of them.
    if (isSharing(file) && (yield* isBlocking())) return shareOnceMore(file);
    if (found === OWNER_GONE) yield* finishTruncation(file);
    else yield* waitForOwner(file, found);
  }
}

/**
 * Gives a file another size, in cache and storage. Not while anybody writes to it (exclusion.ts).
 *
 *   1. the size in the cache: readers see no more of what is going; if it grows, zeros
 *   2. the storage. It may refuse: then the size is what it was, and so is everything, as nothing was dropped yet, and pages that were written out without what is
 *      beyond the size are dirty again (device.ts)
 *   3. the pages beyond, and the tail of the last one, with all that readers brought in of the storage before 2
 *
 * Who dies after 1 leaves the rest to {@link finishTruncation}.
 * *Source*: `do_truncate`, fs/open.c, and `vmtruncate`, mm/memory.c, 2.6.27. *Differs*: there the pages go before the storage's blocks, and the file system may not refuse.
 */
export function* truncateSteps(file: PagedFile, size: number): Steps<void> {
  const { record, mapping } = file;
  let left = yield* takeExclusively(file);
  try {
    if (left === OWNER_GONE) yield* finishCut(file);
    left = 0;
    const before = sizeOf(record);
    setFileSize(record, size); // 1
    try {
      yield* resizeStored(file, size); // 2
    } catch (error) {
      setFileSize(record, before);
      throw error;
    }
    left = OWNER_GONE;
    yield* dropBeyond(mapping, size); // 3
    left = 0;
  } finally {
    endExclusion(file, left);
  }
  yield* refreshVersion(file);
}
