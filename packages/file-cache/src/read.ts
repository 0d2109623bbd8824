// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, poke } from '@lockless/cpu/native';
import { File, FileRaState, PAGE_SIZE, type Page, PG_LOCKED } from '@lockless/mm-types/native';
import { markPageAccessed, trylockPage, unlockPage } from '@lockless/page/native';
import { refreshSize } from './external-changes.js';
import { sizeOf } from './file-sizes.js';
import { bytesChanged, copyBytes, stableBytes } from './frames.js';
import { type PagedFile, readablePage } from './pages.js';
import { peekCopy } from './peek.js';
import { type Pin, unpin } from './pins.js';
import { type Steps, waitOnPage } from './waiting.js';

/** A piece of a read: within one page. */
interface Piece {
  readonly index: number;
  readonly from: number;
  readonly count: number;
}

const pieceAt = (position: number, left: number): Piece => {
  const from = position % PAGE_SIZE;
  return { index: Math.floor(position / PAGE_SIZE), from, count: Math.min(PAGE_SIZE - from, left) };
};

/**
 * Copies what is hot in the cache without a reference (peek.ts), up to the first page that is not. *Returns* the number of bytes copied; `-1 - n`: n bytes were
 * copied, and the next page must be had in another way.
 */
export function readHot(file: PagedFile, target: Uint8Array, offset: number, length: number, position: number): number {
  const end = Math.min(length, file.seenSize.now() - position);
  let done = 0;
  while (done < end) {
    const at = position + done;
    const from = at % PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - from, end - done);
    if (!peekCopy(file.mapping, Math.floor(at / PAGE_SIZE), from, target, offset + done, count)) return -1 - done;
    done += count;
  }
  return done;
}

/** So often a copy is made again because the page was written to meanwhile; then the page is locked. */
const MAX_RETRIES = 16;

/** Copies bytes of a pinned page, all of one state of it. */
function* copyPinned(page: Ptr<Page>, from: number, target: Uint8Array, at: number, count: number): Steps<void> {
  for (let tries = 0; tries < MAX_RETRIES; tries++) {
    const before = stableBytes(page);
    if (before === -1) continue;
    copyBytes(page, from, target, at, count);
    if (!bytesChanged(page, before)) return;
  }
  while (!trylockPage(page)) yield* waitOnPage(page, PG_LOCKED);
  copyBytes(page, from, target, at, count);
  unlockPage(page);
}

/**
 * Reads bytes of a file through the cache. *Returns* how many: fewer than asked for only at the end of the file. Each page is copied in one state of it; other
 * pages may have been written to in between.
 * *Source*: `do_generic_file_read`, mm/filemap.c, 2.6.27.
 */
export function* readSteps(
  file: PagedFile,
  target: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Steps<number> {
  const lastIndex = Math.ceil((position + length) / PAGE_SIZE);
  let done = 0;
  while (done < length) {
    const hot = readHot(file, target, offset + done, length - done, position + done);
    done += hot >= 0 ? hot : -1 - hot;
    if (hot >= 0) {
      // All of it, or up to the end: has the file grown in the storage?
      if (done === length || !(yield* refreshSize(file))) return done;
      continue;
    }
    const { index } = pieceAt(position + done, length - done);
    const pin = yield* readablePage(file, index, lastIndex - index);
    try {
      if (file.device.shrunk.delete(file.number)) yield* refreshSize(file);
      // The size is looked at when the page is known to be uptodate: an older one could lead beyond what the file ever held (kernel-facts C6).
      const { from, count } = pieceAt(position + done, Math.min(length - done, sizeOf(file.record) - position - done));
      if (count <= 0) return done;
      yield* copyPinned(pin.page, from, target, offset + done, count);
      done += count;
      used(file, pin, index);
    } finally {
      unpin(pin);
    }
  }
  return done;
}

function used({ file }: PagedFile, { page }: Pin, index: number): void {
  markPageAccessed(page);
  poke(FileRaState.prevIndex(File.ra(file)), index);
}

/** A page of a file, uptodate and pinned, for a view of it. undefined: beyond the end of the file. */
export function* pinSteps(file: PagedFile, index: number, request: number): Steps<Pin | undefined> {
  if (index * PAGE_SIZE >= sizeOf(file.record)) return undefined;
  const pin = yield* readablePage(file, index, request);
  if (file.device.shrunk.delete(file.number)) {
    yield* refreshSize(file);
    if (index * PAGE_SIZE >= sizeOf(file.record)) {
      unpin(pin);
      return undefined;
    }
  }
  used(file, pin, index);
  return pin;
}
