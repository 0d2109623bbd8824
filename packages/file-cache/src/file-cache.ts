// SPDX-License-Identifier: GPL-2.0-only
import { GFP_NOIO } from '@lockless/cpu/native';
import { PAGE_SIZE } from '@lockless/mm-types/native';
import { canSleep, type NativeMachine, type ThreadStatus } from '@lockless/native';
import { drainLocalPages, lruAddDrain } from '@lockless/page/native';
import { tryToFreePages } from '@lockless/pagecache/native';
import { type Verification, verifyFrames } from './account.js';
import {
  type Booted,
  bootCache,
  type FileCacheOptions,
  type FileCacheThreadOptions,
  openCache,
  type SharedFileCache,
} from './boot.js';
import { CachedFile } from './cached-file.js';
import { Deaths } from './deaths.js';
import { addDisk } from './device.js';
import { FileCacheError } from './errors.js';
import { isHalfTruncated } from './exclusion.js';
import { adoptVersion, invalidatePages } from './external-changes.js';
import { freeRecord, initOpens, mappingOf, openFile, openRecord, opensOf, pathOf, usedRecords } from './file-table.js';
import { attachFrames } from './frames.js';
import { attachSections, insideOrLater } from './kernel-section.js';
import { type Memory, memoryOf, reclaimNodes } from './memory.js';
import { lostObjects } from './objects.js';
import { attachPeeks } from './peek.js';
import { initPins, pinsHeld } from './pins.js';
import { recordAt } from './shared-words.js';
import { type Statistics, statisticsOf } from './statistics.js';
import { stopThreads } from './stop-threads.js';
import { type OpenFlags, parseFlags, type Storage, type StorageFile, type StorageStat } from './storage.js';
import { StorageFiles } from './storage-files.js';
import { Runner } from './thread.js';
import { truncatePages, truncateSteps } from './truncate.js';
import { pause, type Steps } from './waiting.js';
import { hasDirt } from './writeback.js';

/**
 * A cache of file pages that all threads of a program share: one copy of memory, one budget, lookups without locks.
 *
 * ```ts
 * const cache = FileCache.create({ budget: 64 * 2 ** 20 });              // in one thread
 * new Worker(file, { workerData: cache.share() });                       // there: FileCache.attach(workerData)
 * const file = await cache.open('tiles.bin');
 * using page = await file.page(7);
 * ```
 * A thread takes part in one cache at a time.
 */
export class FileCache {
  private readonly machine: NativeMachine;
  private readonly frames: SharedArrayBuffer;
  private readonly ownMachine: boolean;
  private readonly storage: Storage;
  private readonly runner: Runner;
  private readonly files: StorageFiles;
  private readonly memory: Memory;
  private readonly deaths: Deaths;
  private closed = false;

  private constructor({ machine, frames, own }: Booted, options: FileCacheThreadOptions) {
    this.machine = machine;
    this.frames = frames;
    this.ownMachine = own;
    this.storage = options.storage ?? defaultStorage();
    this.files = new StorageFiles(this.storage);
    this.runner = new Runner(this.files, machine, (options.mayBlock ?? this.storage.mayBlock) && canSleep());
    this.memory = memoryOf(() => this.files.open());
    addDisk(machine, (bio) => this.runner.device.submit(bio));
    attachFrames(frames);
    attachSections(true);
    attachPeeks();
    initPins();
    initOpens();
    this.deaths = new Deaths(machine, async () => {
      if (!this.closed) await this.writeOrphans();
    });
  }

  /** Makes a cache; this thread takes part in it. Throws when the budget is too small, or this thread takes part in a cache already. */
  static create(options: FileCacheOptions): FileCache {
    const storage = options.storage ?? defaultStorage();
    return new FileCache(bootCache({ ...options, storage }), { ...options, storage });
  }

  /** Takes part in a cache that another thread made and shared. */
  static attach(shared: SharedFileCache, options: FileCacheThreadOptions = {}): FileCache {
    const storage = options.storage ?? defaultStorage();
    return new FileCache(openCache(shared, { ...options, storage }), { ...options, storage });
  }

  /** What other threads attach to. May be sent to any number of them. */
  share(): SharedFileCache {
    this.mustBeOpen();
    return { type: 'lockless-file-cache', machine: this.machine.share(), frames: this.frames };
  }

  /** Opens a file, with Node's flags; a file that is open for writing can be read, too. Rejects as the storage does. */
  async open(path: string, flags = 'r'): Promise<CachedFile> {
    this.mustBeOpen();
    const parsed = parseFlags(flags);
    const storage = await this.storage.open(path, parsed);
    try {
      const stat = await storage.stat();
      return await this.runner.run(this.openSteps(path, parsed, storage, stat));
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  /** {@link open}, blocking. */
  openSync(path: string, flags = 'r'): CachedFile {
    this.mustBeOpen();
    const parsed = parseFlags(flags);
    const storage = this.storage.openBlocking?.(path, parsed);
    if (storage?.blocking === undefined)
      throw new FileCacheError('ERR_FILE_CACHE_MAY_NOT_BLOCK', 'this storage has no blocking operations: use open()');
    const { blocking } = storage;
    try {
      return this.runner.runBlocking(this.openSteps(path, parsed, storage, blocking.stat()));
    } catch (error) {
      blocking.close();
      throw error;
    }
  }

  private *openSteps(path: string, flags: OpenFlags, storage: StorageFile, stat: StorageStat): Steps<CachedFile> {
    let opened = openRecord(stat, path);
    while ('evict' in opened) {
      // Somebody may open the file meanwhile, and write to it.
      yield* invalidatePages(mappingOf(recordAt(opened.evict)), 0);
      if (!freeRecord(opened.evict)) yield* pause(1);
      opened = openRecord(stat, path);
    }
    const { number, revalidate } = opened;
    const file: CachedFile = new CachedFile({
      path,
      flags,
      number,
      open: openFile(number, flags.write),
      storage,
      runner: this.runner,
      memory: this.memory,
      onClose: () => this.files.remove(file),
    });
    this.files.add(file);
    try {
      if (revalidate) yield* adoptVersion(file);
      if (flags.truncate) yield* truncateSteps(file, 0);
    } catch (error) {
      file.abandon();
      throw error;
    }
    return file;
  }

  /** As Node's `fs.read`, with a file of the cache in the place of the descriptor. */
  async read(
    file: CachedFile,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<number> {
    return (await file.read(buffer, offset, length, position)).bytesRead;
  }

  /** Frees frames: at least so many bytes if clean pages that nobody holds are to be had. *Returns* how many bytes were freed. Who needs a frame does this by itself. */
  reclaim(bytes: number): number {
    this.mustBeOpen();
    let freed = 0;
    insideOrLater(() => {
      while (freed < bytes) {
        const pages = tryToFreePages(0, GFP_NOIO);
        if (pages === 0) break;
        freed += pages * PAGE_SIZE;
      }
      reclaimNodes();
    });
    return freed;
  }

  /** Counters, by the names of /proc/vmstat, and ours. */
  statistics(): Statistics {
    this.mustBeOpen();
    return statisticsOf(this.frames.byteLength - PAGE_SIZE, this.machine.allThreads().length);
  }

  /** The threads that take part: their numbers, and the names that they were given. */
  threads(): readonly ThreadStatus[] {
    this.mustBeOpen();
    return this.machine.allThreads();
  }

  /** Views that this thread has not released, and pages that its operations hold at the moment. */
  get held(): number {
    return pinsHeld();
  }

  /** Counts every frame, list and reference, with all other threads stopped for as long: what the cache holds, and what is wrong with it. For tests. */
  async verify(): Promise<Verification> {
    this.mustBeOpen();
    return await stopThreads(
      () => this.machine.allThreads().map(({ cpu }) => cpu),
      () => verifyFrames(this.liveObjects(), lostObjects(this.machine)),
    );
  }

  private liveObjects(): Record<string, number> {
    const found = this.machine.cacheStatistics().filter(({ name }) => OBJECTS.includes(name));
    return Object.fromEntries(found.map(({ name, live }) => [name, live]));
  }

  /**
   * This thread takes part no longer. Its files are closed, which writes what only it had open and is dirty; rejects when that fails, or with views that are not released. The
   * cache goes on in other threads.
   */
  async close(): Promise<void> {
    if (this.closed) return;
    await this.deaths.settled();
    for (const file of [...this.files.open()]) await (file as CachedFile).close();
    await this.runner.device.idle();
    await this.files.closeAll();
    this.closed = true;
    insideOrLater(() => {
      lruAddDrain();
      drainLocalPages();
      reclaimNodes();
    });
    attachSections(false);
    if (this.ownMachine) this.machine.detach();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Says that a thread is dead that took part in the cache, by its number ({@link threads}, and errors, tell). Node's workers are watched by the thread that starts them, a
   * browser's by Web Locks; elsewhere nobody tells.
   */
  threadDied(cpu: number): void {
    this.mustBeOpen();
    this.machine.threadDied(cpu);
  }

  /** Resolves when what dead threads left is cleared away, as far as this thread knows of them. */
  async settled(): Promise<void> {
    await this.deaths.settled();
  }

  /**
   * Writes the dirty pages of files that nobody has open any more, because who had died, and finishes truncations, which closing does; drops the pages when the file cannot be had.
   */
  private async writeOrphans(): Promise<void> {
    for (const number of usedRecords()) {
      const record = recordAt(number);
      const path = pathOf(record);
      if (!isHalfTruncated(record) && (opensOf(record) > 0 || !hasDirt(mappingOf(record)))) continue;
      const file = path === undefined ? undefined : await this.open(path, 'r+').catch(() => undefined);
      if (file?.number !== number && opensOf(record) === 0) await this.runner.run(this.forget(number));
      await file?.close().catch(() => undefined);
    }
  }

  private *forget(number: number): Steps<void> {
    yield* truncatePages(mappingOf(recordAt(number)), 0);
    freeRecord(number);
  }

  private mustBeOpen(): void {
    if (this.closed) throw new FileCacheError('ERR_FILE_CACHE_CLOSED', 'this thread has closed the cache');
  }
}

/** Structs that files and pages come with; others are of the cache as a whole. */
const OBJECTS: readonly string[] = ['inode', 'file', 'bio', 'radix_tree_node'];

let storageByDefault: Storage | undefined;

/** What create() and attach() use that are given no storage. For entries of this package. */
export function setDefaultStorage(storage: Storage): void {
  storageByDefault = storage;
}

function defaultStorage(): Storage {
  if (storageByDefault === undefined)
    throw new FileCacheError(
      'EINVAL',
      'no storage: pass one to create() or attach(), as blobStorage() or opfsStorage() make',
    );
  return storageByDefault;
}
