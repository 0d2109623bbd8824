// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, readOnce, writeOnce } from '@lockless/cpu';
import { type AddressSpace, File, FileRaState, FMODE_RANDOM, Page } from '@lockless/mm-types';
import { clearPageReadahead, putPage } from '@lockless/page';
import { ioPages, largeFolios } from './config.js';
import { findGetPage, pageCached } from './filemap-lookup.js';
import { initialWindow, setWindow } from './readahead-ondemand.js';
import { addForReadahead, lastPageIndex, readPagesAhead, startRead } from './readahead-pages.js';

/*
 * Read-ahead as of 6.18, mm/readahead.c: which page indexes it adds to the cache. A large folio is, here, 2^order single pages that are added
 * together and share one mark: each of them has PG_readahead set and the order in page->private.
 */

const roundDown = (n: number, order: number): number => n - (n % 2 ** order);
const log2 = (n: number): number => 31 - Math.clz32(n);
/** MAX_PAGECACHE_ORDER of a 4 KiB page: 2 MiB folios. */
const MAX_ORDER = 9;

/** *Source*: `get_next_ra_size`, 6.18. */
const nextWindow = (size: number, max: number): number =>
  size < max / 16 ? 4 * size : size <= max / 2 ? 2 * size : max;

/** Largest window: a request beyond it may go as far as the disk likes. *Source*: `ractl_max_pages`, 6.18. */
function* maxPages(ra: Ptr<FileRaState>, request: number): Op<number> {
  const max = yield* readOnce(FileRaState.raPages(ra));
  return request > max && ioPages() > max ? Math.min(request, ioPages()) : max;
}

/** Adds one folio; all its pages or, when an index is taken, none. *Source*: `ra_alloc_folio`, 6.18. */
function* addFolio(
  mapping: Ptr<AddressSpace>,
  index: number,
  order: number,
  mark: boolean,
  added: Ptr<Page>[],
): Op<boolean> {
  const end = index + 2 ** order;
  for (let i = index; i < end; i++) if (yield* pageCached(mapping, i)) return false;
  for (let i = index; i < end; i++) {
    const page = yield* addForReadahead(mapping, i, mark, order);
    if (page < 0) return false;
    added.push(page as Ptr<Page>);
  }
  return true;
}

/** Order of the folio at an index: aligned, and not beyond the window. */
function folioOrder(index: number, limit: number, wanted: number): number {
  let order = wanted;
  while (order > 0 && index % 2 ** order !== 0) order--;
  while (order > 0 && index + 2 ** order - 1 > limit) order--;
  return order;
}

/**
 * Reads the window of `ra` from `start` on, in folios of ra->order. *Source*: `page_cache_ra_order`, mm/readahead.c, 6.18.
 */
export function* pageCacheRaOrder(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  start: number,
): Op<void> {
  const size = yield* readOnce(FileRaState.size(ra));
  const asyncSize = yield* readOnce(FileRaState.asyncSize(ra));
  const last = yield* lastPageIndex(mapping);
  let index = start;
  let complete = false;
  if (largeFolios() && size > 0) {
    const wanted = Math.min(yield* readOnce(FileRaState.order(ra)), MAX_ORDER, log2(size));
    yield* writeOnce(FileRaState.order(ra), wanted);
    const limit = Math.min(last, start + size - 1);
    const mark = start + size - asyncSize;
    const added: Ptr<Page>[] = [];
    complete = true;
    while (complete && index <= limit) {
      const order = folioOrder(index, limit, wanted);
      complete = yield* addFolio(mapping, index, order, index === roundDown(mark, order), added);
      if (complete) index += 2 ** order;
    }
    for (const page of added) yield* startRead(mapping, file, page);
  } else yield* writeOnce(FileRaState.order(ra), 0);
  // Something was there already: the rest page by page, around what is there.
  const rest = size - (index - start);
  if (!complete && rest > 0) yield* doPageCacheRa(mapping, file, index, rest, asyncSize);
}

/** *Source*: `do_page_cache_ra`, mm/readahead.c, 6.18. The mark counts from the end of what the file has. */
function* doPageCacheRa(
  mapping: Ptr<AddressSpace>,
  file: Ptr<File> | 0,
  index: number,
  count: number,
  lookahead: number,
): Op<void> {
  const last = yield* lastPageIndex(mapping);
  if (last < 0 || index > last) return;
  const clipped = count > last - index ? last - index + 1 : count;
  yield* readPagesAhead(mapping, file, index, clipped, lookahead <= clipped ? lookahead : -1);
}

/** *Source*: `force_page_cache_ra`, mm/readahead.c, 6.18: 2 MiB at a time, as much as window or disk allow. */
export function* forcePageCacheRa(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  index: number,
  request: number,
): Op<void> {
  const max = Math.max(ioPages(), yield* readOnce(FileRaState.raPages(ra)));
  let left = Math.min(request, max);
  for (let at = index; left > 0; at += 512, left -= 512) {
    yield* doPageCacheRa(mapping, file, at, Math.min(512, left), 0);
  }
}

/** Slots of an XArray node. */
const NODE_SLOTS = 64;

/**
 * The page at an index as an XArray cursor that starts there sees it: a cursor that starts within a large folio stands on the folio's first
 * slot while its index says otherwise, and keeps that distance until it enters another node. So 6.18 may take a hole for one further on;
 * what it then reads ahead is measured (test/readahead-kernel.test.ts). Folios of a node's size or more have a slot of their own kind.
 */
function* cursorSlot(mapping: Ptr<AddressSpace>, index: number): Op<number> {
  const page = yield* findGetPage(mapping, index);
  if (page === NULL) return index;
  const order = yield* readOnce(Page.private(page));
  yield* putPage(page);
  return 2 ** order < NODE_SLOTS ? roundDown(index, order) : index;
}

/** First hole below or at `index`, looking at `max` pages; -1: cached from the beginning. *Source*: `page_cache_prev_miss`, 6.18. */
function* prevMiss(mapping: Ptr<AddressSpace>, index: number, max: number): Op<number> {
  let slot = yield* cursorSlot(mapping, index);
  let at = index;
  for (let i = 0; i < max; i++, at--) {
    if (slot < 0 || !(yield* pageCached(mapping, slot))) return at;
    if (slot % NODE_SLOTS !== 0) slot--;
    else if ((at - 1) % NODE_SLOTS !== 0)
      slot = at < 1 || slot === 0 ? -1 : slot - NODE_SLOTS + ((at - 1) % NODE_SLOTS);
  }
  return index - max;
}

/** First hole at or above `index`, looking at `max` pages; `index + max` if there is none. *Source*: `page_cache_next_miss`, 6.18. */
function* nextMiss(mapping: Ptr<AddressSpace>, index: number, max: number): Op<number> {
  let slot = yield* cursorSlot(mapping, index);
  for (let at = index; at < index + max; at++) {
    if (!(yield* pageCached(mapping, slot))) return at;
    slot = slot % NODE_SLOTS === NODE_SLOTS - 1 ? at + 1 : slot + 1;
  }
  return index + max;
}

/**
 * A page is not in the cache: reads it, and what is likely to be wanted next. *Source*: `page_cache_sync_ra`, mm/readahead.c, 6.18.
 */
export function* pageCacheSyncRa(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  index: number,
  request: number,
): Op<void> {
  const off = (yield* readOnce(FileRaState.raPages(ra))) === 0;
  const random = file !== NULL && ((yield* readOnce(File.mode(file))) & FMODE_RANDOM) !== 0;
  if (off && file === NULL) return;
  if (off || random) return yield* forcePageCacheRa(mapping, ra, file, index, off ? 1 : request);

  const max = yield* maxPages(ra, request);
  const prev = yield* readOnce(FileRaState.prevIndex(ra));
  const follows = prev >= 0 && index - prev >= 0 && index - prev <= 1;
  if (index === 0 || request > max || follows) {
    const size = initialWindow(request, max);
    yield* setWindow(ra, index, size, size > request ? size - request : size >> 1);
  } else {
    const miss = yield* prevMiss(mapping, index - 1, max);
    const history = index - miss - 1;
    if (history <= request) {
      // A small random read: as it is, without a change of the window.
      yield* doPageCacheRa(mapping, file, index, request, 0);
      return;
    }
    // Cached from the beginning: somebody reads the whole file.
    yield* setWindow(ra, index, Math.min((miss < 0 ? 2 * history : history) + request, max), 1);
  }
  yield* writeOnce(FileRaState.order(ra), 0);
  yield* pageCacheRaOrder(mapping, ra, file, index);
}

/** Takes the mark off a page and the rest of its folio. *Returns* the folio's first index. */
function* clearMark(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<{ first: number; order: number }> {
  const order = yield* readOnce(Page.private(page));
  const first = roundDown(yield* readOnce(Page.index(page)), order);
  yield* clearPageReadahead(page);
  for (let i = first; order > 0 && i < first + 2 ** order; i++) {
    const part = yield* findGetPage(mapping, i);
    if (part === NULL) continue;
    yield* clearPageReadahead(part);
    yield* putPage(part);
  }
  return { first, order };
}

/**
 * A marked page is touched: reads the next window. `atFault`: a page fault counts from its own page, a read from the folio's first.
 * *Source*: `page_cache_async_ra`, mm/readahead.c, 6.18.
 */
export function* pageCacheAsyncRa(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  page: Ptr<Page>,
  atFault: boolean,
  index: number,
  request: number,
): Op<void> {
  const folio = yield* clearMark(mapping, page);
  const at = atFault ? index : folio.first;
  const wanted = atFault ? request : request + index - folio.first;
  const max = yield* maxPages(ra, wanted);
  const start = yield* readOnce(FileRaState.start(ra));
  const size = yield* readOnce(FileRaState.size(ra));
  const asyncSize = yield* readOnce(FileRaState.asyncSize(ra));
  let next: { start: number; size: number };
  if (at === roundDown(start + size - asyncSize, folio.order)) {
    next = { start: start + size, size: Math.max(size, nextWindow(size, max)) };
  } else {
    // A mark that our window does not know, as of interleaved readers: the window is what lies ahead of it in the cache.
    const miss = yield* nextMiss(mapping, at + 1, max);
    if (miss - at > max) return;
    next = { start: miss, size: nextWindow(miss - at + wanted, max) };
  }
  // Folios grow with the stream, and a window ends where a folio of that size does.
  const order = (yield* readOnce(FileRaState.order(ra))) + 2;
  const end = next.start + next.size;
  const aligned = roundDown(end, Math.min(order, log2(max & -max)));
  if (aligned > next.start) next.size -= end - aligned;
  yield* writeOnce(FileRaState.order(ra), order);
  yield* setWindow(ra, next.start, next.size, next.size);
  yield* pageCacheRaOrder(mapping, ra, file, next.start);
}
