// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Null, type Op, type Ptr, type Ref, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import {
  doHugePmdAnonymousPage,
  doHugePmdWpPage,
  doHugePmdWpZeroPage,
  doHugePmdZeroPage,
  followTransHugePmd,
  hpagePmdNr,
  hugePageFits,
  hugeZeroPage,
  isHugeZeroPmd,
  khugepagedEnter,
  khugepagedRuns,
  waitSplitHugePage,
} from '@lockless/huge-memory';
import { MmStruct, type Page, type VmAreaStruct } from '@lockless/mm-types';
import { VM_FAULT_OOM } from '@lockless/pagecache';
import {
  type Pte,
  pmdAlloc,
  pmdOffset,
  pmdTransHuge,
  pmdTransSplitting,
  pteMkdirty,
  pteMkyoung,
  ptepSetAccessFlags,
  pteWrite,
} from '@lockless/rmap';
import { countFault, VM_FAULT_WRITE } from './vm-fault.js';

/* What faults and get_user_pages() do where a huge page is, or could be: the huge half of mm/memory.c, 2.6.38 and later. */

/** The fault is one for ordinary pages. */
export const NOT_HUGE = -1;

/**
 * The part of handle_mm_fault() that looks at the entry above the pte table.
 *
 * *Context*: mmap_sem for reading. *Returns* VM_FAULT_* bits, or {@link NOT_HUGE}. *Source*: mm/memory.c, 3.1.
 */
export function* handleHugeFault(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  write: boolean,
): Op<number> {
  const pmd = yield* pmdAlloc(mm, address);
  if (pmd === NULL) return VM_FAULT_OOM;
  const entry = yield* readOnce(pmd);
  if (entry === 0) {
    if (!(yield* hugePageFits(vma, address))) return NOT_HUGE;
    if (khugepagedRuns()) yield* khugepagedEnter(mm);
    const zeros = !write && hugeZeroPage() !== NULL;
    const given = yield* zeros ? doHugePmdZeroPage(mm, vma, pmd) : doHugePmdAnonymousPage(mm, vma, address, pmd);
    if (given === 'fallback') return NOT_HUGE;
    countFault(zeros ? MmStruct.faultsZero(mm) : MmStruct.faultsAnonymous(mm));
    return 0;
  }
  if (!pmdTransHuge(entry)) return NOT_HUGE;
  if (pmdTransSplitting(entry)) {
    yield* waitSplitHugePage(vma);
    return 0;
  }
  if (write && !pteWrite(entry)) return yield* writeProtected(mm, vma, address, pmd, entry);
  yield* markUsed(mm, address, pmd, entry, write);
  return 0;
}

function* writeProtected(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  entry: Pte,
): Op<number> {
  const replace = isHugeZeroPmd(entry) ? doHugePmdWpZeroPage : doHugePmdWpPage;
  const outcome = yield* replace(mm, vma, address, pmd, entry);
  if (outcome === 'fallback') return NOT_HUGE;
  countFault(outcome === 'copied' ? MmStruct.faultsCow(mm) : MmStruct.faultsSpurious(mm));
  return outcome === 'copied' ? VM_FAULT_WRITE : 0;
}

/** Somebody was faster, or it is get_user_pages() that asks for the marks. */
function* markUsed(mm: Ptr<MmStruct>, address: number, pmd: Ref<Pte>, entry: Pte, write: boolean): Op<void> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  const marked = pteMkyoung(write ? pteMkdirty(entry) : entry);
  if ((yield* readOnce(pmd)) === entry) yield* ptepSetAccessFlags(mm, address - (address % hpagePmdNr()), pmd, marked);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  countFault(MmStruct.faultsSpurious(mm));
}

/**
 * The part of follow_page() for an address without a pte table.
 *
 * *Context*: mmap_sem for reading. *Returns* NULL when there is no huge page, or a fault is needed first; with `get` the caller has a reference.
 * *Source*: mm/memory.c, 3.1.
 */
export function* followHugePage(
  vma: Ptr<VmAreaStruct>,
  mm: Ptr<MmStruct>,
  address: number,
  permits: (entry: Pte) => boolean,
  get: boolean,
): Op<Ptr<Page> | Null> {
  const pmd = yield* pmdOffset(mm, address);
  if (pmd === NULL) return NULL;
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* load(pmd);
  const splitting = pmdTransSplitting(entry);
  const found = pmdTransHuge(entry) && !splitting && permits(entry);
  const page = found ? yield* followTransHugePmd(address, entry, get) : NULL;
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (splitting) yield* waitSplitHugePage(vma);
  return page;
}
