// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, readOnce } from '@lockless/cpu/native';
import { type AddressSpace, PAGE_SIZE, Page } from '@lockless/mm-types/native';
import { PAGEVEC_SIZE, pageDirty, unlockPage } from '@lockless/page/native';
import { findGetPages, truncateCompletePage } from '@lockless/pagecache/native';
import { unlessWritten } from './exclusion.js';
import { setStoredSize, sizeOf, sizesVersion, storedSizeOf } from './file-sizes.js';
import { setFileSize, setVersion } from './file-table.js';
import { discardRead } from './frames.js';
import type { PagedFile } from './pages.js';
import { recordPin, unpin } from './pins.js';
import type { StorageStat } from './storage.js';
import { lockWritten } from './truncate.js';
import { fromStorage, type Steps } from './waiting.js';
import { hasDirt } from './writeback.js';

/*
 * What others than the cache did to a file. Threads that write to it through the cache may do so all the while: what they wrote is newer, and stays.
 */

/** Drops pages from `first` on that are clean: the storage has others by now. *Source*: `invalidate_inode_pages2_range`, mm/truncate.c, 2.6.27. */
export function* invalidatePages(mapping: Ptr<AddressSpace>, first: number): Steps<void> {
  for (let next = first; ; ) {
    const pins = findGetPages(mapping, next, PAGEVEC_SIZE).map(recordPin);
    if (pins.length === 0) return;
    try {
      for (const { page } of pins) {
        next = Math.max(next, readOnce(Page.index(page)) + 1);
        if (discardRead(page)) continue;
        yield* lockWritten(page);
        // Under the page lock nobody makes it dirty.
        if (!pageDirty(page)) truncateCompletePage(mapping, page);
        unlockPage(page);
      }
    } finally {
      for (const pin of pins) unpin(pin);
    }
  }
}

/** What the storage says of a file, and the version of the sizes before it was asked: was there a change in the cache meanwhile? */
function* freshStat({ record, storage }: PagedFile): Steps<{ stat: StorageStat | undefined; version: number }> {
  const version = sizesVersion(record);
  const stat = yield* fromStorage(
    () => storage.stat(),
    () => storage.blocking?.stat(),
  );
  return { stat, version };
}

/**
 * The size that the storage says is the file's. *Returns* false, with nothing changed, when the cache has something newer: dirty pages, somebody who writes or truncates, or did so after
 * the storage was asked.
 */
const adoptSize = (file: PagedFile, size: number, version: number): boolean =>
  unlessWritten(file, () => {
    if (sizesVersion(file.record) !== version || hasDirt(file.mapping)) return false;
    setStoredSize(file.record, size);
    setFileSize(file.record, size);
    return true;
  });

/** Drops what the cache has of a file of which the storage has another version. What was written meanwhile stays. */
export function* adoptVersion(file: PagedFile): Steps<void> {
  const { stat, version } = yield* freshStat(file);
  if (stat === undefined) return;
  adoptSize(file, stat.size, version);
  yield* invalidatePages(file.mapping, 0);
  setVersion(file.record, stat);
}

/**
 * Somebody made the file in the storage shorter, or longer, under the cache: its size is looked at again, and pages that it no longer reaches, or reaches further into, go.
 * With dirty pages in the cache its own size stays. Waits for nobody who writes. *Returns* whether the file has become longer.
 */
export function* refreshSize(file: PagedFile): Steps<boolean> {
  const { record } = file;
  const { stat, version } = yield* freshStat(file);
  const before = sizeOf(record);
  if (stat === undefined || stat.size === storedSizeOf(record) || !adoptSize(file, stat.size, version)) return false;
  yield* invalidatePages(file.mapping, Math.floor(Math.min(before, stat.size) / PAGE_SIZE));
  return stat.size > before;
}
