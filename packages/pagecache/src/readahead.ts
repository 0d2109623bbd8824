// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { pointedFunction, readOnce, writeOnce } from '@lockless/cpu';
import {
  AddressSpace,
  File,
  FileRaState,
  type Page,
  VM_EXEC,
  VM_RAND_READ,
  VM_SEQ_READ,
  VmAreaStruct,
} from '@lockless/mm-types';
import { clearPageReadahead, pageLocked, pageReadahead, pageWriteback } from '@lockless/page';
import { modernReadahead } from './config.js';
import { forcePageCacheRa, pageCacheAsyncRa, pageCacheRaOrder, pageCacheSyncRa } from './readahead-modern.js';
import { ondemandReadahead, setWindow } from './readahead-ondemand.js';
import { readPagesAhead } from './readahead-pages.js';

/** So many more misses than hits of a mapped file: reading around faults only hurts. */
export const MMAP_LOTSAMISS = 100;

/**
 * A read of `request` pages from `index` on finds `index` not in the cache. *Context*: may sleep; no page locked.
 * *Source*: `page_cache_sync_readahead`, mm/readahead.c, 2.6.27 or 6.18 as booted.
 */
export function* pageCacheSyncReadahead(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  index: number,
  request: number,
): Op<void> {
  if (modernReadahead()) return yield* pageCacheSyncRa(mapping, ra, file, index, request);
  if ((yield* readOnce(FileRaState.raPages(ra))) === 0) return;
  yield* ondemandReadahead(mapping, ra, file, false, index, request);
}

/**
 * A read of `request` pages from `index` on comes across a page that carries the read-ahead mark: the next window is started before it is
 * needed. *Context*: may sleep; the caller holds a reference. *Source*: `page_cache_async_readahead`, mm/readahead.c, 2.6.27 or 6.18.
 */
export function* pageCacheAsyncReadahead(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  page: Ptr<Page>,
  index: number,
  request: number,
  atFault = false,
): Op<void> {
  if ((yield* readOnce(FileRaState.raPages(ra))) === 0) return;
  // PG_readahead and PG_reclaim are one bit; on a page under writeback it is the other one.
  if (yield* pageWriteback(page)) return;
  if (modernReadahead()) return yield* pageCacheAsyncRa(mapping, ra, file, page, atFault, index, request);
  yield* clearPageReadahead(page);
  yield* ondemandReadahead(mapping, ra, file, true, index, request);
}

/**
 * Reads pages that the program says it will want (posix_fadvise(WILLNEED), madvise(WILLNEED), readahead(2)).
 * *Source*: `force_page_cache_readahead`, mm/readahead.c, 2.6.27 or 6.18.
 */
export function* forcePageCacheReadahead(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  index: number,
  count: number,
): Op<void> {
  if (pointedFunction(yield* readOnce(AddressSpace.aOps(mapping))).readsAhead === false) return;
  if (modernReadahead()) return yield* forcePageCacheRa(mapping, ra, file, index, count);
  for (let done = 0; done < count; done += 512) {
    yield* readPagesAhead(mapping, file, index + done, Math.min(512, count - done), 0);
  }
}

/** The window around a fault. An executable area's begins at the fault and ends with the area. *Source*: `do_sync_mmap_readahead`, 6.18. */
function* faultWindow(vma: Ptr<VmAreaStruct>, ra: Ptr<FileRaState>, pgoff: number, flags: number): Op<number> {
  const raPages = yield* readOnce(FileRaState.raPages(ra));
  yield* writeOnce(FileRaState.order(ra), 0);
  if ((flags & VM_EXEC) !== 0) {
    const pages = (yield* readOnce(VmAreaStruct.vmEnd(vma))) - (yield* readOnce(VmAreaStruct.vmStart(vma)));
    const end = (yield* readOnce(VmAreaStruct.vmPgoff(vma))) + pages;
    yield* setWindow(ra, pgoff, Math.min(pgoff + raPages, end) - pgoff, 0);
    return pgoff;
  }
  const start = Math.max(0, pgoff - (raPages >> 1));
  yield* setWindow(ra, start, raPages, raPages >> 2);
  return start;
}

/**
 * A page fault finds its page not in the cache: reads around it unless that has proved useless.
 * *Context*: mmap_sem held; no page locked. *Source*: `do_sync_mmap_readahead`, mm/filemap.c, 6.18.
 */
export function* doSyncMmapReadahead(vma: Ptr<VmAreaStruct>, file: Ptr<File>, pgoff: number): Op<void> {
  const ra = File.ra(file);
  const mapping = yield* readOnce(File.mapping(file));
  const flags = yield* readOnce(VmAreaStruct.vmFlags(vma));
  const raPages = yield* readOnce(FileRaState.raPages(ra));
  if ((flags & (VM_RAND_READ | VM_EXEC)) === VM_RAND_READ || raPages === 0) return;
  if ((flags & VM_SEQ_READ) !== 0) return yield* pageCacheSyncRa(mapping, ra, file, pgoff, raPages);
  let misses = yield* readOnce(FileRaState.mmapMiss(ra));
  if (misses < MMAP_LOTSAMISS * 10) yield* writeOnce(FileRaState.mmapMiss(ra), ++misses);
  if (misses > MMAP_LOTSAMISS) return;
  const start = yield* faultWindow(vma, ra, pgoff, flags);
  yield* pageCacheRaOrder(mapping, ra, file, start);
}

/**
 * A page fault finds its page in the cache: one miss less, and the next window when the page is marked.
 * *Context*: mmap_sem held; reference held. *Source*: `do_async_mmap_readahead`, mm/filemap.c, 6.18.
 */
export function* doAsyncMmapReadahead(
  vma: Ptr<VmAreaStruct>,
  file: Ptr<File>,
  page: Ptr<Page>,
  pgoff: number,
): Op<void> {
  const ra = File.ra(file);
  const raPages = yield* readOnce(FileRaState.raPages(ra));
  if (((yield* readOnce(VmAreaStruct.vmFlags(vma))) & VM_RAND_READ) !== 0 || raPages === 0) return;
  // Locked: another fault has counted already.
  if (!(yield* pageLocked(page))) yield* forgiveMisses(ra, 1);
  if (!(yield* pageReadahead(page))) return;
  yield* pageCacheAsyncReadahead(yield* readOnce(File.mapping(file)), ra, file, page, pgoff, raPages, true);
}

/** Hits of a mapped file make up for misses. */
export function* forgiveMisses(ra: Ptr<FileRaState>, hits: number): Op<void> {
  const misses = yield* readOnce(FileRaState.mmapMiss(ra));
  if (misses > 0) yield* writeOnce(FileRaState.mmapMiss(ra), Math.max(0, misses - hits));
}

/** After an I/O error smaller windows, down to none. *Source*: `shrink_readahead_size_eio`, mm/filemap.c, 2.6.27. */
export function* shrinkReadaheadSizeEio(ra: Ptr<FileRaState>): Op<void> {
  yield* writeOnce(FileRaState.raPages(ra), (yield* readOnce(FileRaState.raPages(ra))) >> 2);
}
