// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import type { MmStruct, Page } from '@lockless/mm-types';
import { releasePages } from '@lockless/page';
import { freeTable } from './pgtable.js';
import { freeSwapCaches } from './swap-hooks.js';
import { flushTlbMm } from './tlb.js';

/** Pages collected before they are freed: FREE_PTE_NR. */
const FREE_PTE_NR = 506;

/**
 * struct mmu_gather: what has been taken out of the page tables but may still be reached through a TLB. It is freed only
 * after the flush: a page that another CPU can still write must not become somebody else's.
 */
export interface MmuGather {
  readonly mm: Ptr<MmStruct>;
  /** The whole address space goes away. */
  readonly fullMm: boolean;
  /** An entry was removed since the last flush. */
  needFlush: boolean;
  pages: Ptr<Page>[];
  tables: { readonly table: number; readonly level: number }[];
}

/**
 * tlb_gather_mmu().
 *
 * *Source*: tlb_gather_mmu(), include/asm-generic/tlb.h, 2.6.27. *Differs*: belongs to the caller, as since 3.0, where 2.6.27 has one per
 * CPU and keeps preemption off in between.
 */
export const tlbGatherMmu = (mm: Ptr<MmStruct>, fullMm: boolean): MmuGather => ({
  mm,
  fullMm,
  needFlush: false,
  pages: [],
  tables: [],
});

/** tlb_remove_page(): the page's reference is dropped after the flush. Callable with the page table lock held. */
export function* tlbRemovePage(tlb: MmuGather, page: Ptr<Page>): Op<void> {
  tlb.needFlush = true;
  tlb.pages.push(page);
  if (tlb.pages.length >= FREE_PTE_NR) yield* tlbFlushMmu(tlb);
}

/** pte_free_tlb(), pmd_free_tlb(), pud_free_tlb(): the table is freed after the flush, because the hardware may be walking it. */
export function* tlbRemoveTable(tlb: MmuGather, table: number, level: number): Op<void> {
  tlb.needFlush = true;
  tlb.tables.push({ table, level });
  if (tlb.tables.length >= FREE_PTE_NR) yield* tlbFlushMmu(tlb);
}

/** tlb_flush_mmu(): flushes, then frees. */
export function* tlbFlushMmu(tlb: MmuGather): Op<void> {
  if (!tlb.needFlush) return;
  tlb.needFlush = false;
  yield* flushTlbMm(tlb.mm);
  const { pages, tables } = tlb;
  tlb.pages = [];
  tlb.tables = [];
  yield* freeSwapCaches(pages);
  if (pages.length > 0) yield* releasePages(pages);
  for (const { table, level } of tables) yield* freeTable(table, level);
}

/** tlb_finish_mmu(): the last flush. */
export const tlbFinishMmu = (tlb: MmuGather): Op<void> => tlbFlushMmu(tlb);
