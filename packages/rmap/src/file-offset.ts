// SPDX-License-Identifier: GPL-2.0-only
import { load, type Op, type Ptr, type Ref } from '@lockless/cpu';
import { type Page, VM_NONLINEAR, VmAreaStruct } from '@lockless/mm-types';
import { pageIndex } from '@lockless/page';
import { type Pte, pgoffToPte } from './pte.js';
import { setPteAt } from './pte-access.js';
import { linearPageIndex } from './rmap-walk.js';

/**
 * A page of a file was unmapped that was not at its linear place: its offset stays, or the next fault would bring another page.
 *
 * *Context*: page table lock; the entry is empty. *Source*: as in zap_pte_range() and try_to_unmap_cluster(), 2.6.27; try_to_unmap_one(), 2.6.5.
 */
export function* leaveFileOffset(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number, ptep: Ref<Pte>): Op<void> {
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_NONLINEAR) === 0) return;
  const index = yield* pageIndex(page);
  if (index === (yield* linearPageIndex(vma, address))) return;
  yield* setPteAt(yield* load(VmAreaStruct.vmMm(vma)), address, ptep, pgoffToPte(index));
}
