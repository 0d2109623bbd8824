// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { load, NULL, rcuDereference } from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';
import { hugePmdOps, hugePmdsInUse, pmdTransHuge } from './huge-pmd.js';
import { entryOf, entrySpan, HUGE_PMD, PGD_LEVEL, pmdOffset, pteOffsetMap } from './pgtable.js';
import type { Pte } from './pte.js';

/** What to do with a huge page that is inside a range, as a whole or not. *Returns* true: it is dealt with; false: split it, if it is there still. */
export type OnHugePage = (address: number, pmd: Ref<Pte>, whole: boolean) => Op<boolean>;

/**
 * Makes an address the border of two pages: a huge page around it is split.
 *
 * *Context*: mmap_sem for write, which is about to make it the border of an area. *Source*: `__vma_adjust_trans_huge`, mm/huge_memory.c, 3.1.
 */
export function* splitHugePmdAt(mm: Ptr<MmStruct>, address: number): Op<void> {
  if (address % entrySpan(1) === 0) return;
  const pmd = yield* pmdOffset(mm, address);
  if (pmd === NULL || !pmdTransHuge(yield* load(pmd))) return;
  yield* hugePmdOps().splitHugePagePmd(mm, address - (address % entrySpan(1)), pmd);
}

/** A run of entries in one pte table. */
export interface PteRange {
  /** The entry for page `address`; those up to page `end` lie behind it. */
  readonly ptes: Ref<Pte>;
  readonly address: number;
  readonly end: number;
  /** The entry above the table, and what it was: where the table is. */
  readonly pmd: Ref<number>;
  readonly table: number;
}

/**
 * The first run of entries between two pages, up to the end of one pte table; what has no table is skipped in strides of the level where
 * it is missing. The step of zap_page_range(), change_protection(), copy_page_range() and msync.
 *
 * A huge page is given to `onHuge`, when there is one, and split unless that deals with it: then *Context* is mmap_sem, and no spin lock.
 *
 * *Context*: as {@link pteOffsetMap}; the entries' lock is the caller's to take.
 * *Returns* NULL when nothing is left.
 * *Source*: the nested pgd, pud and pmd loops of mm/memory.c and mm/mprotect.c, 2.6.27.
 */
export function* nextPteRange(
  mm: Ptr<MmStruct>,
  start: number,
  end: number,
  onHuge: OnHugePage | null = null,
): Op<PteRange | Null> {
  const pgd = yield* load(MmStruct.pgd(mm));
  for (let address = start; address < end; ) {
    let table: number = pgd;
    let level = PGD_LEVEL;
    let slot = NULL as number as Ref<number>;
    while (level > 0 && table !== NULL) {
      slot = entryOf(table, level, address);
      table = yield* rcuDereference(slot);
      level--;
    }
    const next = Math.min(end, (Math.floor(address / entrySpan(level + 1)) + 1) * entrySpan(level + 1));
    if (pmdTransHuge(table)) {
      const pmd = slot as number as Ref<Pte>;
      const whole = next - address === entrySpan(1);
      if (onHuge !== null && (yield* onHuge(address, pmd, whole))) address = next;
      else yield* hugePmdOps().splitHugePagePmd(mm, address - (address % entrySpan(1)), pmd);
      continue;
    }
    if (table !== NULL)
      return { ptes: entryOf(table, 0, address) as number as Ref<Pte>, address, end: next, pmd: slot, table };
    address = next;
  }
  return NULL;
}

/**
 * As {@link pteOffsetMap}, for who wants to know of a huge page in its place. What the entry above is, one read decides: read again it may be another.
 *
 * *Returns* {@link HUGE_PMD}: a huge page is mapped.
 */
export function* pteOffsetUnlessHuge(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null | typeof HUGE_PMD> {
  if (!hugePmdsInUse()) return yield* pteOffsetMap(mm, address);
  const pmd = yield* pmdOffset(mm, address);
  const table: number = pmd === NULL ? NULL : yield* rcuDereference(pmd);
  if (pmdTransHuge(table)) return HUGE_PMD;
  return table === NULL ? NULL : (entryOf(table, 0, address) as number as Ref<Pte>);
}

/**
 * The entry by which the hardware translates an address: the pte, or the one above it when that maps a huge page. It may change to a table's address
 * at any time; that is never a present entry.
 *
 * *Context*, *Returns*, *Ordering*: as {@link pteOffsetMap}.
 */
export function* translationEntry(mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | Null> {
  const pte = yield* pteOffsetUnlessHuge(mm, address);
  return pte === HUGE_PMD ? yield* pmdOffset(mm, address) : pte;
}
