// SPDX-License-Identifier: GPL-2.0-only
import type { Layout, Op, Ptr } from '@lockless/cpu';
import { localIrqRestore, localIrqSave, NR_CPUS, peek, poke, bootReserve as reserveFromHeap } from '@lockless/cpu';
import { PAGE_SIZE, Page, PG_RESERVED, PG_UPTODATE } from '@lockless/mm-types';
import {
  FreeArea,
  freeArea,
  lruList,
  MAX_ORDER,
  NR_LRU_LISTS,
  PerCpuPages,
  perCpuPages,
  pfnToPage,
  pokeListHead,
  Zone,
  zone,
} from './mmzone.js';
import { freeBlock } from './page-buddy.js';
import { initWaitTable } from './page-lock.js';
import { initZoneStat } from './vmstat.js';

export interface FreeAreaOptions {
  /** Page frames, 2 to 2^20 (4 GiB). Frame 0 is the zero page. */
  readonly pages: number;
  readonly nrCpus: number;
  /** Gives boot memory; the engine's heap by default. */
  readonly bootReserve?: (words: number, element: Layout) => number;
  /** /proc/sys/vm/min_free_kbytes: the minimum watermark. Default as the kernel computes it. */
  readonly minFreeKbytes?: number;
}

/** The hardest reclaim looks at an eighth of an eighth ... (2^-12) of the lists first. */
export const DEF_PRIORITY = 12;

const MAX_PAGES = 1 << 20;

/**
 * free_area_init(), and free_all_bootmem(): makes mem_map, the zone and its locks' tables, and gives all frames but the zero page to the
 * allocator. Boot, CPU 0, before another CPU runs. Throws RangeError for a memory it cannot manage.
 * *Source*: `free_area_init_node`, `free_all_bootmem`, mm/page_alloc.c, mm/bootmem.c, 2.6.27.
 */
export function* freeAreaInit(options: FreeAreaOptions): Op<void> {
  const { pages, nrCpus, bootReserve = reserveFromHeap } = options;
  if (!Number.isInteger(pages) || pages < 2 || pages > MAX_PAGES)
    throw new RangeError(`${pages} page frames: need 2 to ${MAX_PAGES}`);
  if (!Number.isInteger(nrCpus) || nrCpus < 1 || nrCpus > NR_CPUS)
    throw new RangeError(`${nrCpus} CPUs: need 1 to ${NR_CPUS}`);
  initZoneStat(pages, nrCpus);
  initWaitTable(pages, bootReserve);
  initZone(pages, nrCpus, options.minFreeKbytes ?? defaultMinFreeKbytes(pages));
  poke(Zone.memMap(zone), bootReserve(pages * Page.$size, Page) as Ptr<Page>);
  for (let pfn = 0; pfn < pages; pfn++) initPage(pfnToPage(pfn));
  const zero = pfnToPage(0);
  poke(Page.flags(zero), (1 << PG_RESERVED) | (1 << PG_UPTODATE));
  poke(Page._count(zero), 1);
  yield* freeAllFrames(1, pages);
}

/** init_per_zone_pages_min(): grows with the square root of the memory. *Source*: mm/page_alloc.c, 2.6.27. */
function defaultMinFreeKbytes(pages: number): number {
  const kbytes = pages * (PAGE_SIZE / 1024);
  return Math.min(65536, Math.max(128, Math.floor(Math.sqrt(kbytes * 16))));
}

/** zone_batchsize(): pages moved between a CPU's list and the buddy lists at once. */
function zoneBatchsize(pages: number): number {
  const quarter = Math.max(1, Math.min(128, pages >> 10) >> 2);
  return Math.max(1, (1 << (31 - Math.clz32(quarter + (quarter >> 1)))) - 1);
}

function initZone(pages: number, nrCpus: number, minFreeKbytes: number): void {
  const min = Math.floor(minFreeKbytes / (PAGE_SIZE / 1024));
  poke(Zone.pagesMin(zone), min);
  poke(Zone.pagesLow(zone), min + (min >> 2));
  poke(Zone.pagesHigh(zone), min + (min >> 1));
  poke(Zone.presentPages(zone), pages - 1);
  poke(Zone.spannedPages(zone), pages);
  poke(Zone.onlineCpus(zone), nrCpus);
  poke(Zone.prevPriority(zone), DEF_PRIORITY);
  const batch = zoneBatchsize(pages);
  poke(Zone.pcpBatch(zone), batch);
  poke(Zone.pcpHigh(zone), 6 * batch);
  for (let order = 0; order < MAX_ORDER; order++) pokeListHead(FreeArea.freeList(freeArea(order)));
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) pokeListHead(lruList(lru));
  for (let cpu = 0; cpu < NR_CPUS; cpu++) pokeListHead(PerCpuPages.list(perCpuPages(cpu)));
}

function initPage(page: Ptr<Page>): void {
  poke(Page._mapcount(page), -1);
  pokeListHead(Page.lru(page));
}

/** Frees frames in blocks as large as their alignment allows. */
function* freeAllFrames(first: number, end: number): Op<void> {
  let pfn = first;
  while (pfn < end) {
    let order = Math.min(MAX_ORDER - 1, pfn === 0 ? MAX_ORDER - 1 : 31 - Math.clz32(pfn & -pfn));
    while (pfn + (1 << order) > end) order--;
    const flags = localIrqSave();
    yield* freeBlock(pfnToPage(pfn), order);
    localIrqRestore(flags);
    pfn += 1 << order;
  }
}

/** Number of CPUs that boot was told of. */
export const onlineCpus = (): number => peek(Zone.onlineCpus(zone));
