// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { peek, smpMb } from '@lockless/cpu';
import { type AddressSpace, type Bio, DISK_DEVICE, Page } from '@lockless/mm-types';
import { drainCpuPagevecs, freeAreaInit, lockPage, memMapPages, pfnToPage, putPage, unlockPage } from '@lockless/page';
import { rcuCheckCallbacks, rcuInit, rcuNoteContextSwitch, rcuProcessCallbacks } from '@lockless/rcu';
import { Machine, type MachineOptions, type RunOutcome } from '@lockless/simulator';
import {
  attachBlockMap,
  BackingStore,
  bioEndIo,
  cachedPages,
  filemapWriteAndWait,
  findGetPages,
  type PagecacheOptions,
  pageCacheIsTidy,
  pagecacheInit,
  pagesKnowTheirPlace,
  pagesLeftBusy,
  vmscanInit,
} from '../src/index.js';

export interface SystemOptions extends MachineOptions, PagecacheOptions {
  /** Page frames. */
  readonly pages?: number;
}

/** A machine with a page cache, a disk and RCU. */
export interface System {
  readonly machine: Machine;
  readonly store: BackingStore;
  /** Mappings that the invariants look at. */
  readonly mappings: Ptr<AddressSpace>[];
}

/** Every frame is free, or in the cache with the cache's reference and no other: nothing leaked, nothing freed too early. */
function referencesAreConserved(mappings: readonly Ptr<AddressSpace>[]): string | null {
  const cached = new Map(mappings.flatMap((mapping) => cachedPages(mapping).map(({ page, index }) => [page, index])));
  for (let pfn = 1; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    const count = peek(Page._count(page));
    const expected = cached.has(page) ? 1 : 0;
    if (count !== expected) return `pfn ${pfn}: page_count is ${count}, holders ${expected}`;
  }
  return null;
}

export function bootSystem(options: SystemOptions): System {
  const { pages = 160 } = options;
  const machine = new Machine({
    ...options,
    hooks: {
      onContextSwitch: () => rcuNoteContextSwitch(),
      onTick: (_cpu, user) => rcuCheckCallbacks(user),
      onSoftirq: () => rcuProcessCallbacks(),
    },
  });
  const store = new BackingStore();
  const mappings: Ptr<AddressSpace>[] = [];
  attachBlockMap(store);
  machine.attachDevice(DISK_DEVICE, {
    name: 'disk',
    latency: (_request, random) => 2_000 + random.below(20_000),
    queueDepth: 4,
    service: (request, words, fails) => store.service(request as Ptr<Bio>, words, fails),
    interrupt: (request) => bioEndIo(request as Ptr<Bio>),
  });
  machine.boot(
    (function* (): Op<void> {
      yield* rcuInit(machine.config.cpus);
      yield* freeAreaInit({
        pages,
        nrCpus: machine.config.cpus,
        minFreeKbytes: 16,
        bootReserve: (words) => machine.heap.reserve(words),
      });
      yield* pagecacheInit(options);
      yield* vmscanInit();
    })(),
  );
  const atEnd = [pageCacheIsTidy, pagesLeftBusy, referencesAreConserved];
  for (const check of atEnd) machine.addInvariant({ name: check.name, check: () => check(mappings) });
  machine.addInvariant({
    name: 'a page in the cache knows its place',
    everyTicks: 1,
    check: () => pagesKnowTheirPlace(mappings),
  });
  return { machine, store, mappings };
}

/** What the last task of a run does: waits for the disk, then gives what the CPUs' pagevecs hold to the LRU lists. */
function* settle({ machine, mappings }: System): Op<void> {
  for (const mapping of mappings) {
    while ((yield* filemapWriteAndWait(mapping)) !== 0);
    for (const page of yield* findGetPages(mapping, 0, 10_000)) {
      // Read-ahead may still be under way: it holds the lock.
      yield* lockPage(page);
      yield* unlockPage(page);
      yield* putPage(page);
    }
  }
  for (let cpu = 0; cpu < machine.config.cpus; cpu++) yield* drainCpuPagevecs(cpu);
}

/** Runs the bodies as tasks to their end; the last one settles the system. */
export function runTasks(system: System, bodies: readonly (() => Op<void>)[], maxSteps = 3_000_000): RunOutcome {
  let running = bodies.length;
  bodies.forEach((body, i) => {
    system.machine.spawn(`worker ${i}`, function* () {
      yield* body();
      yield* smpMb();
      if (--running === 0) yield* settle(system);
    });
  });
  return system.machine.run({ maxSteps });
}
