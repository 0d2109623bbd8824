// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, Op, Ptr, SpinLock, StructOf, Vec } from '@lockless/cpu';
import {
  CACHE_LINE_WORDS,
  definePerCpu,
  defineStatic,
  ListHead,
  listAdd,
  listDelEntry,
  peek,
  poke,
  struct,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { compoundOrder, compoundPagesInUse } from './compound-page.js';
import { nonAtomicClearPageActive, pageActive, pageIsFileCache } from './page-flags.js';
import type { ZoneStatItem } from './vmstat.js';
import { modZonePageState, NR_LRU_BASE } from './vmstat.js';

/*
 * include/linux/mmzone.h, 2.6.27, for a machine with one node and one zone. The lists of anonymous and of file pages are apart, as since
 * 2.6.28 (4f98a2fee8): a machine without swap would otherwise scan anonymous pages in vain.
 */

/** Free blocks have 1, 2, 4 ... 1024 pages. */
export const MAX_ORDER = 11;

export const LRU_INACTIVE_ANON = 0;
export const LRU_ACTIVE_ANON = 1;
export const LRU_INACTIVE_FILE = 2;
export const LRU_ACTIVE_FILE = 3;
export const NR_LRU_LISTS = 4;
export const LRU_ACTIVE = 1;
export const LRU_FILE = 2;

/** struct free_area: the free blocks of one order. */
export interface FreeArea {
  freeList: Embed<ListHead>;
  nrFree: number;
}
export const FreeArea: StructOf<FreeArea> = struct<FreeArea>('free_area', { freeList: ListHead, nrFree: 1 });

/** struct zone. What different locks protect lies on different cache lines. */
export interface Zone {
  /** Watermarks in pages; constant after boot. */
  pagesMin: number;
  pagesLow: number;
  pagesHigh: number;
  /** Pages that the allocator manages; constant after boot. */
  presentPages: number;
  /** Frames, managed or not. */
  spannedPages: number;
  memMap: Ptr<Page>;
  /** Pages per CPU list at most, and moved at once; constant after boot. */
  pcpHigh: number;
  pcpBatch: number;
  onlineCpus: number;
  pad0: Vec<number>;
  /** Protects freeArea and the pages in it; interrupts off. */
  lock: SpinLock;
  freeArea: Vec<number>;
  pad1: Vec<number>;
  /** Protects the LRU lists, PG_lru and PG_active of the pages on them; interrupts off. */
  lruLock: SpinLock;
  lru: Vec<number>;
  /** Scanning that was due and was too little to do yet, by list. */
  nrScan: Vec<number>;
  /** struct zone_reclaim_stat: pages scanned lately, and those of them that were in use; anonymous, file. */
  recentScanned: Vec<number>;
  recentRotated: Vec<number>;
  /** Scanned since a page was last freed: how hopeless it is. */
  pagesScanned: number;
  /** Priority that the last reclaim ended with: how hard it was. */
  prevPriority: number;
}
export const Zone: StructOf<Zone> = struct<Zone>(
  'zone',
  {
    pagesMin: 1,
    pagesLow: 1,
    pagesHigh: 1,
    presentPages: 1,
    spannedPages: 1,
    memMap: 1,
    pcpHigh: 1,
    pcpBatch: 1,
    onlineCpus: 1,
    pad0: CACHE_LINE_WORDS - 9,
    lock: 1,
    freeArea: MAX_ORDER * FreeArea.$size,
    pad1: CACHE_LINE_WORDS - ((1 + MAX_ORDER * FreeArea.$size) % CACHE_LINE_WORDS),
    lruLock: 1,
    lru: NR_LRU_LISTS * ListHead.$size,
    nrScan: NR_LRU_LISTS,
    recentScanned: 2,
    recentRotated: 2,
    pagesScanned: 1,
    prevPriority: 1,
  },
  CACHE_LINE_WORDS,
);

/** The one zone. */
export const zone: Ptr<Zone> = defineStatic(Zone, 'zone');

/** &zone->free_area[order]. */
export const freeArea = (order: number): Ptr<FreeArea> =>
  Zone.freeArea(zone, order * FreeArea.$size) as number as Ptr<FreeArea>;

/** &zone->lru[lru].list. */
export const lruList = (lru: number): Ptr<ListHead> => Zone.lru(zone, lru * ListHead.$size) as number as Ptr<ListHead>;

/** The counter of an LRU list's length. */
export const lruStat = (lru: number): ZoneStatItem => (NR_LRU_BASE + lru) as ZoneStatItem;

/** struct per_cpu_pages: free pages that one CPU keeps for itself; touched by that CPU alone, interrupts off. */
export interface PerCpuPages {
  count: number;
  list: Embed<ListHead>;
}
export const PerCpuPages: StructOf<PerCpuPages> = struct<PerCpuPages>('per_cpu_pages', { count: 1, list: ListHead });
export const perCpuPages: (cpu: number) => Ptr<PerCpuPages> = definePerCpu(PerCpuPages, 'zone_pcp');

/** pfn_to_page(). mem_map never moves after boot, so this is no access. */
export const pfnToPage = (pfn: number): Ptr<Page> => (peek(Zone.memMap(zone)) + pfn * Page.$size) as Ptr<Page>;
/** page_to_pfn(). */
export const pageToPfn = (page: Ptr<Page>): number => (page - peek(Zone.memMap(zone))) / Page.$size;
/** pfn_valid(). */
export const pfnValid = (pfn: number): boolean => pfn >= 0 && pfn < peek(Zone.spannedPages(zone));
/** Number of page frames. */
export const memMapPages = (): number => peek(Zone.spannedPages(zone));

/**
 * ZERO_PAGE: frame 0, always zero, mapped read-only wherever memory is read that was never written. Reserved: its references are
 * counted, but it is never freed.
 */
export const zeroPage = (): Ptr<Page> => pfnToPage(0);

/** The head of the list an entry would be alone on. Boot. */
export function pokeListHead(list: Ptr<ListHead>): void {
  poke(ListHead.next(list), list);
  poke(ListHead.prev(list), list);
}

/** page_lru(): which list a page with these flags belongs to. *Source*: include/linux/mm_inline.h, 2.6.28. */
export function* lruOf(page: Ptr<Page>): Op<number> {
  const active = (yield* pageActive(page)) ? LRU_ACTIVE : 0;
  return active + ((yield* pageIsFileCache(page)) ? LRU_FILE : 0);
}

/** hpage_nr_pages(): pages that are counted with this one. *Context*: as {@link compoundOrder}. *Source*: include/linux/huge_mm.h, 2.6.38. */
export function* hpageNrPages(page: Ptr<Page>): Op<number> {
  return compoundPagesInUse() ? 1 << (yield* compoundOrder(page)) : 1;
}

/** add_page_to_lru_list(). *Context*: lru_lock. */
export function* addPageToLruList(page: Ptr<Page>, lru: number): Op<void> {
  yield* listAdd(Page.lru(page), lruList(lru));
  yield* modZonePageState(lruStat(lru), yield* hpageNrPages(page));
}

/** del_page_from_lru_list(). *Context*: lru_lock. */
export function* delPageFromLruList(page: Ptr<Page>, lru: number): Op<void> {
  yield* listDelEntry(Page.lru(page));
  yield* modZonePageState(lruStat(lru), -(yield* hpageNrPages(page)));
}

/** del_page_from_lru(): for a page at count 0, which forgets whether it was active. *Context*: lru_lock; PG_lru cleared already. */
export function* delPageFromLru(page: Ptr<Page>): Op<void> {
  const lru = yield* lruOf(page);
  if ((lru & LRU_ACTIVE) !== 0) yield* nonAtomicClearPageActive(page);
  yield* delPageFromLruList(page, lru);
}
