// SPDX-License-Identifier: GPL-2.0-only
import {
  type Ptr,
  type Ref,
  readOnce,
  readSeqbegin,
  readSeqretry,
  SeqLock,
  type WideValue,
  wideLoad,
  wideStore,
  writeSeqlock,
  writeSequnlock,
} from '@lockless/cpu/native';
import { FileRecord } from './shared-words.js';

/*
 * The size of a file: beyond what one word holds, so readers look at two words between two looks at a sequence number (i_size_read() of a
 * 32-bit kernel). That a writer dies between the two words is wide-value.ts of cpu.
 */

function read(record: Ptr<FileRecord>, value: Ptr<WideValue>): number {
  for (;;) {
    const start = readSeqbegin(FileRecord.sizes(record));
    const size = wideLoad(value);
    if (!readSeqretry(FileRecord.sizes(record), start)) return size;
  }
}

/** Changes a size, all at once for other threads. `next`: what it is to be, of what it is; the same: nothing. *Returns* what it was. */
function change(record: Ptr<FileRecord>, value: Ptr<WideValue>, next: (size: number) => number): number {
  writeSeqlock(FileRecord.sizes(record));
  const size = wideLoad(value);
  const changed = next(size);
  if (changed !== size) wideStore(value, changed);
  writeSequnlock(FileRecord.sizes(record));
  return size;
}

/** Bytes that the file has for readers of the cache. */
export const sizeOf = (record: Ptr<FileRecord>): number => read(record, FileRecord.size(record));

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
      this.size = wideLoad(FileRecord.size(this.record));
      this.seen = start;
      if (!readSeqretry(FileRecord.sizes(this.record), start)) return;
    }
  }
}

/** Another number when one of the sizes was set meanwhile, or is being set. */
export const sizesVersion = (record: Ptr<FileRecord>): number => readOnce(SeqLock.sequence(FileRecord.sizes(record)));

/** Bytes that it has in the storage. */
export const storedSizeOf = (record: Ptr<FileRecord>): number => read(record, FileRecord.stored(record));

export function setSize(record: Ptr<FileRecord>, size: number): void {
  change(record, FileRecord.size(record), () => size);
}

export function setStoredSize(record: Ptr<FileRecord>, size: number): void {
  change(record, FileRecord.stored(record), () => size);
}

/** A write ended there: the file has at least so many bytes. */
export function growSize(record: Ptr<FileRecord>, end: number): void {
  if (sizeOf(record) < end) change(record, FileRecord.size(record), (size) => Math.max(size, end));
}

/** {@link growSize}, of what the storage has. */
export function growStoredSize(record: Ptr<FileRecord>, end: number): void {
  if (storedSizeOf(record) < end) change(record, FileRecord.stored(record), (size) => Math.max(size, end));
}

/** Appending: makes room for so many bytes at the end of the file, at once for all threads. *Returns* where they go. */
export const extendSize = (record: Ptr<FileRecord>, bytes: number): number =>
  change(record, FileRecord.size(record), (size) => size + bytes);
