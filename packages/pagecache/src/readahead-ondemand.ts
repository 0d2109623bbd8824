// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { readOnce, writeOnce } from '@lockless/cpu';
import { AddressSpace, type File, FileRaState } from '@lockless/mm-types';
import { radixTreeNextHole } from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { readPagesAhead } from './readahead-pages.js';

/*
 * On-demand read-ahead, 2.6.23 to 2.6.27, mm/readahead.c. The window of a file is [start, start + size); its last asyncSize pages are
 * ahead of need, and the first of those carries PG_readahead: whoever reads it starts the next window while the rest is still to come.
 *
 *   |<----------------- size ------------------>|
 *   |------------------|<------ asyncSize ----->|
 *   ^start             ^page marked PG_readahead
 */

/** Smallest power of two that is at least `n`. */
const roundupPowOfTwo = (n: number): number => (n <= 1 ? 1 : 2 ** (32 - Math.clz32(n - 1)));

/** First window, pages: double or quadruple the request while it is small. *Source*: `get_init_ra_size`. */
export function initialWindow(request: number, max: number): number {
  const size = roundupPowOfTwo(request);
  if (size <= max / 32) return size * 4;
  if (size <= max / 4) return size * 2;
  return max;
}

/** Next window, pages: quadruple, then double, up to the largest. *Source*: `get_next_ra_size`, 2.6.27. */
function nextWindow(size: number, max: number): number {
  return Math.min(size < max / 16 ? 4 * size : 2 * size, max);
}

export function* setWindow(ra: Ptr<FileRaState>, start: number, size: number, asyncSize: number): Op<void> {
  yield* writeOnce(FileRaState.start(ra), start);
  yield* writeOnce(FileRaState.size(ra), size);
  yield* writeOnce(FileRaState.asyncSize(ra), asyncSize);
}

/** *Source*: `ra_submit`, mm/readahead.c, 2.6.27. */
function* submitWindow(mapping: Ptr<AddressSpace>, ra: Ptr<FileRaState>, file: Ptr<File> | 0): Op<void> {
  const start = yield* readOnce(FileRaState.start(ra));
  const size = yield* readOnce(FileRaState.size(ra));
  yield* readPagesAhead(mapping, file, start, size, yield* readOnce(FileRaState.asyncSize(ra)));
}

/** The request continues the window: at its mark, or right behind it. Moves the window on. *Returns* false when it does not. */
function* continueWindow(ra: Ptr<FileRaState>, index: number, max: number): Op<boolean> {
  const start = yield* readOnce(FileRaState.start(ra));
  const size = yield* readOnce(FileRaState.size(ra));
  const mark = start + size - (yield* readOnce(FileRaState.asyncSize(ra)));
  if (index === 0 || (index !== mark && index !== start + size)) return false;
  const next = nextWindow(size, max);
  yield* setWindow(ra, start + size, next, next);
  return true;
}

/** A marked page that our window does not know, as of interleaved readers: the window is what lies ahead of it in the cache. */
function* adoptWindow(mapping: Ptr<AddressSpace>, ra: Ptr<FileRaState>, index: number, max: number): Op<boolean> {
  yield* rcuReadLock();
  const start = yield* radixTreeNextHole(AddressSpace.pageTree(mapping), index, max + 1);
  yield* rcuReadUnlock();
  if (start === 0 || start - index > max) return false;
  const size = nextWindow(start - index, max);
  yield* setWindow(ra, start, size, size);
  return true;
}

/**
 * A minimal algorithm to find out whether a file is read in sequence, and to read ahead if so.
 * *Source*: `ondemand_readahead`, mm/readahead.c, 2.6.27.
 */
export function* ondemandReadahead(
  mapping: Ptr<AddressSpace>,
  ra: Ptr<FileRaState>,
  file: Ptr<File> | 0,
  hitMark: boolean,
  index: number,
  request: number,
): Op<void> {
  const max = yield* readOnce(FileRaState.raPages(ra));
  if (yield* continueWindow(ra, index, max)) return yield* submitWindow(mapping, ra, file);

  const distance = (index - (yield* readOnce(FileRaState.prevIndex(ra)))) >>> 0;
  const sequential = distance <= 1 || request > max;
  if (!hitMark && !sequential) {
    // A small random read: as it is, without a change of the window.
    yield* readPagesAhead(mapping, file, index, request, 0);
    return;
  }
  if (hitMark) {
    if (yield* adoptWindow(mapping, ra, index, max)) yield* submitWindow(mapping, ra, file);
    return;
  }
  const size = initialWindow(request, max);
  yield* setWindow(ra, index, size, size > request ? size - request : size);
  yield* submitWindow(mapping, ra, file);
}
