// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, readOnce } from '@lockless/cpu/native';
import {
  AddressSpace,
  ENOSPC,
  PAGECACHE_TAG_DIRTY,
  PAGECACHE_TAG_WRITEBACK,
  Page,
  PG_LOCKED,
  PG_WRITEBACK,
} from '@lockless/mm-types/native';
import { PAGEVEC_SIZE, pageWriteback, trylockPage, unlockPage } from '@lockless/page/native';
import { clearPageDirtyForIo, filemapFdatawait, findGetPagesTag } from '@lockless/pagecache/native';
import { radixTreeTagged } from '@lockless/radix-tree/native';
import { fileCacheOperations } from './address-space-operations.js';
import { FileCacheError, isDeadlock } from './errors.js';
import { setVersion } from './file-table.js';
import type { PagedFile } from './pages.js';
import { type Pin, recordPin, unpin } from './pins.js';
import { fromStorage, type Steps, waitOnPage } from './waiting.js';

/*
 * Writing dirty pages back: write_cache_pages() and wait_on_page_writeback_range() of the page cache, whose parts these are made of, with other waits.
 */

/** The pages of a mapping that carry a tag, from `first` on, some at a time, each pinned while the caller has it. Calls end when there are no more. */
function* eachTagged(
  mapping: Ptr<AddressSpace>,
  first: number,
  tag: number,
  work: (page: Ptr<Page>) => Steps<boolean>,
): Steps<void> {
  for (let next = first; ; ) {
    const pins: Pin[] = findGetPagesTag(mapping, next, tag, PAGEVEC_SIZE).map(recordPin);
    if (pins.length === 0) return;
    try {
      for (const { page } of pins) {
        next = Math.max(next, readOnce(Page.index(page))) + 1;
        if (!(yield* work(page))) return;
      }
    } finally {
      for (const pin of pins) unpin(pin);
    }
  }
}

export interface WritebackRange {
  /** From this page on. */
  readonly first: number;
  /** At most so many. */
  readonly pages: number;
  /** For data integrity: pages that are being written are waited for and, if they are dirty again, written once more. */
  readonly wait: boolean;
}

/** Starts the writing of dirty pages of a file. *Source*: `write_cache_pages`, mm/page-writeback.c, 2.6.27. */
export function* startWriteback({ mapping }: PagedFile, { first, pages, wait }: WritebackRange): Steps<void> {
  let left = pages;
  yield* eachTagged(mapping, first, PAGECACHE_TAG_DIRTY, function* (page) {
    if (yield* startWritePage(mapping, page, wait)) left--;
    return left > 0;
  });
}

/** *Returns* whether it did. *Source*: the loop's body in `write_cache_pages`. */
function* startWritePage(mapping: Ptr<AddressSpace>, page: Ptr<Page>, wait: boolean): Steps<boolean> {
  for (;;) {
    while (!trylockPage(page)) {
      if (!wait) return false;
      yield* waitOnPage(page, PG_LOCKED);
    }
    if (readOnce(Page.mapping(page)) !== mapping) break;
    if (!pageWriteback(page)) {
      if (!clearPageDirtyForIo(page)) break;
      fileCacheOperations.writepage(page, false);
      return true;
    }
    if (!wait) break;
    unlockPage(page);
    yield* waitOnPage(page, PG_WRITEBACK);
  }
  unlockPage(page);
  return false;
}

/** Waits until no page of a file, from `first` on, is under writeback. *Source*: `wait_on_page_writeback_range`, mm/filemap.c, 2.6.27. */
export function* waitForWriteback(mapping: Ptr<AddressSpace>, first = 0): Steps<void> {
  yield* eachTagged(mapping, first, PAGECACHE_TAG_WRITEBACK, function* (page) {
    while (pageWriteback(page)) yield* waitOnPage(page, PG_WRITEBACK);
    return true;
  });
}

/** {@link waitForWriteback}, for who only wants to be slower, or clean pages: what this thread itself writes asynchronously is not waited for by a blocking operation. */
export function* awaitWriters(mapping: Ptr<AddressSpace>): Steps<void> {
  try {
    yield* waitForWriteback(mapping);
  } catch (error) {
    if (!isDeadlock(error)) throw error;
  }
}

/** Whether a file has pages that are to be written, or being written. */
export const hasDirt = (mapping: Ptr<AddressSpace>): boolean =>
  radixTreeTagged(AddressSpace.pageTree(mapping), PAGECACHE_TAG_DIRTY) ||
  radixTreeTagged(AddressSpace.pageTree(mapping), PAGECACHE_TAG_WRITEBACK);

/** Writes all dirty pages of a file to the storage and waits. Throws when a write failed since this was last asked, by whomever: once. */
export function* writeBack(file: PagedFile): Steps<void> {
  yield* startWriteback(file, { first: 0, pages: Number.POSITIVE_INFINITY, wait: true });
  yield* waitForWriteback(file.mapping);
  // No pages are waited for here: only the bits AS_EIO and AS_ENOSPC are tested and cleared.
  const error = filemapFdatawait(file.mapping, 0, -1);
  if (error === 0) return;
  const cause = file.device.writeErrors.get(file.number);
  file.device.writeErrors.delete(file.number);
  throw new FileCacheError(
    error === -ENOSPC ? 'ENOSPC' : 'EIO',
    'a write to the file failed since the last fsync',
    cause === undefined ? undefined : { cause },
  );
}

/** {@link writeBack}, and then the storage's own fsync. Errors of earlier writes are reported after it has been tried. */
export function* syncSteps(file: PagedFile): Steps<void> {
  const { storage } = file;
  let failure: { readonly error: unknown } | undefined;
  try {
    yield* writeBack(file);
  } catch (error) {
    failure = { error };
  }
  yield* fromStorage(
    () => storage.sync(),
    () => storage.blocking?.sync(),
  );
  yield* refreshVersion(file);
  if (failure !== undefined) throw failure.error;
}

/** Notes the version that our own writes have given the file, or the next who opens it would take it for somebody else's. */
export function* refreshVersion({ record, storage }: PagedFile): Steps<void> {
  const stat = yield* fromStorage(
    () => storage.stat(),
    () => storage.blocking?.stat(),
  );
  if (stat !== undefined) setVersion(record, stat);
}
