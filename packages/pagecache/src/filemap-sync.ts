// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { readOnce, testAndClearBit } from '@lockless/cpu';
import { AddressSpace, AS_EIO, AS_ENOSPC, EIO, ENOSPC, PAGECACHE_TAG_WRITEBACK, Page } from '@lockless/mm-types';
import { PAGEVEC_SIZE, pageError, putPage, waitOnPageWriteback } from '@lockless/page';
import { findGetPagesTag } from './filemap-lookup.js';
import { syncEverything, writeCachePages } from './page-writeback.js';

/**
 * Starts the writing of all dirty pages of a file, or of pages `start` to `end`. *Returns* 0 or -errno.
 * *Source*: `filemap_fdatawrite` and `__filemap_fdatawrite_range`, mm/filemap.c, 2.6.27.
 */
export function* filemapFdatawrite(mapping: Ptr<AddressSpace>, start = 0, end = 0x7fffffff): Op<number> {
  return yield* writeCachePages(mapping, { ...syncEverything(), start, end });
}

/** Starts the writing of dirty pages that are not being written yet, waits for nothing. *Source*: `filemap_flush`, mm/filemap.c, 2.6.27. */
export function* filemapFlush(mapping: Ptr<AddressSpace>): Op<number> {
  return yield* writeCachePages(mapping, { ...syncEverything(), syncAll: false });
}

/** Waits until no page of the range is under writeback. *Returns* 0, or -EIO when a page of them failed. */
function* waitForTagged(mapping: Ptr<AddressSpace>, start: number, end: number): Op<number> {
  let next = start;
  let result = 0;
  while (next <= end) {
    const pages = yield* findGetPagesTag(mapping, next, PAGECACHE_TAG_WRITEBACK, PAGEVEC_SIZE);
    if (pages.length === 0) break;
    for (const page of pages) {
      const index = yield* readOnce(Page.index(page));
      next = Math.max(next, index) + 1;
      if (index <= end) {
        yield* waitOnPageWriteback(page);
        if (yield* pageError(page)) result = -EIO;
      }
      yield* putPage(page);
    }
  }
  return result;
}

/**
 * Waits for writeback that was started, and reports its errors once. *Returns* 0, -EIO or -ENOSPC.
 * *Ordering*: the flags are set before PG_writeback is cleared, in end_io; waiting comes before the test.
 * *Source*: `filemap_fdatawait` and `wait_on_page_writeback_range`, mm/filemap.c, 2.6.27.
 */
export function* filemapFdatawait(mapping: Ptr<AddressSpace>, start = 0, end = 0x7fffffff): Op<number> {
  let result = yield* waitForTagged(mapping, start, end);
  if (yield* testAndClearBit(AS_ENOSPC, AddressSpace.flags(mapping))) result = -ENOSPC;
  if (yield* testAndClearBit(AS_EIO, AddressSpace.flags(mapping))) result = -EIO;
  return result;
}

/**
 * Writes all dirty pages of a file (or of pages `start` to `end`) and waits: the data part of fsync. *Returns* 0 or -errno.
 * *Source*: `filemap_write_and_wait(_range)`, mm/filemap.c, 2.6.27.
 */
export function* filemapWriteAndWait(mapping: Ptr<AddressSpace>, start = 0, end = 0x7fffffff): Op<number> {
  if ((yield* readOnce(AddressSpace.nrpages(mapping))) === 0) return yield* filemapFdatawait(mapping, 0, -1);
  const started = yield* filemapFdatawrite(mapping, start, end);
  // After -EIO a wait is still needed: part of the pages are on their way.
  const waited = yield* filemapFdatawait(mapping, start, end);
  return started || waited;
}
