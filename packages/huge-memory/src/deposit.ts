// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, GFP_KERNEL, kmemCacheAlloc, load, NULL, smpWmb, store, writeOnce } from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';
import { type PageTable, type Pte, pageTableCachep } from '@lockless/rmap';

/*
 * A split must not fail for want of a page table, so each huge entry has one laid by, in the address space that maps it. Any will do for any entry.
 * All under the page table lock of that address space.
 */

/** A table's first word, while it is laid by, is the address of the next. */
const nextOf = (table: number): Ref<number> => table as Ref<number>;

/** pte_alloc_one(): a table that is in no address space yet. NULL when memory is short. */
export function* pteAllocOne(): Op<Ptr<PageTable> | Null> {
  return yield* kmemCacheAlloc(pageTableCachep, GFP_KERNEL);
}

/** prepare_pmd_huge_pte(), later pgtable_trans_huge_deposit(). *Source*: mm/huge_memory.c, 2.6.38. */
export function* deposit(mm: Ptr<MmStruct>, table: Ptr<PageTable>): Op<void> {
  yield* store(nextOf(table), yield* load(MmStruct.pmdHugePte(mm)));
  yield* store(MmStruct.pmdHugePte(mm), table);
}

/** get_pmd_huge_pte(), later pgtable_trans_huge_withdraw(): an empty table. *Source*: mm/huge_memory.c, 2.6.38. */
export function* withdraw(mm: Ptr<MmStruct>): Op<number> {
  const table = yield* load(MmStruct.pmdHugePte(mm));
  bugOn(table === NULL, 'a huge entry without a page table laid by');
  yield* store(MmStruct.pmdHugePte(mm), yield* load(nextOf(table)));
  yield* store(nextOf(table), 0);
  return table;
}

/** pmd_populate(): a filled table takes the place of a huge entry. *Ordering*: its entries before itself, as in pte_alloc(). */
export function* installTable(mm: Ptr<MmStruct>, pmd: Ref<Pte>, table: number): Op<void> {
  yield* smpWmb();
  yield* store(MmStruct.nrPtes(mm), (yield* load(MmStruct.nrPtes(mm))) + 1);
  yield* writeOnce(pmd as number as Ref<number>, table);
}
