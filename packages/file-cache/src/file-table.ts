// SPDX-License-Identifier: GPL-2.0-only
import {
  GFP_HIGHMEM,
  GFP_NOIO,
  GFP_NORETRY,
  NULL,
  type Null,
  type Ptr,
  peek,
  poke,
  spinLock,
  spinUnlock,
  thisCpu,
  words,
} from '@lockless/cpu/native';
import {
  AddressSpace,
  type File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGECACHE_TAG_DIRTY,
} from '@lockless/mm-types/native';
import { fileOpen, filePut, inodeAlloc, inodePut } from '@lockless/pagecache/native';
import { radixTreeTagged } from '@lockless/radix-tree/native';
import { FILE_CACHE_AOPS } from './address-space-operations.js';
import { FileCacheError } from './errors.js';
import { isTruncated } from './exclusion.js';
import { setSize, setStoredSize, sizeOf } from './file-sizes.js';
import { entryOf, FileRecord, filesLock, maxFiles, openTable, PATH_WORDS, recordAt } from './shared-words.js';
import type { StorageStat } from './storage.js';

/*
 * The table of files, shared by all threads: one record, one inode and so one mapping for each file that the storage tells apart, however many threads have it
 * open. A record without open files keeps its pages, for the next who opens the file, until another file needs it.
 */

const low = (value: bigint): number => Number(BigInt.asIntN(32, value));
const high = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

/**
 * Pages of files are allocated with this: reclaim may free clean pages for it, but neither write nor wait, which could block the event loop; and tries once,
 * because who waits for memory here does so between two tries.
 */
const MAPPING_GFP: number = GFP_NOIO | GFP_NORETRY | GFP_HIGHMEM;

/** The mapping of a record whose inode is set. */
export const mappingOf = (record: Ptr<FileRecord>): Ptr<AddressSpace> =>
  Inode.data(peek(FileRecord.inode(record)) as Ptr<Inode>);

/** Runs something under filesLock. *Context*: inside kernel code. */
function withFiles<T>(work: () => T): T {
  spinLock(filesLock);
  try {
    return work();
  } finally {
    spinUnlock(filesLock);
  }
}

const inUse = (record: Ptr<FileRecord>): boolean => peek(FileRecord.inode(record)) !== NULL;

/** Numbers of the records that are in use. */
export function usedRecords(): number[] {
  return Array.from({ length: peek(maxFiles) }, (_, i) => i).filter((i) => inUse(recordAt(i)));
}

function isFile(record: Ptr<FileRecord>, { device, inode }: StorageStat): boolean {
  return (
    peek(FileRecord.numberLow(record)) === low(inode) &&
    peek(FileRecord.numberHigh(record)) === high(inode) &&
    peek(FileRecord.deviceLow(record)) === low(device) &&
    peek(FileRecord.deviceHigh(record)) === high(device)
  );
}

/** What a dead thread wrote is dirty still, and what it truncated may be half truncated. */
const isUnfinished = (record: Ptr<FileRecord>): boolean =>
  radixTreeTagged(AddressSpace.pageTree(mappingOf(record)), PAGECACHE_TAG_DIRTY) || isTruncated(record);

/** What opening a file found. `revalidate`: nobody had it open, and it is another version than the one in the cache. `evict`: first make this record free. */
export type Opened = { readonly number: number; readonly revalidate: boolean } | { readonly evict: number };

/** Finds the record of a file, or makes one, and counts an open file. *Context*: inside kernel code. Throws when all records have open files. */
export function openRecord(stat: StorageStat, path: string): Opened {
  return withFiles(() => {
    let free = -1;
    let idle = -1;
    for (let number = 0; number < peek(maxFiles); number++) {
      const record = recordAt(number);
      if (!inUse(record)) {
        if (free < 0) free = number;
      } else if (isFile(record, stat)) {
        return { number, revalidate: countOpen(record, stat) };
      } else if (idle < 0 && peek(FileRecord.opens(record)) === 0 && !isUnfinished(record)) idle = number;
    }
    if (free < 0) {
      if (idle >= 0) return { evict: idle };
      throw new FileCacheError(
        'ERR_FILE_CACHE_TOO_MANY_FILES',
        `${peek(maxFiles)} files are open: see the option maxFiles`,
      );
    }
    initRecord(free, stat, path);
    return { number: free, revalidate: false };
  });
}

/** *Returns* whether the pages in the cache are of another version of the file. */
function countOpen(record: Ptr<FileRecord>, stat: StorageStat): boolean {
  const opens = peek(FileRecord.opens(record));
  poke(FileRecord.opens(record), opens + 1);
  return opens === 0 && (!isVersion(record, stat) || sizeOf(record) !== stat.size);
}

const isVersion = (record: Ptr<FileRecord>, { version }: StorageStat): boolean =>
  peek(FileRecord.versionLow(record)) === low(version) && peek(FileRecord.versionHigh(record)) === high(version);

/** Notes which version of the file the storage has now. Not its size: by now it may be another one. */
export function setVersion(record: Ptr<FileRecord>, { version }: StorageStat): void {
  poke(FileRecord.versionLow(record), low(version));
  poke(FileRecord.versionHigh(record), high(version));
}

function initRecord(number: number, stat: StorageStat, path: string): void {
  const inode = inodeAlloc(number + 1, 0);
  if (inode === NULL) throw new FileCacheError('ENOMEM', 'no memory for another inode');
  const mapping = Inode.data(inode);
  poke(AddressSpace.aOps(mapping), FILE_CACHE_AOPS);
  poke(AddressSpace.flags(mapping), MAPPING_GFP);
  const record = recordAt(number);
  poke(FileRecord.deviceLow(record), low(stat.device));
  poke(FileRecord.deviceHigh(record), high(stat.device));
  poke(FileRecord.numberLow(record), low(stat.inode));
  poke(FileRecord.numberHigh(record), high(stat.inode));
  setSize(record, stat.size);
  setStoredSize(record, stat.size);
  setVersion(record, stat);
  // The last file may have been left half truncated, and could not be had.
  poke(FileRecord.truncating(record), 0);
  storePath(record, path);
  poke(FileRecord.opens(record), 1);
  poke(FileRecord.inode(record), inode);
  noteInodeSize(record);
}

/** Read-ahead looks at i_size, one word: beyond 2 GiB it stops, and a read brings what it asks for. */
export const noteInodeSize = (record: Ptr<FileRecord>): void =>
  poke(Inode.size(peek(FileRecord.inode(record)) as Ptr<Inode>), Math.min(sizeOf(record), 0x7fffffff));

/** Gives a file another size in the cache. */
export function setFileSize(record: Ptr<FileRecord>, size: number): void {
  setSize(record, size);
  noteInodeSize(record);
}

const pathView = (record: Ptr<FileRecord>): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset + FileRecord.path(record, 0) * 4, PATH_WORDS * 4);

/** A longer path is not kept: then only threads that have the file open can write its pages. */
function storePath(record: Ptr<FileRecord>, path: string): void {
  const bytes = new TextEncoder().encode(path);
  const fits = bytes.length <= PATH_WORDS * 4;
  if (fits) pathView(record).set(bytes);
  poke(FileRecord.pathBytes(record), fits ? bytes.length : 0);
}

/** The path by which a file was opened first, or undefined. */
export function pathOf(record: Ptr<FileRecord>): string | undefined {
  const bytes = peek(FileRecord.pathBytes(record));
  // TextDecoder takes no shared memory.
  return bytes === 0 ? undefined : new TextDecoder().decode(pathView(record).slice(0, bytes));
}

/** Makes the record of a file that nobody has open free; its pages are gone. *Context*: inside kernel code. *Returns* false when somebody opened it. */
export function freeRecord(number: number): boolean {
  const inode = withFiles((): Ptr<Inode> | Null => {
    const record = recordAt(number);
    const found = peek(FileRecord.inode(record));
    if (found === NULL || peek(FileRecord.opens(record)) > 0 || peek(AddressSpace.nrpages(Inode.data(found))) > 0)
      return NULL;
    poke(FileRecord.inode(record), NULL);
    return found;
  });
  if (inode === NULL) return false;
  poke(Inode.nlink(inode), 0);
  inodePut(inode);
  return true;
}

/** Entries of the open table that this thread has free. */
let freeOpens: number[] = [];

export function initOpens(): void {
  const entries = peek(maxFiles);
  freeOpens = Array.from({ length: entries }, (_, i) => entries - 1 - i);
}

/** A struct file of this thread, in its table. */
export interface OpenEntry {
  readonly file: Ptr<File>;
  readonly entry: number;
}

/** Makes the struct file of a record that was counted as open. *Context*: inside kernel code. */
export function openFile(number: number, write: boolean): OpenEntry {
  const inode = peek(FileRecord.inode(recordAt(number))) as Ptr<Inode>;
  const entry = freeOpens.pop();
  const file = entry === undefined ? NULL : fileOpen(inode, FMODE_READ | (write ? FMODE_WRITE : 0));
  if (entry === undefined || file === NULL) {
    closeRecord(recordAt(number));
    throw new FileCacheError('ERR_FILE_CACHE_TOO_MANY_FILES', 'this thread has too many files open');
  }
  poke(entryOf(peek(openTable), peek(maxFiles), thisCpu.id, entry), file);
  return { file, entry };
}

/** Undoes {@link openFile} and the count of {@link openRecord}. *Context*: inside kernel code. */
export function closeFile(number: number, { file, entry }: OpenEntry): void {
  poke(entryOf(peek(openTable), peek(maxFiles), thisCpu.id, entry), NULL);
  freeOpens.push(entry);
  filePut(file);
  closeRecord(recordAt(number));
}

/** One open file less. */
function closeRecord(record: Ptr<FileRecord>): void {
  withFiles(() => poke(FileRecord.opens(record), peek(FileRecord.opens(record)) - 1));
}

/** How many open files a file has, in all threads. */
export const opensOf = (record: Ptr<FileRecord>): number => peek(FileRecord.opens(record));
