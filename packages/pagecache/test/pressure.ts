// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, KernelBug, mutexLock, mutexUnlock, NULL, peek, readOnce, smpMb, writeOnce } from '@lockless/cpu';
import {
  type AddressSpace,
  type Bio,
  DISK_DEVICE,
  type File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  Page,
} from '@lockless/mm-types';
import * as page from '@lockless/page';
import { rcuCheckCallbacks, rcuInit, rcuNoteContextSwitch, rcuProcessCallbacks } from '@lockless/rcu';
import { Machine, type MachineOptions, Random, type RunOutcome } from '@lockless/simulator';
import type * as PagecachePackage from '../src/index.js';

/** The package under test, or a mutant of it. */
export type PagecacheApi = typeof PagecachePackage;

export interface PressureOptions extends MachineOptions {
  readonly pages?: number;
  readonly rounds?: number;
  /** Pages of each of the two files. */
  readonly filePages?: number;
  readonly truncation?: boolean;
  readonly options?: PagecachePackage.PagecacheOptions;
}

export interface PressureRun {
  /** What was wrong, or null. */
  readonly wrong: string | null;
  /** Empty when it did not come to the end. */
  readonly events: Partial<Record<page.VmEventName, number>>;
}

function broken(what: string): never {
  throw new KernelBug('broken-promise', what);
}

/** Two files that do not fit into memory together, tasks that use them, kswapd and pdflush. */
class Pressure {
  readonly api: PagecacheApi;
  readonly machine: Machine;
  readonly store: PagecachePackage.BackingStore;
  readonly filePages: number;
  readonly truncation: boolean;
  /** Things fail that usually do not: nobody is to blame for an error. */
  readonly faults: boolean;
  readonly inodes: Ptr<Inode>[] = [];
  events: Partial<Record<page.VmEventName, number>> = {};
  /** Writes of each page of each file, counted under the page lock; negative: truncated at times, so not compared. */
  readonly written: number[][];

  constructor(api: PagecacheApi, options: PressureOptions) {
    const { pages = 48 + 10 * (options.cpus ?? 2), filePages = pages, truncation = false } = options;
    this.api = api;
    this.filePages = filePages;
    this.truncation = truncation;
    this.faults = options.inject !== undefined;
    this.written = [1, 2].map(() => Array.from({ length: filePages }, () => 0));
    this.store = new api.BackingStore();
    api.attachBlockMap(this.store);
    this.machine = new Machine({
      ...options,
      hooks: {
        onContextSwitch: () => rcuNoteContextSwitch(),
        onTick: (_cpu, user) => rcuCheckCallbacks(user),
        onSoftirq: () => rcuProcessCallbacks(),
      },
    });
    this.machine.attachDevice(DISK_DEVICE, {
      name: 'disk',
      latency: (_request, random) => 2_000 + random.below(20_000),
      queueDepth: 4,
      service: (request, words, fails) => this.store.service(request as Ptr<Bio>, words, fails),
      interrupt: (request) => api.bioEndIo(request as Ptr<Bio>),
    });
    this.machine.boot(this.boot(pages, options.options ?? {}));
    const mappings = this.inodes.map((inode) => Inode.data(inode));
    const checks: [string, () => string | null][] = [
      ['page cache is tidy', () => api.pageCacheIsTidy(mappings)],
      ['no page is left busy', () => api.pagesLeftBusy(mappings)],
      ['references are conserved', () => this.referencesConserved(mappings)],
      ...[page.frameInvariant, page.lruInvariant, page.zoneCounterInvariant].map(
        (check) => [check.name, check] as [string, typeof check],
      ),
      ['no write is lost', () => this.lostWrite()],
      ['counters are read', () => this.readEvents()],
    ];
    for (const [name, check] of checks) this.machine.addInvariant({ name, check });
    this.machine.addInvariant({
      name: 'a cached page knows its place',
      everyTicks: 1,
      check: () => api.pagesKnowTheirPlace(mappings),
    });
  }

  *boot(pages: number, options: PagecachePackage.PagecacheOptions): Op<void> {
    const bootReserve = (words: number): number => this.machine.heap.reserve(words);
    yield* rcuInit(this.machine.config.cpus);
    yield* page.freeAreaInit({ pages, nrCpus: this.machine.config.cpus, minFreeKbytes: 32, bootReserve });
    yield* this.api.pagecacheInit({
      writeback: { backgroundThresholdPages: 16, dirtyThresholdPages: 1000 },
      ...options,
    });
    for (const ino of [1, 2]) {
      const inode = yield* this.api.inodeAlloc(ino, this.filePages * PAGE_SIZE);
      if (inode === NULL) broken('no inode');
      this.inodes.push(inode);
    }
  }

  *checkIdentity(found: Ptr<Page>, ino: number, index: number): Op<void> {
    const identity = yield* readOnce(Page.contentIdentity(found));
    if (identity !== this.api.contentOf(ino, index)) broken(`page ${index} of inode ${ino} holds ${identity}`);
  }

  *read(file: Ptr<File>, ino: number, first: number, count: number): Op<void> {
    const pressure = this;
    const done = yield* this.api.genericFileRead(
      file,
      first * PAGE_SIZE,
      count * PAGE_SIZE,
      function* (found, _offset, bytes) {
        yield* pressure.checkIdentity(found, ino, yield* readOnce(Page.index(found)));
        return bytes;
      },
    );
    if (done < 0 && !this.faults) broken(`read of inode ${ino} failed: ${done}`);
  }

  *write(file: Ptr<File>, ino: number, index: number, whole: boolean): Op<void> {
    const written = this.written[ino - 1]!;
    const bytes = whole ? PAGE_SIZE : 100;
    const done = yield* this.api.genericFileWrite(file, index * PAGE_SIZE, bytes, function* (_found, _offset, n) {
      written[index]!++;
      return n;
    });
    if (done !== bytes && !this.faults) broken(`write of inode ${ino} failed: ${done}`);
  }

  /** Dirties a page with nothing but a reference, as a process does through its page table. The last pages are its own. */
  *dirtyByReference(random: Random): Op<void> {
    const index = this.filePages - 1 - random.below(3);
    const found = yield* this.api.findGetPage(Inode.data(this.inodes[1]!), index);
    if (found === NULL) return;
    if ((yield* page.pageUptodate(found)) && (yield* readOnce(Page.mapping(found))) !== NULL) {
      yield* writeOnce(Page.contentVersion(found), (yield* readOnce(Page.contentVersion(found))) + 1);
      this.written[1]![index]!++;
      yield* this.api.setPageDirty(found);
    }
    yield* page.putPage(found);
  }

  *truncate(random: Random): Op<void> {
    const inode = this.inodes[0]!;
    const from = this.filePages - 1 - random.below(20);
    yield* mutexLock(Inode.mutex(inode));
    yield* this.api.iSizeWrite(inode, from * PAGE_SIZE);
    yield* this.api.truncateInodePages(Inode.data(inode), from * PAGE_SIZE);
    this.api.freeBlocks(1, from);
    this.written[0]!.fill(Number.NEGATIVE_INFINITY, from);
    yield* this.api.iSizeWrite(inode, this.filePages * PAGE_SIZE);
    yield* mutexUnlock(Inode.mutex(inode));
  }

  /** Somebody else's memory. */
  *stranger(random: Random): Op<void> {
    const held: Ptr<Page>[] = [];
    for (let i = random.below(8); i >= 0; i--) {
      const frame = yield* page.allocPage(GFP_KERNEL);
      if (frame === NULL && !this.faults) broken('out of memory although most of it is page cache');
      if (frame === NULL) break;
      yield* writeOnce(Page.index(frame), 0x5eed);
      held.push(frame);
    }
    for (const frame of held) {
      if ((yield* readOnce(Page.index(frame))) !== 0x5eed) broken('a frame in use elsewhere was changed');
      yield* page.putPage(frame);
    }
  }

  *task(random: Random, rounds: number, id: number): Op<void> {
    const files: Ptr<File>[] = [];
    for (const inode of this.inodes) {
      const file = yield* this.api.fileOpen(inode, FMODE_READ | FMODE_WRITE);
      if (file !== NULL) files.push(file);
    }
    const usable = files.length === this.inodes.length;
    for (let round = 0; usable && round < rounds; round++) {
      const ino = 1 + random.below(2);
      const file = files[ino - 1]!;
      const kind = random.below(12);
      const index = random.below(this.filePages - 4);
      if (kind < 4) yield* this.read(file, ino, index, 1 + random.below(4));
      else if (kind < 7) yield* this.write(file, ino, index, kind < 6);
      else if (kind < 9) yield* this.stranger(random);
      else if (kind < 10 && this.truncation) yield* this.truncate(random);
      else if (id === 0) {
        yield* this.read(files[1]!, 2, this.filePages - 4, 4);
        yield* this.dirtyByReference(random);
      } else yield* this.hot(files[0]!);
    }
    for (const file of files) yield* this.api.filePut(file);
  }

  /** The same few pages again and again. */
  *hot(file: Ptr<File>): Op<void> {
    for (let i = 0; i < 3; i++) yield* this.read(file, 1, 0, 2);
  }

  *settle(): Op<void> {
    yield* this.api.waitForKswapd();
    for (const inode of this.inodes) {
      yield* this.api.filemapWriteAndWait(Inode.data(inode));
      for (const found of yield* this.api.findGetPages(Inode.data(inode), 0, 10_000)) {
        yield* page.lockPage(found);
        yield* page.unlockPage(found);
        yield* page.putPage(found);
      }
    }
    for (let cpu = 0; cpu < this.machine.config.cpus; cpu++) yield* page.drainCpuPagevecs(cpu);
  }

  referencesConserved(mappings: readonly Ptr<AddressSpace>[]): string | null {
    const cached = new Set(mappings.flatMap((mapping) => this.api.cachedPages(mapping).map((item) => item.page)));
    for (let pfn = 1; pfn < page.memMapPages(); pfn++) {
      const frame = page.pfnToPage(pfn);
      const expected = cached.has(frame) ? 1 : 0;
      if (peek(Page._count(frame)) !== expected)
        return `pfn ${pfn}: page_count ${peek(Page._count(frame))}, holders ${expected}`;
    }
    return null;
  }

  /** Not a check: at the end the machine can be looked at. */
  readEvents(): null {
    this.events = page.vmEvents();
    return null;
  }

  lostWrite(): string | null {
    // A write that the disk refused is lost, and the file's owner was told.
    if (this.machine.config.inject.eio > 0) return null;
    for (const [i, pages] of this.written.entries()) {
      for (const [index, count] of pages.entries()) {
        const onDisk = this.store.versionOf(i + 1, index);
        if (count >= 0 && onDisk !== count)
          return `page ${index} of inode ${i + 1}: ${count} writes, version ${onDisk} on disk`;
      }
    }
    return null;
  }

  run(rounds: number): RunOutcome {
    const { cpus, seed } = this.machine.config;
    this.machine.spawn('kswapd', this.api.kswapd, { daemon: true });
    this.machine.spawn('pdflush', this.api.pdflush, { daemon: true });
    let running = cpus + 1;
    for (let id = 0; id <= cpus; id++) {
      this.machine.spawn(`task ${id}`, () =>
        this.last(this.task(new Random(seed, 100 + id), rounds, id), () => --running === 0),
      );
    }
    return this.machine.run({ maxSteps: 6_000_000 });
  }

  *last(task: Op<void>, isLast: () => boolean): Op<void> {
    yield* task;
    yield* smpMb();
    if (isLast()) yield* this.settle();
  }
}

/** Runs the workload once. */
export function runPressure(api: PagecacheApi, options: PressureOptions): PressureRun {
  const pressure = new Pressure(api, options);
  const { status, violation } = pressure.run(options.rounds ?? 50);
  const wrong =
    violation === null ? (status === 'finished' ? null : status) : `${violation.kind}: ${violation.report()}`;
  return { wrong, events: pressure.events };
}
