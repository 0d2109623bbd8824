// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, downRead, GFP_KERNEL, load, NULL, readOnce, spinLock, spinUnlock, upRead } from '@lockless/cpu';
import {
  type MemCgroup,
  memCgroupAttach,
  memCgroupCharge,
  memCgroupInUse,
  memCgroupMoveAccount,
  memCgroupUnchargePage,
} from '@lockless/memcontrol';
import { MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { getPage, getPageUnlessZero, pageAnon, pageMapped, putPage } from '@lockless/page';
import { nextPteRange, type Pte, ptePresent, vmNormalPage } from '@lockless/rmap';

/* The part of mm/memcontrol.c that has to do with page tables, and what faults ask of it. */

const takesReference = defineGuard(
  'mcHandlePresentPte.getPage',
  'mc_handle_present_pte takes its reference with get_page_unless_zero(), and is no RCU reader (3.1)',
);

/** A new page of anonymous memory, charged to `mm`; NULL when memory is short, or the group's. */
export function* chargedPage(page: Ptr<Page> | Null, mm: Ptr<MmStruct>): Op<Ptr<Page> | Null> {
  if (page === NULL || (yield* memCgroupCharge(page, mm, GFP_KERNEL)) === 0) return page;
  yield* putPage(page);
  return NULL;
}

/** Gives back a page that was charged, and then not mapped. */
export function* putChargedPage(page: Ptr<Page>): Op<void> {
  yield* memCgroupUnchargePage(page);
  yield* putPage(page);
}

/**
 * mc_handle_present_pte(): the page of an entry, if it may be charged to another group, with a reference.
 * *Context*: page-table lock: the entry has a reference, so get_page() does.
 * *Source*: mm/memcontrol.c, 3.1, with patch 2 of 9 (2011-08-19).
 */
export function* mcHandlePresentPte(vma: Ptr<VmAreaStruct>, address: number, pte: Pte): Op<Ptr<Page> | Null> {
  const page = vmNormalPage(yield* load(VmAreaStruct.vmFlags(vma)), address, pte);
  if (page === NULL || !(yield* pageMapped(page)) || !(yield* pageAnon(page))) return NULL;
  if (takesReference()) yield* getPage(page);
  else if (!(yield* getPageUnlessZero(page))) return NULL;
  return page;
}

/**
 * mem_cgroup_move_task() with mem_cgroup_move_charge(): a process goes to another group, and its anonymous pages with it, as far as there is room.
 * *Context*: may sleep. *Returns* how many pages went along.
 * *Source*: mm/memcontrol.c, 2.6.34 to 3.1. *Differs*: no quota is set aside first; swapped pages stay.
 */
export function* memCgroupMoveTask(mm: Ptr<MmStruct>, from: Ptr<MemCgroup>, to: Ptr<MemCgroup>): Op<number> {
  yield* memCgroupAttach(mm, to);
  if (!memCgroupInUse()) return 0;
  let moved = 0;
  yield* downRead(MmStruct.mmapSem(mm));
  for (let vma = yield* load(MmStruct.mmap(mm)); vma !== NULL; vma = yield* load(VmAreaStruct.vmNext(vma)))
    moved += yield* moveArea(mm, vma, from, to);
  yield* upRead(MmStruct.mmapSem(mm));
  return moved;
}

function* moveArea(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, from: Ptr<MemCgroup>, to: Ptr<MemCgroup>): Op<number> {
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  let address = yield* load(VmAreaStruct.vmStart(vma));
  let moved = 0;
  while (address < end) {
    const range = yield* nextPteRange(mm, address, end);
    if (range === NULL) break;
    for (address = range.address; address < range.end; address++) {
      const ptep = (range.ptes + (address - range.address)) as Ref<Pte>;
      if (yield* moveEntry(mm, vma, address, ptep, from, to)) moved++;
    }
  }
  return moved;
}

function* moveEntry(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  ptep: Ref<Pte>,
  from: Ptr<MemCgroup>,
  to: Ptr<MemCgroup>,
): Op<boolean> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  const pte = yield* readOnce(ptep);
  const page = ptePresent(pte) ? yield* mcHandlePresentPte(vma, address, pte) : NULL;
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (page === NULL) return false;
  const moved = (yield* memCgroupMoveAccount(page, from, to)) === 0;
  yield* putPage(page);
  return moved;
}
