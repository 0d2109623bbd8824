// SPDX-License-Identifier: GPL-2.0-only
import {
  excludeBegin,
  excludeEnd,
  NULL,
  OWNER_GONE,
  type Ptr,
  peek,
  type Ref,
  shareAgain,
  shareBegin,
  shareEnd,
  shareExcludeDied,
  sharesLeft,
  thisCpu,
} from '@lockless/cpu/native';
import { entryOf, FileRecord, maxFiles, maxThreads, recordAt, shareTable } from './shared-words.js';
import { type Steps, waitOnWord } from './waiting.js';

/*
 * Writes and truncations of one file exclude each other, which under Linux i_mutex does: a truncation is long, it waits for the storage in the middle, and what others wrote meanwhile beyond the
 * new end would be lost. Writes share, each thread by a count of its own for each file; a truncation excludes them. The protocol is share-exclude.ts of cpu, which the checker has as the scenario
 * write-vs-truncation; here is how to wait. Whoever dies while it truncates leaves OWNER_GONE in the owner word: what it has begun is to be finished first.
 *
 * A write shares as long as it goes on, over its waits; it waits for nothing that a truncation holds, which is nothing but the file. Reads neither share nor wait.
 */

/** What of an open file is looked at here. */
export interface ExclusiveFile {
  /** Number of its record. */
  readonly number: number;
  readonly record: Ptr<FileRecord>;
}

/** As which this thread excludes. */
const me = (): number => thisCpu.id + 1;
const ownerOf = (record: Ptr<FileRecord>): Ref<number> => FileRecord.truncating(record);
/** How many writes to a file a thread is at. */
const sharesOf = (cpu: number, number: number): Ref<number> => entryOf(peek(shareTable), peek(maxFiles), cpu, number);

/** Whether a truncation of the file is half done, and nobody is at it: the size in the cache is right, what lies beyond it is not gone yet. */
export const isHalfTruncated = (record: Ptr<FileRecord>): boolean => peek(ownerOf(record)) === OWNER_GONE;
/** Whether the file is being truncated, or is half truncated. */
export const isTruncated = (record: Ptr<FileRecord>): boolean => peek(ownerOf(record)) !== 0;

/** Begins to write, if nobody truncates. *Returns* 0, or what the owner word is, to be waited for. */
export const tryShare = ({ number, record }: ExclusiveFile): number =>
  shareBegin(ownerOf(record), sharesOf(thisCpu.id, number));

/** Whether this thread is at a write to the file. */
export const isSharing = ({ number }: ExclusiveFile): boolean => peek(sharesOf(thisCpu.id, number)) > 0;
/** Begins another write. *Context*: {@link isSharing}. */
export const shareOnceMore = ({ number }: ExclusiveFile): void => shareAgain(sharesOf(thisCpu.id, number));

/** Ends a write. */
export const endShare = ({ number, record }: ExclusiveFile): void =>
  shareEnd(ownerOf(record), sharesOf(thisCpu.id, number));

/** Waits while the owner word is this. */
export const waitForOwner = ({ record }: ExclusiveFile, found: number): Steps<void> =>
  waitOnWord(ownerOf(record), found, found === me());

/**
 * Waits until nobody writes to the file or truncates it, and keeps others from it until {@link endExclusion}. *Returns* 0; or OWNER_GONE: a truncation is half done, to be
 * finished first.
 */
export function* takeExclusively(file: ExclusiveFile): Steps<number> {
  const owner = ownerOf(file.record);
  let found = excludeBegin(owner, me());
  for (; found > 0; found = excludeBegin(owner, me())) yield* waitForOwner(file, found);
  try {
    for (let cpu = 0; cpu < peek(maxThreads); cpu++) {
      const count = sharesOf(cpu, file.number);
      for (let shares = sharesLeft(count); shares !== 0; shares = sharesLeft(count))
        yield* waitOnWord(count, shares, cpu === thisCpu.id);
    }
  } catch (error) {
    excludeEnd(owner, found);
    throw error;
  }
  return found;
}

/** Lets others go on. `left`: 0, or OWNER_GONE when a truncation is half done. */
export const endExclusion = ({ record }: ExclusiveFile, left: number): void => excludeEnd(ownerOf(record), left);

/** Does something short if nobody writes to the file or truncates it at the moment. *Returns* what `work` does, or false. */
export function unlessWritten({ number, record }: ExclusiveFile, work: () => boolean): boolean {
  const found = excludeBegin(ownerOf(record), me());
  if (found > 0) return false;
  try {
    if (found === OWNER_GONE) return false;
    for (let cpu = 0; cpu < peek(maxThreads); cpu++) if (sharesLeft(sharesOf(cpu, number)) !== 0) return false;
    return work();
  } finally {
    excludeEnd(ownerOf(record), found);
  }
}

/** Gives back what a dead thread shared and excluded. *Context*: as its CPU, whose number nobody else has yet. */
export function exclusionsDied(cpu: number): void {
  for (let number = 0; number < peek(maxFiles); number++) {
    const record = recordAt(number);
    if (peek(FileRecord.inode(record)) !== NULL) shareExcludeDied(ownerOf(record), sharesOf(cpu, number), cpu + 1);
  }
}
