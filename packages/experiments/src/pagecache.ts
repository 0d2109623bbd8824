// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op } from '@lockless/cpu';
import { lockPage, putPage, unlockPage } from '@lockless/page';
import {
  clearPageDirtyForIo,
  findGetPage,
  findGetPages,
  type Generation,
  setPageDirty,
  testClearPageWriteback,
  testSetPageWriteback,
} from '@lockless/pagecache';
import { Random } from '@lockless/simulator';
import { CachedFile } from './cached-file.js';
import type { Experiment, Setting } from './experiment.js';
import { measureFaults } from './faults.js';
import { measurePins, PINNING } from './pins.js';
import { type Extent, type Throughput, throughput, type Work } from './throughput.js';

const GENERATIONS: readonly Generation[] = ['tree-lock', 'nonewrefs', 'freeze-refs'];
const CPUS: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** Pages of the file for each CPU: the slots of one node of the tree. */
const OWN_PAGES = 64;
/** What it takes to copy a page's data: 4 KiB at the rate of one thread of the published measurement of buffered writes, 790 MB/s. */
const COPY_NS = 5200;
/**
 * What a data base does for each page that it reads: chosen so that on 8 CPUs with the caches `xeon` down_read() and up_read() take as much of the time
 * as they did on the 8 of the published measurement.
 */
const TRANSACTION_NS = 5500;
const LOOKUPS: Extent = { warmUp: 80, counted: 100 };
const WRITES: Extent = { warmUp: 12, counted: 24 };
/** As many clients as the machine of the published measurement of gang lookups had. */
const GANG_CPUS = 4;

const cachedFile = (generation: string, cpus: number, setting: Setting, pages: number = cpus * OWN_PAGES): CachedFile =>
  new CachedFile({ ...setting, generation: generation as Generation, cpus, pages });

/** A stream of random numbers for each CPU. */
const randomOf = ({ seed }: Setting, cpu: number): Random => new Random(seed, 16 + cpu);

/** find_get_page() and page_cache_release() of the page that `index` names. */
function lookups({ mapping }: CachedFile, index: () => number): Work {
  return function* () {
    const page = yield* findGetPage(mapping, index());
    if (page === NULL) throw new Error('a page left the cache');
    yield* putPage(page);
    return 1;
  };
}

const rates = (what: string, { perMicrosecond, stalled, stalledOnLock }: Throughput): Record<string, number> => ({
  [`${what}/µs`]: perMicrosecond,
  'share of time waiting for cache lines': stalled,
  'share of time waiting for the line of tree_lock': stalledOnLock,
});

/** Which page of the file a CPU looks up next. */
type Pattern = (cached: CachedFile, random: Random, cpu: number) => () => number;

function lookupExperiment(name: string, title: string, pattern: Pattern): Experiment {
  return {
    name,
    title,
    axis: 'CPUs',
    designs: GENERATIONS,
    at: CPUS,
    measure: (generation, cpus, setting) => {
      const cached = cachedFile(generation, cpus, setting);
      const measured = throughput(cached, cpus, LOOKUPS, (cpu) =>
        lookups(cached, pattern(cached, randomOf(setting, cpu), cpu)),
      );
      return rates('lookups', measured);
    },
  };
}

/** Pages of its own, one after the other from a random one on. */
const ownPages: Pattern = (_cached, random, cpu) => {
  let at = random.below(OWN_PAGES);
  return () => cpu * OWN_PAGES + (at = (at + 1) % OWN_PAGES);
};

/** find_get_pages(): `batch` pages at a time; one by one with find_get_page(), as the callers of the time did, when that is 1. */
function gang(cached: CachedFile, batch: number, cpu: number): Work {
  let at = 0;
  const next = (): number => cpu * OWN_PAGES + (at = (at + batch) % OWN_PAGES);
  if (batch === 1) return lookups(cached, next);
  return function* () {
    const pages = yield* findGetPages(cached.mapping, next(), batch);
    for (const page of pages) yield* putPage(page);
    return pages.length;
  };
}

/** Data is copied to a page, which becomes dirty, is written and is clean again: what buffered writing takes tree_lock for, three times. */
function writePage({ machine, mapping }: CachedFile, index: () => number): Work {
  return function* (): Op<number> {
    machine.compute(COPY_NS);
    const page = yield* findGetPage(mapping, index());
    if (page === NULL) throw new Error('a page left the cache');
    yield* lockPage(page);
    yield* setPageDirty(page);
    yield* clearPageDirtyForIo(page);
    yield* testSetPageWriteback(page);
    yield* testClearPageWriteback(page);
    yield* unlockPage(page);
    yield* putPage(page);
    return 1;
  };
}

/** The published measurements of the lockless page cache, and what explains them. */
export const pagecacheExperiments: readonly Experiment[] = [
  lookupExperiment('lookups', 'each CPU looks up pages of its own part of one cached file', ownPages),
  lookupExperiment(
    'shared-pages',
    'all CPUs look up pages anywhere in the file',
    (cached, random) => () => random.below(cached.pages),
  ),
  lookupExperiment('hot-page', 'all CPUs look up one page', () => () => 0),
  {
    name: 'faults',
    title: 'processes read-fault a cached file together, each its part; the whole is always the same',
    axis: 'processes, each on a CPU of its own',
    designs: GENERATIONS,
    at: CPUS,
    measure: (generation, cpus, setting) => measureFaults(generation, cpus, setting),
  },
  {
    name: 'gang',
    title: `${GANG_CPUS} CPUs look up consecutive pages, several at a time`,
    axis: 'pages in one lookup',
    designs: GENERATIONS,
    at: [1, 2, 4, 8, 16],
    measure: (generation, batch, setting) => {
      const cached = cachedFile(generation, GANG_CPUS, setting);
      return rates(
        'pages',
        throughput(cached, GANG_CPUS, LOOKUPS, (cpu) => gang(cached, batch, cpu)),
      );
    },
  },
  {
    name: 'writers',
    title: 'each CPU makes pages of its own part dirty and clean again',
    axis: 'CPUs',
    designs: GENERATIONS,
    at: CPUS,
    measure: (generation, cpus, setting) => {
      const cached = cachedFile(generation, cpus, setting);
      const workOf = (cpu: number): Work => writePage(cached, ownPages(cached, randomOf(setting, cpu), cpu));
      return rates('pages', throughput(cached, cpus, WRITES, workOf));
    },
  },
  {
    name: 'one-writer',
    title: 'CPU 0 makes pages dirty and clean, all others look up pages of their own',
    axis: 'CPUs',
    designs: GENERATIONS,
    at: CPUS.slice(1),
    measure: (generation, cpus, setting) => {
      const cached = cachedFile(generation, cpus, setting);
      const workOf = (cpu: number): Work =>
        (cpu === 0 ? writePage : lookups)(cached, ownPages(cached, randomOf(setting, cpu), cpu));
      const measured = throughput(cached, cpus, LOOKUPS, workOf, (cpu) => cpu !== 0);
      return { ...rates('lookups', measured), 'pages written/µs': measured.othersPerMicrosecond };
    },
  },
  {
    name: 'pins',
    title: 'threads of one process pin pages of their own, and do nothing else',
    axis: 'CPUs',
    designs: PINNING,
    at: CPUS,
    measure: (design, cpus, setting) => measurePins(design, cpus, setting, 0),
  },
  {
    name: 'direct-io',
    title: `the same by direct I/O, with ${TRANSACTION_NS / 1000} µs of other work for each request`,
    axis: 'CPUs',
    designs: PINNING,
    at: CPUS,
    measure: (design, cpus, setting) => measurePins(design, cpus, setting, TRANSACTION_NS),
  },
];
