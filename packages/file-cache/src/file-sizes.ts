// SPDX-License-Identifier: GPL-2.0-only
import {
  type Ptr,
  peek,
  poke,
  type Ref,
  readOnce,
  readSeqbegin,
  readSeqretry,
  SeqLock,
  writeSeqlock,
  writeSequnlock,
} from '@lockless/cpu/native';
import { FileRecord } from './shared-words.js';

/*
 * The size of a file: beyond what one word holds, so readers look at two words between two looks at a sequence number (i_size_read() of a
 * 32-bit kernel).
 */

const fromWords = (low: number, high: number): number => high * 2 ** 32 + (low >>> 0);

function store(low: Ref<number>, high: Ref<number>, value: number): void {
  poke(low, value | 0);
  poke(high, Math.floor(value / 2 ** 32));
}

function read(record: Ptr<FileRecord>, low: Ref<number>, high: Ref<number>): number {
  for (;;) {
    const start = readSeqbegin(FileRecord.sizes(record));
    const value = fromWords(peek(low), peek(high));
    if (!readSeqretry(FileRecord.sizes(record), start)) return value;
  }
}

/** Bytes that the file has for readers of the cache. */
export const sizeOf = (record: Ptr<FileRecord>): number =>
  read(record, FileRecord.sizeLow(record), FileRecord.sizeHigh(record));
/** A size as one open file saw it last, and the sequence number that it had then: looking at that again is one load. */
export class SeenSize {
  private readonly record: Ptr<FileRecord>;
  private readonly sequence: Ref<number>;
  private seen = -1;
  private size = 0;

  constructor(record: Ptr<FileRecord>) {
    this.record = record;
    this.sequence = SeqLock.sequence(FileRecord.sizes(record));
  }

  /** {@link sizeOf}. */
  now(): number {
    if (readOnce(this.sequence) !== this.seen) this.look();
    return this.size;
  }

  private look(): void {
    for (;;) {
      const start = readSeqbegin(FileRecord.sizes(this.record));
      this.size = fromWords(peek(FileRecord.sizeLow(this.record)), peek(FileRecord.sizeHigh(this.record)));
      this.seen = start;
      if (!readSeqretry(FileRecord.sizes(this.record), start)) return;
    }
  }
}

/** Another number when one of the sizes was set meanwhile, or is being set. */
export const sizesVersion = (record: Ptr<FileRecord>): number => readOnce(SeqLock.sequence(FileRecord.sizes(record)));

/** Bytes that it has in the storage. */
export const storedSizeOf = (record: Ptr<FileRecord>): number =>
  read(record, FileRecord.storedLow(record), FileRecord.storedHigh(record));

export function setSize(record: Ptr<FileRecord>, size: number): void {
  writeSeqlock(FileRecord.sizes(record));
  store(FileRecord.sizeLow(record), FileRecord.sizeHigh(record), size);
  writeSequnlock(FileRecord.sizes(record));
}

export function setStoredSize(record: Ptr<FileRecord>, size: number): void {
  writeSeqlock(FileRecord.sizes(record));
  store(FileRecord.storedLow(record), FileRecord.storedHigh(record), size);
  writeSequnlock(FileRecord.sizes(record));
}

/** A write ended there: the file has at least so many bytes. */
export function growSize(record: Ptr<FileRecord>, end: number): void {
  if (sizeOf(record) >= end) return;
  writeSeqlock(FileRecord.sizes(record));
  if (fromWords(peek(FileRecord.sizeLow(record)), peek(FileRecord.sizeHigh(record))) < end)
    store(FileRecord.sizeLow(record), FileRecord.sizeHigh(record), end);
  writeSequnlock(FileRecord.sizes(record));
}

/** {@link growSize}, of what the storage has. */
export function growStoredSize(record: Ptr<FileRecord>, end: number): void {
  writeSeqlock(FileRecord.sizes(record));
  if (fromWords(peek(FileRecord.storedLow(record)), peek(FileRecord.storedHigh(record))) < end)
    store(FileRecord.storedLow(record), FileRecord.storedHigh(record), end);
  writeSequnlock(FileRecord.sizes(record));
}

/** Appending: makes room for so many bytes at the end of the file, at once for all threads. *Returns* where they go. */
export function extendSize(record: Ptr<FileRecord>, bytes: number): number {
  writeSeqlock(FileRecord.sizes(record));
  const end = fromWords(peek(FileRecord.sizeLow(record)), peek(FileRecord.sizeHigh(record)));
  store(FileRecord.sizeLow(record), FileRecord.sizeHigh(record), end + bytes);
  writeSequnlock(FileRecord.sizes(record));
  return end;
}
