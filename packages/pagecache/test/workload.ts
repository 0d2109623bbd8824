// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, KernelBug, mutexLock, mutexUnlock, NULL, readOnce, store, writeOnce } from '@lockless/cpu';
import { type AddressSpace, type File, FMODE_READ, FMODE_WRITE, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import {
  allocPage,
  lockPage,
  pageDirty,
  pageUptodate,
  pageWriteback,
  putPage,
  setPageUptodate,
  unlockPage,
} from '@lockless/page';
import { Random } from '@lockless/simulator';
import {
  addToPageCache,
  contentOf,
  filemapWriteAndWait,
  fileOpen,
  findGetPage,
  findGetPages,
  findGetPagesContig,
  findLockPage,
  freeBlocks,
  genericFileRead,
  genericFileWrite,
  inodeAlloc,
  invalidateMappingPages,
  iSizeWrite,
  removeMapping,
  setPageDirty,
  truncateInodePages,
} from '../src/index.js';
import { bootSystem, runTasks, type System, type SystemOptions } from './machine-system.js';

const INO = 3;
/** Few pages, so that tasks meet. */
const FEW = 6;

export interface WorkloadOptions extends SystemOptions {
  readonly tasks?: number;
  readonly rounds?: number;
  /** Truncation too; without it a page with a reference is in the cache, and versions never go back. */
  readonly truncation?: boolean;
  /** Pages of the file. */
  readonly filePages?: number;
  /** Nothing but lookup, removal, insertion and reuse. */
  readonly duel?: boolean;
}

/** A file, the tasks that use it, and what must be true of it. */
class Workload {
  readonly system: System;
  readonly truncation: boolean;
  readonly inode: Ptr<Inode>;
  readonly pages: number;
  /** Writes of each page that have happened, counted under the page lock. */
  readonly written: number[];

  constructor(system: System, options: WorkloadOptions) {
    this.system = system;
    this.truncation = options.truncation ?? false;
    this.pages = options.filePages ?? FEW;
    this.written = Array.from({ length: this.pages }, () => 0);
    this.inode = system.machine.boot(inodeAlloc(INO, this.pages * PAGE_SIZE)) as Ptr<Inode>;
    system.mappings.push(Inode.data(this.inode));
  }

  get mapping(): Ptr<AddressSpace> {
    return Inode.data(this.inode);
  }

  /** I1: a page that a lookup returned is, and stays, that page until it is put. */
  *checkIdentity(page: Ptr<Page>, index: number): Op<void> {
    const mapping = yield* readOnce(Page.mapping(page));
    if (mapping !== this.mapping && !(this.truncation && mapping === NULL))
      broken(`page ${index}: page->mapping is ${mapping}`);
    const now = yield* readOnce(Page.index(page));
    if (now !== index) broken(`page ${index}: page->index is ${now}`);
    if (!(yield* pageUptodate(page))) return;
    const identity = yield* readOnce(Page.contentIdentity(page));
    if (identity !== contentOf(INO, index)) broken(`page ${index} holds ${identity}, not its content`);
  }

  *lookup(index: number): Op<void> {
    const page = yield* findGetPage(this.mapping, index);
    if (page === NULL) return;
    yield* this.checkIdentity(page, index);
    yield* this.checkIdentity(page, index);
    yield* putPage(page);
  }

  *gangLookup(random: Random): Op<void> {
    const first = random.below(this.pages);
    const contig = random.below(2) === 0;
    const pages = yield* contig
      ? findGetPagesContig(this.mapping, first, this.pages)
      : findGetPages(this.mapping, first, this.pages);
    let previous = -1;
    for (const page of pages) {
      const index = yield* readOnce(Page.index(page));
      if (index <= previous || index < first) broken(`gang lookup from ${first}: ${index} after ${previous}`);
      previous = index;
      yield* this.checkIdentity(page, index);
      yield* putPage(page);
    }
  }

  *read(file: Ptr<File>, random: Random, seen: number[]): Op<void> {
    const first = random.below(this.pages);
    const workload = this;
    yield* genericFileRead(
      file,
      first * PAGE_SIZE,
      (1 + random.below(3)) * PAGE_SIZE,
      function* (page, _offset, count) {
        const index = yield* readOnce(Page.index(page));
        yield* workload.checkIdentity(page, index);
        const version = yield* readOnce(Page.contentVersion(page));
        if (!workload.truncation && version < seen[index])
          broken(`page ${index}: version ${version} after ${seen[index]}`);
        seen[index] = version;
        return count;
      },
    );
  }

  *write(file: Ptr<File>, random: Random): Op<void> {
    const first = random.below(this.pages);
    const whole = random.below(2) === 0;
    const { written } = this;
    const count = whole ? PAGE_SIZE : 100;
    yield* genericFileWrite(file, first * PAGE_SIZE, count, function* (page, _offset, n) {
      written[yield* readOnce(Page.index(page))]++;
      return n;
    });
  }

  /** What reclaim does to a clean page that nobody uses; sometimes what invalidation does. */
  *reclaim(index: number, random: Random): Op<void> {
    if (random.below(4) === 0) {
      yield* invalidateMappingPages(this.mapping, index, index + 1);
      return;
    }
    const page = yield* findGetPage(this.mapping, index);
    if (page === NULL) return;
    yield* lockPage(page);
    const idle = !(yield* pageDirty(page)) && !(yield* pageWriteback(page));
    if (idle && (yield* readOnce(Page.mapping(page))) === this.mapping) yield* removeMapping(this.mapping, page);
    yield* unlockPage(page);
    yield* putPage(page);
  }

  /** Somebody else uses frames, without a thought for the page cache. */
  *stranger(random: Random): Op<void> {
    const pages: Ptr<Page>[] = [];
    for (let i = random.below(6); i >= 0; i--) {
      const page = yield* allocPage(GFP_KERNEL);
      if (page === NULL) break;
      yield* writeOnce(Page.index(page), 0x5eed);
      yield* writeOnce(Page.contentIdentity(page), 0x5eed);
      pages.push(page);
    }
    for (const page of pages) {
      const index = yield* readOnce(Page.index(page));
      if (index !== 0x5eed) broken(`a frame in use elsewhere got index ${index}`);
      yield* putPage(page);
    }
  }

  *lockAndLook(random: Random): Op<void> {
    const index = random.below(this.pages);
    const page = yield* findLockPage(this.mapping, index);
    if (page === NULL) return;
    yield* this.checkIdentity(page, index);
    if ((yield* readOnce(Page.mapping(page))) !== this.mapping)
      broken(`page ${index} is locked and out of its mapping`);
    yield* unlockPage(page);
    yield* putPage(page);
  }

  /** What zap_pte_range does to a page that a process has written to: it holds a reference and no page lock. */
  *dirtyUnlocked(index: number): Op<void> {
    const page = yield* findGetPage(this.mapping, index);
    if (page === NULL) return;
    if (yield* pageUptodate(page)) yield* setPageDirty(page);
    yield* putPage(page);
  }

  *truncate(random: Random): Op<void> {
    const size = random.below(this.pages + 1) * PAGE_SIZE;
    yield* mutexLock(Inode.mutex(this.inode));
    yield* iSizeWrite(this.inode, size);
    yield* truncateInodePages(this.mapping, size);
    freeBlocks(INO, size / PAGE_SIZE);
    this.written.fill(0, size / PAGE_SIZE);
    yield* iSizeWrite(this.inode, this.pages * PAGE_SIZE);
    yield* mutexUnlock(Inode.mutex(this.inode));
  }

  /** Adds a page without the disk, and not to the LRU lists, whose pagevecs would hold it. */
  *add(index: number): Op<void> {
    const page = yield* allocPage(GFP_KERNEL);
    if (page === NULL) return;
    yield* store(Page.contentIdentity(page), contentOf(INO, index));
    yield* store(Page.contentVersion(page), 0);
    yield* setPageUptodate(page);
    if ((yield* addToPageCache(page, this.mapping, index, GFP_KERNEL)) === 0) yield* unlockPage(page);
    yield* putPage(page);
  }

  /** Lookups against removal of two pages and reuse of their frames, as densely as can be. */
  *duel(random: Random, rounds: number): Op<void> {
    for (let round = 0; round < rounds; round++) {
      const kind = random.below(10);
      const index = 1 + random.below(2);
      if (kind < 5) yield* this.lookup(index);
      else if (kind < 7) yield* this.reclaim(index, random);
      else if (kind < 9) yield* this.add(index);
      else yield* this.stranger(random);
    }
  }

  *task(random: Random, rounds: number): Op<void> {
    const file = yield* fileOpen(this.inode, FMODE_READ | FMODE_WRITE);
    if (file === NULL) return;
    const seen = Array.from({ length: this.pages }, () => 0);
    for (let round = 0; round < rounds; round++) {
      const kind = random.below(20);
      if (kind < 6) yield* this.lookup(random.below(this.pages));
      else if (kind < 7) yield* this.gangLookup(random);
      else if (kind < 10) yield* this.read(file, random, seen);
      else if (kind < 12) yield* this.write(file, random);
      else if (kind < 16) yield* this.reclaim(random.below(this.pages), random);
      else if (kind < 17) yield* this.stranger(random);
      else if (kind < 18) yield* this.lockAndLook(random);
      else if (kind < 19) yield* filemapWriteAndWait(this.mapping);
      else if (this.truncation) yield* this.truncate(random);
      if (kind === 0) yield* this.dirtyUnlocked(random.below(this.pages));
    }
  }

  /** I6: after the last sync the disk has every write. */
  writesLost(): string | null {
    const lost = this.written.findIndex((count, index) => this.system.store.versionOf(INO, index) !== count);
    return lost < 0
      ? null
      : `page ${lost}: ${this.written[lost]} writes, version ${this.system.store.versionOf(INO, lost)} on disk`;
  }
}

function broken(what: string): never {
  throw new KernelBug('broken-promise', what);
}

/** Runs the workload once. Returns null when nothing was wrong, else what was. */
export function runWorkload(options: WorkloadOptions): { wrong: string | null; system: System } {
  const system = bootSystem(options);
  const workload = new Workload(system, options);
  const { tasks = 4, rounds = 25, seed = 1 } = options;
  const bodies = Array.from({ length: tasks }, (_, i) => {
    const random = new Random(seed, 100 + i);
    return () => (options.duel ? workload.duel(random, rounds) : workload.task(random, rounds));
  });
  const outcome = runTasks(system, bodies);
  if (outcome.violation !== null) return { wrong: `${outcome.violation.kind}: ${outcome.violation.report()}`, system };
  if (outcome.status !== 'finished') return { wrong: outcome.status, system };
  // A failed write loses what was written, and says so to whoever syncs.
  return { wrong: options.inject?.eio ? null : workload.writesLost(), system };
}
