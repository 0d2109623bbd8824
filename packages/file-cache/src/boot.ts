// SPDX-License-Identifier: GPL-2.0-only
import { bootReserve, GFP_KERNEL, kmemCacheAlloc, NULL, type Ptr, peek, poke, type Ref } from '@lockless/cpu/native';
import { PAGE_SIZE, Page, RadixTreeNode } from '@lockless/mm-types/native';
import { isShared, type MachineHandle, MIN_WORDS, NativeMachine, sharedMemory } from '@lockless/native';
import { freeAreaInit } from '@lockless/page/native';
import { pagecacheInit } from '@lockless/pagecache/native';
import { bootUrcu, rcuBooted } from '@lockless/rcu/native';
import { FileCacheError } from './errors.js';
import {
  FileRecord,
  fileRecordCachep,
  fileRecords,
  machineIsShared,
  maxFiles,
  maxPins,
  maxThreads,
  openTable,
  pinTable,
  shareTable,
} from './shared-words.js';
import type { Storage } from './storage.js';

/** What a thread is told when it takes part. */
export interface FileCacheThreadOptions {
  /** Where files are. Default in Node: its file system. */
  readonly storage?: Storage;
  /** Whether blocking operations (`readSync` and the like) may put this thread to sleep. Default: what the storage says, in Node yes in workers and no on the main thread. */
  readonly mayBlock?: boolean;
  /** For error messages. */
  readonly name?: string;
  /** A machine of `@lockless/native` that this thread takes part in already, with a SharedMap say: `mayBlock`, `name` and `threads` are its own then. */
  readonly machine?: NativeMachine;
}

export interface FileCacheOptions extends FileCacheThreadOptions {
  /** Bytes of file pages that the cache may hold: all of its memory but for about 4 % beside it. */
  readonly budget: number;
  /** Threads that may take part at a time. Default 16, at most 64. */
  readonly threads?: number;
  /**
   * How lookups are waited for: `mb`, the default, or `qsbr`, for threads that look up many pages at a time and then return to their event loop
   * (docs/native/rcu.md). Of a `machine` of the caller's it is its own.
   */
  readonly rcu?: 'mb' | 'qsbr';
  /** Files that may be open, or remembered, at a time; each open of a thread counts for that thread. Default 256. */
  readonly maxFiles?: number;
  /** Pages that a thread may hold in views at a time. Default 1024. */
  readonly maxViews?: number;
  /** Largest window of read-ahead in bytes; 0: none. Default 128 KiB. */
  readonly readAhead?: number;
  /** Bytes that may be dirty before a writer has to write some of them to the storage. Default: a quarter of the budget. */
  readonly maxDirty?: number;
}

/** What other threads attach to: send it by workerData or postMessage(). */
export interface SharedFileCache {
  readonly type: 'lockless-file-cache';
  readonly machine: MachineHandle;
  readonly frames: SharedArrayBuffer;
}

/** 256 KiB: below, lists of each CPU and watermarks would leave nothing to cache with. */
const MIN_BUDGET: number = 64 * PAGE_SIZE;
/** 1 GiB and a bit: what the words of a machine have struct pages and tree nodes for. */
const MAX_BUDGET: number = 2 ** 30;

/** Words beside the frames: a struct page each, and nodes of radix trees, few when files are cached in one piece, up to one for each page when they are not. */
const wordsFor = (frames: number, threads: number, files: number, views: number): number =>
  MIN_WORDS +
  Math.ceil(
    (frames * (Page.$size + NODE_WORDS) + threads * (2 * files + views) + files * FileRecord.$size + (1 << 17)) * 1.07,
  );
const NODE_WORDS: number = Math.ceil(RadixTreeNode.$size / 16) * 16;

/** A cache's memory, set up. */
export interface Booted {
  readonly machine: NativeMachine;
  readonly frames: SharedArrayBuffer;
  /** The machine was made, or attached to, for the cache. */
  readonly own: boolean;
}

function checkBudget(budget: number): number {
  if (!Number.isSafeInteger(budget) || budget < MIN_BUDGET || budget > MAX_BUDGET)
    throw new FileCacheError(
      'ERR_FILE_CACHE_BUDGET',
      `a budget of ${budget} bytes: it must be from ${MIN_BUDGET} (256 KiB) to ${MAX_BUDGET} (1 GiB)`,
    );
  return Math.floor(budget / PAGE_SIZE);
}

const table = <V>(word: Ref<V>, words: number): void => poke(word as Ref<number>, bootReserve(words));

/** The words that a cache needs of a machine: for who makes the machine himself. */
export const wordsOfCache = ({
  budget,
  threads = 16,
  maxFiles: files = 256,
  maxViews: views = 1024,
}: FileCacheOptions): number => wordsFor(checkBudget(budget) + 1, threads, files, views);

/** Makes the memory of a cache; this thread takes part in its machine. */
export function bootCache(options: FileCacheOptions): Booted {
  const pages = checkBudget(options.budget);
  const own = options.machine === undefined;
  const machine =
    options.machine ??
    NativeMachine.create({
      words: wordsOfCache(options),
      threads: options.threads ?? 16,
      rcu: options.rcu ?? 'mb',
      ...machineOptions(options),
    });
  try {
    if (peek(maxFiles) !== 0) throw new FileCacheError('EINVAL', 'this machine has a cache already');
    bootKernel(options, machine.threads, pages);
  } catch (error) {
    if (own) machine.detach();
    throw error;
  }
  if (!own) poke(machineIsShared, 1);
  return { machine, own, frames: sharedMemory((pages + 1) * PAGE_SIZE) };
}

function bootKernel(options: FileCacheOptions, threads: number, pages: number): void {
  const { maxFiles: files = 256, maxViews: views = 1024, readAhead = 131_072 } = options;
  if (!rcuBooted()) bootUrcu(threads);
  // Frame 0 is the zero page. The reserve is for who frees memory by allocating some: nobody here does.
  freeAreaInit({ pages: pages + 1, nrCpus: threads, minFreeKbytes: 16 });
  const maxDirty = Math.max(1, Math.floor((options.maxDirty ?? options.budget / 4) / PAGE_SIZE));
  pagecacheInit({
    readahead: { model: '2.6.27', raPages: Math.floor(readAhead / PAGE_SIZE) },
    writeback: { backgroundThresholdPages: maxDirty, dirtyThresholdPages: maxDirty },
  });
  poke(maxThreads, threads);
  poke(maxPins, views);
  table(fileRecords, files);
  for (let file = 0; file < files; file++) poke((peek(fileRecords) + file) as Ref<number>, newRecord());
  table(pinTable, threads * views);
  table(openTable, threads * files);
  table(shareTable, threads * files);
  poke(maxFiles, files);
}

function newRecord(): Ptr<FileRecord> {
  const record = kmemCacheAlloc(fileRecordCachep, GFP_KERNEL);
  if (record === NULL) throw new FileCacheError('ENOMEM', 'no memory for the table of files');
  return record;
}

const machineOptions = ({
  name,
  mayBlock,
  storage,
}: FileCacheThreadOptions): { name?: string; mayBlock?: boolean } => ({
  ...(name === undefined ? {} : { name }),
  mayBlock: mayBlock ?? storage?.mayBlock ?? false,
});

/** Takes part in a cache that another thread made. Throws when what it is given is none, or was copied on its way. */
export function openCache(shared: SharedFileCache, options: FileCacheThreadOptions): Booted {
  if (shared?.type !== 'lockless-file-cache')
    throw new FileCacheError(
      'ERR_FILE_CACHE_NOT_SHARED',
      'attach() expects what share() of a cache gave, sent by workerData or postMessage()',
    );
  const { frames, machine } = shared;
  if (!isShared(frames) || !isShared(machine?.buffer))
    throw new FileCacheError(
      'ERR_FILE_CACHE_NOT_SHARED',
      'the memory of the cache is not a SharedArrayBuffer: it was copied on its way (JSON, another process), or this page is not cross-origin isolated',
    );
  if (options.machine === undefined)
    return { machine: NativeMachine.attach(machine, machineOptions(options)), own: true, frames };
  poke(machineIsShared, 1);
  return { machine: options.machine, own: false, frames };
}
