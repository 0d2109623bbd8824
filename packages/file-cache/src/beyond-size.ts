// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek, poke } from '@lockless/cpu/native';
import { PAGE_SIZE, Page, PG_DIRTY, PG_LOCKED, PG_UPTODATE, PG_WRITEBACK } from '@lockless/mm-types/native';
import { cachedPages } from '@lockless/pagecache/native';
import { isTruncated } from './exclusion.js';
import { sizeOf } from './file-sizes.js';
import { mappingOf } from './file-table.js';
import { beginBytes, bytesOf, endBytes } from './frames.js';
import type { FileRecord } from './shared-words.js';

const BUSY = (1 << PG_LOCKED) | (1 << PG_WRITEBACK);

/**
 * A write fills a page, makes it dirty, and then makes the file longer, without a wait in between. Who died there has left bytes beyond the end, which would turn up in a hole when the file grows:
 * they go. *Context*: threads are stopped, so no living one is in between. Not while the file is truncated: then they are somebody's, who may have to put the size back.
 */
export function sweepBeyondSize(record: Ptr<FileRecord>): void {
  if (isTruncated(record)) return;
  const size = sizeOf(record);
  for (const { page, index } of cachedPages(mappingOf(record))) {
    const left = size - index * PAGE_SIZE;
    if (left >= PAGE_SIZE || (peek(Page.flags(page)) & BUSY) !== 0) continue;
    beginBytes(page);
    bytesOf(page).fill(0, Math.max(0, left));
    endBytes(page);
    // Then it is dropped with those that nobody fills.
    if (left <= 0) poke(Page.flags(page), peek(Page.flags(page)) & ~((1 << PG_UPTODATE) | (1 << PG_DIRTY)));
  }
}
