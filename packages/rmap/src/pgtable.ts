// SPDX-License-Identifier: GPL-2.0-only
import type { Access, KmemCache, Null, Op, Ptr, Ref, SpinLock, StructOf, Vec } from '@lockless/cpu';
import {
  bug,
  defineWord,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  peek,
  poke,
  rcuDereference,
  smpWmb,
  spinLock,
  spinUnlock,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';
import { pmdTransHuge } from './huge-pmd.js';
import type { Pte } from './pte.js';

/*
 * Four levels over 31-bit page numbers: 4 + 9 + 9 + 9 bits. An entry of the upper three is the word address of the table below it, or 0;
 * one of the lowest is a Pte. In the names of 2.6.27: pgd, pud, pmd, pte.
 */

/** Pages of a user address space: TASK_SIZE. */
export const TASK_SIZE: number = 2 ** 31;
export const PTRS_PER_TABLE = 512;
export const PTRS_PER_PGD = 16;
/** Page-number bits that one level decides; so below an entry of a pte table 0, of a pmd table 9, of a pud table 18, of the pgd 27. */
const TABLE_SHIFT = 9;
/** The top level's number; pte tables are level 0. */
export const PGD_LEVEL = 3;
/** Pages that one pte table covers. */
export const PMD_SIZE: number = 2 ** TABLE_SHIFT;

/**
 * Bits by which pte tables are smaller than the others, so that what an entry above them covers, a huge page, has any power of two up to 512 pages.
 * The top table is larger by as much. 0 unless boot wants small huge pages, for tests.
 */
const pteTableCut: Ref<number> = defineWord('pte_table_cut');
/** An entry above the pte tables covers 2^order pages. *Context*: boot, before the first address space. */
export const setPteTableOrder = (order: number): void => poke(pteTableCut, TABLE_SHIFT - order);
/** Entries of a pte table: pages of a huge page. Constant after boot. */
export const pteTableEntries = (): number => PTRS_PER_TABLE >> peek(pteTableCut);

/** A table of any level but the top: 512 words. */
export interface PageTable {
  entries: Vec<number>;
}
export const PageTable: StructOf<PageTable> = struct<PageTable>('page_table', { entries: PTRS_PER_TABLE });
/** The top table. */
export interface Pgd {
  entries: Vec<number>;
}
export const Pgd: StructOf<Pgd> = struct<Pgd>('pgd', { entries: PTRS_PER_PGD });
const WidePgd: StructOf<Pgd> = struct<Pgd>('pgd', { entries: PTRS_PER_PGD << TABLE_SHIFT });

/** A table of the lowest level in a machine whose reverse mapping knows entries by address: on a page of its own, with its place. */
export interface PtePage {
  entries: Vec<number>;
  /** page->mapping and page->index of the table's page: whose table it is, and the address that its first entry is for. */
  mm: Ptr<MmStruct>;
  address: number;
}
const PTE_PAGE_WORDS: number = 2 * PTRS_PER_TABLE;
const PtePage: StructOf<PtePage> = struct<PtePage>(
  'pte_page',
  { entries: PTRS_PER_TABLE, mm: 1, address: 1 },
  PTE_PAGE_WORDS,
);

export const pageTableCachep: KmemCache<PageTable> = kmemCacheCreate(PageTable);
export const ptePageCachep: KmemCache<PtePage> = kmemCacheCreate(PtePage, { align: PTE_PAGE_WORDS });
export const pgdCachep: KmemCache<Pgd> = kmemCacheCreate(Pgd);
const widePgdCachep: KmemCache<Pgd> = kmemCacheCreate(WidePgd);
const pgdCache = (): KmemCache<Pgd> => (peek(pteTableCut) === 0 ? pgdCachep : widePgdCachep);

const tablesKnowTheirPlace: Ref<number> = defineWord('pte_pages');
/** From now on tables of the lowest level are {@link PtePage}s. *Context*: boot. */
export const usePtePages = (): void => poke(tablesKnowTheirPlace, 1);
/** Whether they are; constant after boot. */
export const ptePagesInUse = (): boolean => peek(tablesKnowTheirPlace) !== 0;

const ptePageOf = (ptep: Ref<Pte>): Ptr<PtePage> => (ptep - (ptep % PTE_PAGE_WORDS)) as Ptr<PtePage>;

/**
 * ptep_to_mm(): whose entry it is.
 *
 * *Context*: {@link ptePagesInUse}; something keeps the table: the entry is in a page's chain, whose lock is held.
 * *Source*: ptep_to_mm(), include/asm-generic/rmap.h, 2.6.5.
 */
export const ptepToMm = (ptep: Ref<Pte>): Access<Ptr<MmStruct>> => load(PtePage.mm(ptePageOf(ptep)));

/** ptep_to_address(): the page number that an entry is for. *Context*: as {@link ptepToMm}. */
export function* ptepToAddress(ptep: Ref<Pte>): Op<number> {
  return (yield* load(PtePage.address(ptePageOf(ptep)))) + (ptep % PTE_PAGE_WORDS);
}

/** Gives a table of that level back. *Context*: nothing leads to it. */
export const freeTable = (table: number, level: number): Access<void> =>
  level === 0 && ptePagesInUse()
    ? kmemCacheFree(ptePageCachep, table as Ptr<PtePage>)
    : kmemCacheFree(pageTableCachep, table as Ptr<PageTable>);

/** Page-number bits below those that decide the entry of a table of that level. */
const levelShift = (level: number): number => (level === 0 ? 0 : TABLE_SHIFT * level - peek(pteTableCut));

/** Entries of a table of that level. */
export function tableEntries(level: number): number {
  if (level === 0) return pteTableEntries();
  return level === PGD_LEVEL ? PTRS_PER_PGD << peek(pteTableCut) : PTRS_PER_TABLE;
}

/** Which entry of a table of that level covers a page. */
export const tableIndex = (level: number, address: number): number =>
  (address >>> levelShift(level)) & (tableEntries(level) - 1);

/** Pages covered by one entry of that level. */
export const entrySpan = (level: number): number => 2 ** levelShift(level);

/** The entry of a table that covers a page. */
export const entryOf = (table: number, level: number, address: number): Ref<number> =>
  (table + tableIndex(level, address)) as Ref<number>;

/**
 * pgd_alloc(): an empty top table for a new address space.
 *
 * *Returns* its address, NULL when memory is short.
 * *Source*: pgd_alloc(), arch/x86/mm/pgtable.c, 2.6.27.
 */
export function* pgdAlloc(): Op<Ptr<Pgd> | Null> {
  return yield* kmemCacheAlloc(pgdCache(), GFP_KERNEL);
}

/** pgd_free(): gives the top table back; the tables below are gone already. */
export function* pgdFree(pgd: Ptr<Pgd>): Op<void> {
  yield* kmemCacheFree(pgdCache(), pgd);
}

/**
 * pte_lockptr(): the one place that says which lock protects the entries of a pte table.
 *
 * *Source*: pte_lockptr(), include/linux/mm.h, 2.6.27 without SPLIT_PTLOCK: mm->page_table_lock.
 */
export const pteLockptr = (mm: Ptr<MmStruct>, _ptep: Ref<Pte>): Ref<SpinLock> => MmStruct.pageTableLock(mm);

/** The table of `level` that covers a page, or NULL when a level above it is missing; a huge page has no pte table. */
export function* tableAt(mm: Ptr<MmStruct>, level: number, address: number): Op<number> {
  let table = yield* load(MmStruct.pgd(mm));
  for (let at = PGD_LEVEL; at > level; at--) {
    // The walk is lockless. Its loads are ordered by address dependency, the partner is the smp_wmb in populate().
    table = yield* rcuDereference(entryOf(table, at, address));
    if (table === NULL || pmdTransHuge(table)) return NULL;
  }
  return table;
}

/**
 * pmd_offset(): the entry above the pte table that covers a page, whatever it holds. NULL when a table on the way is missing.
 *
 * *Context*, *Ordering*: as {@link pteOffsetMap}.
 */
export function* pmdOffset(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const table = yield* tableAt(mm, 1, address);
  return table === NULL ? NULL : (entryOf(table, 1, address) as number as Ref<Pte>);
}

/**
 * pgd_offset() ... pte_offset_map(): the entry for a page.
 *
 * *Context*: what keeps the tables: mmap_sem, or a lock under which rmap found the area (free_pgtables() takes an area off the
 * reverse mapping before it frees tables).
 * *Returns* the place of the entry, NULL when a table on the way is missing.
 * *Ordering*: each level by address dependency on the one above; partner: {@link pteAllocMap}.
 * *Source*: mm/memory.c, 2.6.27.
 * *Differs*: one function for four macros; no table is ever corrupt, so none is tested for `_bad`.
 */
export function* pteOffsetMap(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const table = yield* tableAt(mm, 0, address);
  return table === NULL ? NULL : (entryOf(table, 0, address) as number as Ref<Pte>);
}

/**
 * Hangs a new table below an empty entry: __pud_alloc(), __pmd_alloc(), __pte_alloc().
 *
 * *Returns* the table that is there now (ours, or one that another thread was faster with), NULL when memory is short.
 */
function* populate(mm: Ptr<MmStruct>, slot: Ref<number>, level: number, address: number): Op<number> {
  const fresh = yield* level === 0 && ptePagesInUse()
    ? ptePageAlloc(mm, address)
    : kmemCacheAlloc(pageTableCachep, GFP_KERNEL);
  if (fresh === NULL) return NULL;
  // The zeroed table is visible before any walker can find it (C12; Linux 362a61ad61). Pairs with the address dependency of tableAt()
  // and of the hardware's walk. Natively a store-store fence: nothing on x86, dmb ishst on Arm.
  yield* smpWmb();
  yield* spinLock(MmStruct.pageTableLock(mm));
  const present = yield* load(slot);
  if (present === NULL) {
    if (level === 0) yield* store(MmStruct.nrPtes(mm), (yield* load(MmStruct.nrPtes(mm))) + 1);
    yield* writeOnce(slot, fresh as number);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (present === NULL) return fresh;
  yield* freeTable(fresh, level);
  return present;
}

/** pte_alloc_one() and pgtable_add_rmap(): a table that knows its place. *Source*: include/asm-generic/rmap.h, 2.6.5. */
function* ptePageAlloc(mm: Ptr<MmStruct>, address: number): Op<Ptr<PtePage> | Null> {
  const table = yield* kmemCacheAlloc(ptePageCachep, GFP_KERNEL);
  if (table === NULL) return NULL;
  yield* store(PtePage.mm(table), mm);
  yield* store(PtePage.address(table), address - tableIndex(0, address));
  return table;
}

/**
 * pte_alloc_map(): the entry for a page, missing tables made.
 *
 * *Context*: mmap_sem, read is enough; no page table lock held.
 * *Returns* the place of the entry, NULL when memory is short.
 * *Ordering*: a table is zero before it can be found: smp_wmb, then the store to the level above, under page_table_lock.
 * *Source*: pte_alloc_map(), __pte_alloc(), mm/memory.c, 2.6.27.
 * *Differs*: does not sleep. kmem_cache_alloc() zeroes, so the barrier orders the allocator's stores.
 */
export function* pteAllocMap(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const pte = yield* pteAllocUnlessHuge(mm, address);
  if (pte === HUGE_PMD) bug('pte_alloc_map: a huge page is mapped there');
  return pte;
}

/** There is no pte: a huge page is mapped. */
export const HUGE_PMD = -1;

/** As {@link pteAllocMap}, where a fault on another CPU may have mapped a huge page just now: then it *Returns* {@link HUGE_PMD}. */
export function* pteAllocUnlessHuge(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null | typeof HUGE_PMD> {
  const table = yield* allocTable(mm, address, 0);
  if (pmdTransHuge(table)) return HUGE_PMD;
  return table === NULL ? NULL : (entryOf(table, 0, address) as number as Ref<Pte>);
}

/** pmd_alloc(): as {@link pmdOffset}, missing tables made. *Context*, *Returns*: as {@link pteAllocMap}. */
export function* pmdAlloc(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const table = yield* allocTable(mm, address, 1);
  return table === NULL ? NULL : (entryOf(table, 1, address) as number as Ref<Pte>);
}

/** The table of `wanted` level that covers a page, made when it is missing; NULL; or the huge entry in its place. */
function* allocTable(mm: Ptr<MmStruct>, address: number, wanted: number): Op<number> {
  let table = yield* load(MmStruct.pgd(mm));
  for (let level = PGD_LEVEL; level > wanted; level--) {
    const slot = entryOf(table, level, address);
    table = yield* rcuDereference(slot);
    if (table === NULL) table = yield* populate(mm, slot, level - 1, address);
    if (table === NULL) return NULL;
  }
  return table;
}

/**
 * pte_offset_map_lock(): {@link pteOffsetMap}, and the lock of the entry taken.
 *
 * *Returns* NULL, and no lock, when a table is missing.
 */
export function* pteOffsetMapLock(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const ptep = yield* pteOffsetMap(mm, address);
  if (ptep !== NULL) yield* spinLock(pteLockptr(mm, ptep));
  return ptep;
}

/**
 * pte_alloc_map_lock(): {@link pteAllocMap}, and the lock of the entry taken.
 *
 * *Returns* NULL, and no lock, when memory is short.
 */
export function* pteAllocMapLock(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const ptep = yield* pteAllocMap(mm, address);
  if (ptep !== NULL) yield* spinLock(pteLockptr(mm, ptep));
  return ptep;
}

/** pte_unmap_unlock(). */
export const pteUnmapUnlock = (mm: Ptr<MmStruct>, ptep: Ref<Pte>): Op<void> => spinUnlock(pteLockptr(mm, ptep));
