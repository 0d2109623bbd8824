// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import { type AddressSpace, PAGE_SIZE } from '@lockless/mm-types/native';
import {
  globalPageState,
  markPageAccessed,
  NR_FILE_DIRTY,
  pageUptodate,
  setPageUptodate,
  unlockPage,
} from '@lockless/page/native';
import { dirtyThreshold, setPageDirty } from '@lockless/pagecache/native';
import { isDeadlock } from './errors.js';
import { endShare } from './exclusion.js';
import { extendSize, growSize, growStoredSize, sizeOf } from './file-sizes.js';
import { noteInodeSize } from './file-table.js';
import { beginBytes, bytesOf, discardRead, endBytes } from './frames.js';
import { findPinned, type PagedFile, writablePage } from './pages.js';
import { type Pin, unpin } from './pins.js';
import { beginWrite } from './truncate.js';
import type { Steps } from './waiting.js';
import { awaitWriters, startWriteback } from './writeback.js';

/** Pages that a writer over the limit writes by itself. */
const THROTTLED_PAGES = 64;

/**
 * Writes bytes of a file into the cache, at a position, or, with null, at its end; they reach the storage later. *Returns* how many: all. What a page gets of them, it gets at once for those who read
 * copies. Truncations come before or after it as a whole.
 * *Source*: `generic_perform_write`, mm/filemap.c, and `generic_write_end`, fs/buffer.c, 2.6.27.
 */
export function* writeSteps(
  file: PagedFile,
  source: Uint8Array,
  offset: number,
  length: number,
  position: number | null,
): Steps<number> {
  yield* beginWrite(file);
  try {
    const begin = position ?? makeRoom(file, length);
    for (let done = 0; done < length; ) {
      const at = begin + done;
      const from = at % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - from, length - done);
      yield* writePiece(file, source.subarray(offset + done, offset + done + count), at, from);
      done += count;
      yield* balanceDirtyPages(file);
    }
  } finally {
    endShare(file);
  }
  return length;
}

/** Appending: the file has so many bytes more, at once for all threads. *Returns* where they go. */
function makeRoom({ record }: PagedFile, length: number): number {
  const end = extendSize(record, length);
  noteInodeSize(record);
  return end;
}

function* writePiece(file: PagedFile, bytes: Uint8Array, at: number, from: number): Steps<void> {
  // Asked with the page locked: before that, others write behind these bytes.
  const whole = (): boolean => from === 0 && (bytes.length === PAGE_SIZE || at + bytes.length >= sizeOf(file.record));
  const pin = yield* pageOrAround(file, bytes, at, whole);
  if (pin === undefined) return;
  try {
    const { page } = pin;
    beginBytes(page);
    const frame = bytesOf(page);
    frame.set(bytes, from);
    if (!pageUptodate(page)) frame.fill(0, from + bytes.length);
    // Uptodate after the bytes, and both flags before the number is even: whoever finds us dead in between takes the page for dirty (sweep.ts), so what others have seen of it stays.
    setPageUptodate(page);
    setPageDirty(page);
    endBytes(page);
    // Under the page lock, so that who writes the page out does not take it for one beyond the end.
    growSize(file.record, at + bytes.length);
    noteInodeSize(file.record);
    unlockPage(page);
    markPageAccessed(page);
  } finally {
    unpin(pin);
  }
}

/** So often a blocking write tries to have a page that others are reading. */
const MAX_TRIES = 100;

/**
 * The page that is to be written to. undefined: the bytes are in the storage. A blocking write that meets a page which this thread itself is reading asynchronously, as read-ahead does, or another
 * that may wait for this one, cannot wait for it: that read could end only after the write.
 */
function* pageOrAround(file: PagedFile, bytes: Uint8Array, at: number, whole: () => boolean): Steps<Pin | undefined> {
  for (let tries = 0; ; tries++) {
    try {
      return yield* writablePage(file, Math.floor(at / PAGE_SIZE), whole);
    } catch (error) {
      if (!isDeadlock(error) || file.storage.blocking === undefined || tries === MAX_TRIES) throw error;
      if (writeAround(file, bytes, at)) return undefined;
    }
  }
}

/**
 * Writes to the storage, beside a page that is being read: what the read brings is not used. The page is not dirty then.
 *
 *   1. the read that is going on is to be discarded
 *   2. the bytes to the storage
 *   3. the page again: a read that began after 1 ended may have been before 2
 *
 * *Returns* false when nobody reads the page at 1, or at 3: then it is to be had.
 */
function writeAround({ mapping, storage, record }: PagedFile, bytes: Uint8Array, at: number): boolean {
  const index = Math.floor(at / PAGE_SIZE);
  if (!discardReadAt(mapping, index)) return false; // 1
  storage.blocking?.write([bytes], at); // 2
  growStoredSize(record, at + bytes.length);
  if (!discardReadAt(mapping, index)) return false; // 3
  growSize(record, at + bytes.length);
  noteInodeSize(record);
  return true;
}

function discardReadAt(mapping: Ptr<AddressSpace>, index: number): boolean {
  const found = findPinned(mapping, index);
  if (found === undefined) return false;
  try {
    return discardRead(found.page);
  } finally {
    unpin(found);
  }
}

/** Holds a writer to the rate of the storage. *Source*: `balance_dirty_pages`, mm/page-writeback.c, 2.6.27. */
function* balanceDirtyPages(file: PagedFile): Steps<void> {
  if (globalPageState(NR_FILE_DIRTY) <= dirtyThreshold()) return;
  yield* startWriteback(file, { first: 0, pages: THROTTLED_PAGES, wait: false });
  yield* awaitWriters(file.mapping);
}
