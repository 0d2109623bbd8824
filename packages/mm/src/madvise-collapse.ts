// SPDX-License-Identifier: GPL-2.0-only
import { condResched, downRead, type Op, type Ptr } from '@lockless/cpu';
import {
  type CollapseControl,
  collapseHugePage,
  hpageCollapseScanPmd,
  hpagePmdNr,
  hugePagesAllowed,
  hugepageVmaRevalidate,
  type ScanResult,
} from '@lockless/huge-memory';
import { EAGAIN, EBUSY, EINVAL, ENOMEM, MmStruct } from '@lockless/mm-types';
import { lruAddDrain } from '@lockless/page';
import { hugePmdsInUse, readPte } from '@lockless/rmap';
import { doSwapPage } from './memory-swap.js';
import { VM_FAULT_ERROR } from './vm-fault.js';
import type { Piece } from './vma-range.js';

/** __collapse_huge_page_swapin(), one entry: a read fault. *Source*: mm/khugepaged.c, 4.8. */
export const swapInForCollapse: CollapseControl['swapIn'] = function* (mm, vma, address, pte) {
  const origPte = yield* readPte(pte);
  return ((yield* doSwapPage({ mm, vma, address, write: false, pte, origPte })) & VM_FAULT_ERROR) === 0;
};

/** A program asked for it: nothing is too much. */
const FORCED: CollapseControl = {
  isKhugepaged: false,
  maxPtesNone: Number.MAX_SAFE_INTEGER,
  maxPtesSwap: Number.MAX_SAFE_INTEGER,
  maxPtesShared: Number.MAX_SAFE_INTEGER,
  swapIn: swapInForCollapse,
};

/** madvise_collapse_errno(). *Source*: mm/khugepaged.c, 6.1. */
function collapseErrno(result: ScanResult): number {
  switch (result) {
    case 'alloc-huge-page-fail':
      return -ENOMEM;
    case 'exceed-none-pte':
      return -EBUSY;
    case 'page-count':
    case 'page-lock':
    case 'page-lru':
    case 'del-page-lru':
      return -EAGAIN;
    default:
      return -EINVAL;
  }
}

/** What does not keep the rest of the range from being collapsed. */
const GOES_ON: readonly ScanResult[] = [
  'pmd-null',
  'pte-non-present',
  'lack-referenced-page',
  'page-null',
  'page-count',
  'page-lock',
  'page-lru',
  'del-page-lru',
];

/**
 * madvise(MADV_COLLAPSE): huge pages, now, wherever the range has room for them: what is not there is zeros, what is in swap is read in, and what
 * others map too is copied. What is huge already is left as it is.
 *
 * *Context*: mmap_sem for reading, which is dropped and taken again. Sleeps.
 * *Returns* 0; -EINVAL where no huge page can be, or nothing was touched yet; -EAGAIN when pages are in use by somebody; -ENOMEM; -EBUSY. As many as can
 * be are collapsed. A range within one huge page's room, but not from its begin, is -EINVAL; one that has no whole one otherwise is 0.
 * *Source*: `madvise_collapse`, mm/khugepaged.c, 6.1, as seen on 6.18. *Differs*: anonymous memory only.
 */
export function* collapsePiece(mm: Ptr<MmStruct>, { vma, start, end }: Piece): Op<number> {
  if (!hugePmdsInUse() || !(yield* hugePagesAllowed(vma))) return -EINVAL;
  const nr = hpagePmdNr();
  yield* lruAddDrain();
  const first = Math.ceil(start / nr) * nr;
  const last = Math.floor(end / nr) * nr;
  let collapsed = 0;
  let failure: ScanResult = 'fail';
  for (let address = first; address < last; address += nr) {
    const result = yield* collapseOne(mm, address);
    if (result === 'succeed' || result === 'pmd-mapped') collapsed++;
    else failure = result;
    if (result !== 'succeed' && result !== 'pmd-mapped' && !GOES_ON.includes(result)) break;
  }
  return collapsed === (last - first) / nr ? 0 : collapseErrno(failure);
}

/** *Context*: mmap_sem for reading, also afterwards. */
function* collapseOne(mm: Ptr<MmStruct>, address: number): Op<ScanResult> {
  if ((yield* hugepageVmaRevalidate(mm, address, FORCED)) === 0) return 'vma-check';
  const { result, unmapped } = yield* hpageCollapseScanPmd(mm, address, FORCED);
  if (result !== 'succeed') return result;
  const collapsed = yield* collapseHugePage(mm, address, unmapped, FORCED);
  yield* condResched();
  yield* downRead(MmStruct.mmapSem(mm));
  return collapsed;
}
