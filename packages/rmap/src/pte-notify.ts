// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { mmuNotifierClearFlushYoung, mmuNotifierInvalidatePage } from '@lockless/mmu-notifier';
import type { Pte } from './pte.js';
import { ptepClearFlush, ptepClearFlushYoung } from './pte-access.js';

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
