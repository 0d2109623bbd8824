// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr, type Ref } from '@lockless/cpu';
import { type MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { pageAnon } from '@lockless/page';
import { anonPagesHaveOneAddress, isSwapPte, type Pte, ptePresent, readPte, vmNormalPage } from '@lockless/rmap';
import { handleMmFault } from './memory.js';
import { exclusivelyOurs } from './memory-cow.js';
import { VM_FAULT_ERROR } from './vm-fault.js';

/*
 * Where an anonymous page is found at one address (anonmm), mremap moves a page that nobody else has, and its address with it. Of another one it
 * makes a copy first, as the next write would have done: Linus Torvalds' answer to the one thing that anonmm could not do.
 */

/**
 * Whether an entry can move as it is. Not if its page is shared, or somewhere else: then others may have it under the old address.
 *
 * *Context*: page-table lock; mmap_sem for writing, so nobody forks.
 */
export function* canMove(address: number, ptep: Ref<Pte>): Op<boolean> {
  if (!anonPagesHaveOneAddress()) return true;
  const entry = yield* readPte(ptep);
  if (!ptePresent(entry)) return !isSwapPte(entry);
  const page = vmNormalPage(NULL, address, entry);
  return page === NULL || !(yield* pageAnon(page)) || (yield* exclusivelyOurs(page));
}

/**
 * make_page_exclusive(): a write fault, which brings the page back and copies it if it is shared.
 *
 * *Context*: mmap_sem for writing; no page-table lock. Sleeps. *Returns* false when memory is short.
 * *Source*: make_page_exclusive(), mm/mremap.c, Hugh Dickins' "anobjrmap" series of 2004.
 */
export function* makePageExclusive(vma: Ptr<VmAreaStruct>, address: number): Op<boolean> {
  const mm: Ptr<MmStruct> = yield* load(VmAreaStruct.vmMm(vma));
  return ((yield* handleMmFault(mm, vma, address, true)) & VM_FAULT_ERROR) === 0;
}
