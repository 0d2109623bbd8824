// SPDX-License-Identifier: GPL-2.0-only
import {
  type Embed,
  type KmemCache,
  type Null,
  type Ptr,
  peek,
  type Ref,
  SeqLock,
  type SpinLock,
  type StaticData,
  type StructOf,
  staticData,
  struct,
  type Vec,
  WideValue,
} from '@lockless/cpu/native';
import type { File, Inode, Page } from '@lockless/mm-types/native';

/*
 * What the threads of a cache share besides the kernel's own structures: the table of files, and for each thread what it holds across its waits,
 * so that whoever finds the thread dead can give it back.
 */

const segment: StaticData = staticData(24, '@lockless/file-cache');
export const functionPointer: StaticData['functionPointer'] = segment.functionPointer;
const { defineWord, definePerCpuWord } = segment;

/** Words for the path of a file, in UTF-8: PATH_MAX of 4096 bytes would be rarely used. */
export const PATH_WORDS = 256;

/** A file that the cache knows, of all threads: found by what the storage says it is, whatever its path. */
export interface FileRecord {
  deviceLow: number;
  deviceHigh: number;
  numberLow: number;
  numberHigh: number;
  /** NULL: the record is free. */
  inode: Ptr<Inode> | Null;
  /** Open files of all threads. Under filesLock. */
  opens: number;
  /** Protects the two sizes. */
  sizes: Embed<SeqLock>;
  /** Bytes that the file has for readers of the cache: more than a word holds. */
  size: Embed<WideValue>;
  /** Bytes that it has in the storage, as far as is known. */
  stored: Embed<WideValue>;
  /** 0, or who truncates the file (CPU + 1), or OWNER_GONE: see exclusion.ts. */
  truncating: number;
  /** What the storage said last: another version means that somebody else wrote. */
  versionLow: number;
  versionHigh: number;
  pathBytes: number;
  path: Vec<number>;
}
export const FileRecord: StructOf<FileRecord> = struct<FileRecord>(
  'file_record',
  {
    deviceLow: 1,
    deviceHigh: 1,
    numberLow: 1,
    numberHigh: 1,
    inode: 1,
    opens: 1,
    sizes: SeqLock,
    size: WideValue,
    stored: WideValue,
    truncating: 1,
    versionLow: 1,
    versionHigh: 1,
    pathBytes: 1,
    path: PATH_WORDS,
  },
  16,
);

export const fileRecordCachep: KmemCache<FileRecord> = segment.kmemCacheCreate(FileRecord);

/** Protects the table of files: its keys, inode pointers and counts of opens. */
export const filesLock: Ref<SpinLock> = defineWord<SpinLock>('file_cache_files_lock');

/* Written when the cache is made, constant after it. */
/** Address of a table of pointers: the records are objects, so that the machine can name their locks. */
export const fileRecords: Ref<number> = defineWord('file_cache_files');
/** Threads that there is room for. */
export const maxThreads: Ref<number> = defineWord('file_cache_max_threads');
export const maxFiles: Ref<number> = defineWord('file_cache_max_files');
/** Pages that threads hold references to across their waits: `maxPins` for each thread. */
export const pinTable: Ref<Ref<Ptr<Page> | Null>> = defineWord('file_cache_pins');
export const maxPins: Ref<number> = defineWord('file_cache_max_pins');
/** Files that threads have open: `maxFiles` for each thread. */
export const openTable: Ref<Ref<Ptr<File> | Null>> = defineWord('file_cache_opens');
/** How many writes to each file a thread is at: `maxFiles` words for each thread. */
export const shareTable: Ref<Ref<number>> = defineWord('file_cache_shares');

/** Not 0: a thread brought a machine that others may use too, so trees may be others'. */
export const machineIsShared: Ref<number> = defineWord('file_cache_machine_is_shared');

/** 0, or who stops all threads to repair what a dead one left, plus one. */
export const stopWord: Ref<number> = defineWord('file_cache_stop');
/** Not 0 while a thread is inside kernel code: what it holds may be recorded nowhere. */
export const inKernel: (cpu: number) => Ref<number> = definePerCpuWord('file_cache_in_kernel');

/* Counted by each thread for itself. */
export const peekHits: (cpu: number) => Ref<number> = definePerCpuWord('file_cache_peek_hits');
export const peekRetries: (cpu: number) => Ref<number> = definePerCpuWord('file_cache_peek_retries');
/** Not 0: a thread died, and what it left is not swept up yet. */
export const sweepWanted: Ref<number> = defineWord('file_cache_sweep_wanted');
export const repairs: Ref<number> = defineWord('file_cache_repairs');

/** A record by its number, from 0. */
export const recordAt = (number: number): Ptr<FileRecord> => peek((peek(fileRecords) + number) as Ref<Ptr<FileRecord>>);
/** A thread's entry in a table that has `entries` of them for each thread. */
export const entryOf = <V extends number>(table: Ref<V>, entries: number, cpu: number, entry: number): Ref<V> =>
  (table + cpu * entries + entry) as Ref<V>;
