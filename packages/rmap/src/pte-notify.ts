// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, setBit } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import {
  mmuNotifierClearFlushYoung,
  mmuNotifierInvalidatePage,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
} from '@lockless/mmu-notifier';
import { PTE_SPLITTING_BIT } from './huge-pmd.js';
import { pteTableEntries } from './pgtable.js';
import type { Pte } from './pte.js';
import { ptepClearFlush, ptepClearFlushYoung } from './pte-access.js';
import { flushTlbMm } from './tlb.js';

/**
 * ptep_clear_flush_notify(): {@link ptepClearFlush}, and nobody else's MMU reaches the page by this entry any more.
 *
 * *Context*: page table lock; the entry's reference to the page is still there.
 * *Source*: include/linux/mmu_notifier.h, cddb8a5c14 (2.6.27).
 */
export function* ptepClearFlushNotify(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>): Op<Pte> {
  const pte = yield* ptepClearFlush(mm, address, ptep);
  yield* mmuNotifierInvalidatePage(mm, address);
  return pte;
}

/**
 * ptep_clear_flush_young_notify(): {@link ptepClearFlushYoung}, of other MMUs' translations too.
 *
 * *Context*: page table lock. *Source*: include/linux/mmu_notifier.h, cddb8a5c14 (2.6.27).
 */
export function* ptepClearFlushYoungNotify(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>): Op<boolean> {
  const young = yield* ptepClearFlushYoung(mm, address, ptep);
  return (yield* mmuNotifierClearFlushYoung(mm, address)) || young;
}

const splitNotifies = defineGuard(
  'pmdpSplittingFlush.notify',
  'a split does not tell other MMUs that the huge page is about to be split',
);

/**
 * pmdp_splitting_flush_notify(): marks a huge entry as splitting, and no CPU and no other MMU reaches the page by it in one piece any more.
 *
 * *Context*: page table lock, anon_vma->lock. *Ordering*: the mark before the flush, whose interrupts hold off get_user_pages_fast().
 * *Source*: include/linux/mmu_notifier.h, 2.6.38.
 */
export function* pmdpSplittingFlushNotify(mm: Ptr<MmStruct>, address: number, pmd: Ref<Pte>): Op<void> {
  const notifies = splitNotifies();
  const end = address + pteTableEntries();
  if (notifies) yield* mmuNotifierInvalidateRangeStart(mm, address, end);
  yield* setBit(PTE_SPLITTING_BIT, pmd as number as Ref<number>);
  yield* flushTlbMm(mm);
  if (notifies) yield* mmuNotifierInvalidateRangeEnd(mm, address, end);
}
