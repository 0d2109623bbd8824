// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, readOnce } from '@lockless/cpu/native';
import { type AddressSpace, PAGE_SIZE, Page, PG_LOCKED, PG_WRITEBACK } from '@lockless/mm-types/native';
import { PAGEVEC_SIZE, pageWriteback, trylockPage, unlockPage } from '@lockless/page/native';
import { findGetPages, truncateCompletePage } from '@lockless/pagecache/native';
import { setSize, setStoredSize, sizeOf, storedSizeOf } from './file-sizes.js';
import { noteInodeSize, setStat } from './file-table.js';
import { beginBytes, bytesOf, endBytes } from './frames.js';
import { findPinned, type PagedFile } from './pages.js';
import { recordPin, unpin } from './pins.js';
import type { StorageStat } from './storage.js';
import { fromStorage, type Steps, waitOnPage } from './waiting.js';
import { hasDirt, refreshVersion } from './writeback.js';

/** Locks a page when it is not under writeback. */
function* lockWritten(page: Ptr<Page>): Steps<void> {
  for (;;) {
    while (!trylockPage(page)) yield* waitOnPage(page, PG_LOCKED);
    if (!pageWriteback(page)) return;
    unlockPage(page);
    yield* waitOnPage(page, PG_WRITEBACK);
  }
}

/**
 * Takes the pages from `first` on out of the cache, whoever refers to them: views keep a page without a file. Repeats until a whole scan finds nothing.
 * *Source*: `truncate_inode_pages_range`, mm/truncate.c, 2.6.27.
 */
export function* truncatePages(mapping: Ptr<AddressSpace>, first: number): Steps<void> {
  for (let next = first; ; ) {
    const pins = findGetPages(mapping, next, PAGEVEC_SIZE).map(recordPin);
    if (pins.length === 0 && next === first) return;
    if (pins.length === 0) next = first;
    try {
      for (const { page } of pins) {
        yield* lockWritten(page);
        next = Math.max(next, readOnce(Page.index(page)) + 1);
        truncateCompletePage(mapping, page);
        unlockPage(page);
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
    yield* lockWritten(pin.page);
    beginBytes(pin.page);
    bytesOf(pin.page).fill(0, size % PAGE_SIZE);
    endBytes(pin.page);
    unlockPage(pin.page);
  } finally {
    unpin(pin);
  }
}

/**
 * Gives a file another size, in cache and storage. *Source*: `do_truncate`, fs/open.c, and `vmtruncate`, mm/memory.c, 2.6.27: first the size, so that nobody brings back
 * what is cut off, then the pages, then the storage; and once more the pages that a read brought in which had looked at the size before.
 */
export function* truncateSteps(file: PagedFile, size: number): Steps<void> {
  const { record, mapping, storage } = file;
  setSize(record, size);
  noteInodeSize(record);
  const first = Math.ceil(size / PAGE_SIZE);
  yield* truncatePages(mapping, first);
  if (size % PAGE_SIZE !== 0) yield* zeroTail(mapping, size);
  yield* fromStorage(
    () => storage.truncate(size),
    () => storage.blocking?.truncate(size),
  );
  setStoredSize(record, size);
  yield* truncatePages(mapping, first);
  yield* refreshVersion(file, storage);
}

/** Drops what the cache has of a file of which the storage has another version. Dirty pages stay: they are newer still. */
export function* adoptVersion(file: PagedFile, stat: StorageStat): Steps<void> {
  const { record, mapping } = file;
  if (!hasDirt(mapping)) {
    setSize(record, stat.size);
    noteInodeSize(record);
    yield* truncatePages(mapping, 0);
  }
  setStat(record, stat);
}

/**
 * Somebody made the file in the storage shorter, or longer, under the cache: its size is looked at again, and pages that it no longer reaches, or reaches further into, go.
 * With dirty pages in the cache its own size stays. *Returns* whether the file has become longer.
 */
export function* refreshSize(file: PagedFile): Steps<boolean> {
  const { record, mapping, storage } = file;
  const stat = yield* fromStorage(
    () => storage.stat(),
    () => storage.blocking?.stat(),
  );
  const before = sizeOf(record);
  if (stat === undefined || stat.size === storedSizeOf(record)) return false;
  setStoredSize(record, stat.size);
  if (hasDirt(mapping)) return false;
  setSize(record, stat.size);
  noteInodeSize(record);
  yield* truncatePages(mapping, Math.floor(Math.min(before, stat.size) / PAGE_SIZE));
  return stat.size > before;
}
