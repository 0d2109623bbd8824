// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr } from '@lockless/cpu';
import { adoptMm, execMm, PROT_READ, type Segment, userAccess } from '@lockless/mm';
import type { MmStruct, Page } from '@lockless/mm-types';
import { lockPage, putPage, unlockPage } from '@lockless/page';
import { findGetPage } from '@lockless/pagecache';
import { pageReferenced, SWAP_SUCCESS, tryToUnmap } from '@lockless/rmap';
import { Random } from '@lockless/simulator';
import type { Experiment, Setting } from './experiment.js';
import { type Cost, exit, Family, fork, NOTHING, plus, RMAP_DESIGNS, TEXT, touch } from './family.js';
import { throughput } from './throughput.js';

/** Makes one task do it, on a machine of one CPU. */
function onOneCpu<T>(family: Family, body: () => Op<T>): T {
  let result: { value: T } | null = null;
  family.run(1, function* () {
    result = { value: yield* body() };
  });
  return (result as unknown as { value: T }).value;
}

const per = (what: string, pages: number, { ns, accesses }: Cost): Record<string, number> => ({
  [`${what}: ns/page`]: ns / pages,
  [`${what}: accesses/page`]: accesses / pages,
});

/** Half of the pages are data that the parent has written, half are pages of a file. */
function forkExecExit(design: string, pages: number, setting: Setting): Record<string, number> {
  const half = pages / 2;
  const family = new Family(design, { ...setting, cpus: 1, pages: half, spare: 4096 });
  return onOneCpu(family, function* () {
    const segments = yield* family.segments(half, half);
    const parent = yield* family.program(segments);
    yield* adoptMm(parent);
    yield* touch(half, half);
    // Slabs and page-table pages are there from then on.
    yield* exit(yield* fork(parent));
    let child = parent;
    const forking = yield* family.coldCost(
      (function* () {
        child = yield* fork(parent);
      })(),
    );
    const exiting = yield* family.coldCost(exit(child));
    yield* adoptMm(yield* fork(parent));
    const image = { segments, brk: 0x100, mmapBase: 0x70000, pid: 2 };
    const executing = yield* family.coldCost(
      (function* () {
        yield* execMm(image);
        yield* touch(half, half);
      })(),
    );
    return {
      ...per('fork', pages, forking),
      ...per('exit', pages, exiting),
      ...per('fork and exit', pages, plus(forking, exiting)),
      ...per('exec', pages, executing),
    };
  });
}

const SHARED_PAGES = 64;
const ROUNDS = 8;

/** So many processes map the same file pages. Again and again one of them exits and another one is forked. */
function sharing(design: string, processes: number, setting: Setting): Record<string, number> {
  const family = new Family(design, { ...setting, cpus: 1, pages: SHARED_PAGES, spare: 4096 });
  const random = new Random(setting.seed, 8);
  return onOneCpu(family, function* () {
    const parent = yield* family.program(yield* family.segments(1, SHARED_PAGES));
    yield* adoptMm(parent);
    yield* touch(0, SHARED_PAGES);
    const before = family.bytes();
    const children: Ptr<MmStruct>[] = [];
    for (let i = 0; i < processes; i++) children.push(yield* fork(parent));
    const bytes = (family.bytes() - before) / (processes * SHARED_PAGES);
    family.forget();
    let exits = NOTHING;
    for (let round = 0; round < ROUNDS; round++) {
      const [gone] = children.splice(random.below(children.length), 1);
      exits = plus(exits, yield* family.coldCost(exit(gone)));
      family.machine.coherence?.empty();
      children.push(yield* fork(parent));
    }
    const { adding, removing } = family;
    return {
      'bytes/mapping': bytes,
      'page_add_rmap: ns': adding.cost.ns / adding.calls,
      'page_remove_rmap: ns': removing.cost.ns / removing.calls,
      'page_add_rmap: accesses': adding.cost.accesses / adding.calls,
      'page_remove_rmap: accesses': removing.cost.accesses / removing.calls,
      'page_remove_rmap: share of exit': removing.cost.ns / exits.ns,
    };
  });
}

const RECLAIMED = 16;

/** What reclaim does to a page: looks whether it was used, and takes it out of all page tables. */
function* reclaim(family: Family): Op<Record<string, number>> {
  let looking = NOTHING;
  let unmapping = NOTHING;
  for (let index = 0; index < RECLAIMED; index++) {
    const page = yield* findGetPage(family.mapping, index);
    if (page === NULL) throw new Error('the page has left the cache');
    yield* lockPage(page);
    looking = plus(looking, yield* family.coldCost(pageReferenced(page, true)));
    unmapping = plus(unmapping, yield* family.coldCost(unmapAll(page)));
    yield* unlockPage(page);
    yield* putPage(page);
  }
  return { ...per('page_referenced', RECLAIMED, looking), ...per('try_to_unmap', RECLAIMED, unmapping) };
}

function* unmapAll(page: Ptr<Page>): Op<void> {
  if ((yield* tryToUnmap(page, false)) !== SWAP_SUCCESS) throw new Error('the page is still mapped');
}

function reclaimShared(design: string, processes: number, setting: Setting): Record<string, number> {
  const family = new Family(design, { ...setting, cpus: 1, pages: RECLAIMED, spare: 4096 });
  return onOneCpu(family, function* () {
    const parent = yield* family.program(yield* family.segments(1, RECLAIMED));
    yield* adoptMm(parent);
    yield* touch(0, RECLAIMED);
    for (let i = 1; i < processes; i++) yield* fork(parent);
    return yield* reclaim(family);
  });
}

/** One process maps the file many times over, and has each page in one of the areas, any of them. */
function reclaimManyAreas(design: string, areas: number, setting: Setting): Record<string, number> {
  const family = new Family(design, { ...setting, cpus: 1, pages: RECLAIMED, spare: 4096 });
  return onOneCpu(family, function* () {
    const file = yield* family.open();
    const segment = (i: number): Segment => {
      const start = TEXT + 2 * i * RECLAIMED;
      return { start, end: start + RECLAIMED, prot: PROT_READ, shared: true, file, pgoff: 0 };
    };
    yield* adoptMm(yield* family.program(Array.from({ length: areas }, (_, i) => segment(i))));
    const random = new Random(setting.seed, 8);
    for (let i = 0; i < RECLAIMED; i++) yield* userAccess(segment(random.below(areas)).start + i, 'read');
    return yield* reclaim(family);
  });
}

/** Pages of the common file, and of data for each. */
const SCRIPT_TEXT = 16;
const SCRIPT_DATA = 64;
/** 512 MiB: on a small machine a CPU's list of free pages is so short that the zone's lock is all that is measured. */
const SCRIPT_FRAMES = 131_072;

/** On each CPU a shell forks children who write some of their data and exit. All map the same file. */
function scripts(design: string, cpus: number, setting: Setting): Record<string, number> {
  const family = new Family(design, { ...setting, cpus, pages: SCRIPT_TEXT, spare: SCRIPT_FRAMES });
  const shells: Ptr<MmStruct>[] = [];
  for (let i = 0; i < cpus; i++)
    family.machine.boot(
      (function* () {
        const shell = yield* family.program(yield* family.segments(SCRIPT_DATA, SCRIPT_TEXT));
        yield* adoptMm(shell);
        yield* touch(SCRIPT_DATA, SCRIPT_TEXT);
        shells.push(shell);
      })(),
    );
  const measured = throughput(
    family,
    cpus,
    { warmUp: 2, counted: 5 },
    (cpu) =>
      function* () {
        const child = yield* fork(shells[cpu]);
        yield* adoptMm(child);
        yield* touch(SCRIPT_DATA / 4, SCRIPT_TEXT);
        yield* exit(child);
        return 1;
      },
  );
  return { 'scripts/ms': measured.perMicrosecond * 1000, 'share of time waiting for cache lines': measured.stalled };
}

const SHARERS: readonly number[] = [1, 2, 4, 8, 16, 32, 64];

/** The published measurements of object-based reverse mapping, and what explains them. */
export const rmapExperiments: readonly Experiment[] = [
  {
    name: 'fork-exec-exit',
    title: 'a process forks, the child exits, another one executes the program again',
    axis: 'mapped pages, half of them anonymous',
    designs: RMAP_DESIGNS,
    at: [64, 256, 1024],
    measure: forkExecExit,
  },
  {
    name: 'sharing',
    title: 'processes that map the same pages of a file come and go',
    axis: 'processes',
    designs: RMAP_DESIGNS,
    at: SHARERS,
    measure: sharing,
  },
  {
    name: 'reclaim-shared',
    title: 'reclaim unmaps pages of a file that several processes map',
    axis: 'processes',
    designs: RMAP_DESIGNS,
    at: SHARERS,
    measure: reclaimShared,
  },
  {
    name: 'reclaim-many-areas',
    title: 'reclaim unmaps pages of a file with many areas, only one of which has them',
    axis: 'areas',
    designs: RMAP_DESIGNS,
    at: [1, 4, 16, 64, 256],
    measure: reclaimManyAreas,
  },
  {
    name: 'scripts',
    title: 'each CPU forks short-lived processes from a shell of its own',
    axis: 'CPUs',
    designs: RMAP_DESIGNS,
    at: [1, 2, 4, 8, 16],
    measure: scripts,
  },
];
