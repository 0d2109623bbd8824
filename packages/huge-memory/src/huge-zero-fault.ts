// SPDX-License-Identifier: GPL-2.0-only
import {
  GFP_ZERO,
  load,
  NULL,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { setPageUptodate } from '@lockless/page';
import { anonVmaPrepare, freeTable, mkHugePmd, type Pte, pteMkspecial, vmGetPageProt } from '@lockless/rmap';
import { hpagePmdNr } from './config.js';
import { deposit, pteAllocOne } from './deposit.js';
import { allocHugePage, type HugeFault, replaceHugePage } from './huge-memory.js';
import { hugeZeroPage, splitHugeZeroPmd } from './huge-zero-page.js';

/**
 * The part of do_huge_pmd_anonymous_page() that maps the huge zero page where memory is only read. Its area gets an anon_vma as for any huge page.
 *
 * *Context*: mmap_sem for reading; the entry was empty; {@link hugePageFits}; there is a {@link hugeZeroPage}.
 * *Returns* `fallback` when there is no page table to lay by. *Source*: mm/huge_memory.c, 3.8.
 */
export function* doHugePmdZeroPage(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, pmd: Ref<Pte>): Op<HugeFault> {
  const zeros = hugeZeroPage();
  if (zeros === NULL || (yield* anonVmaPrepare(vma)) !== 0) return 'fallback';
  const table = yield* pteAllocOne();
  if (table === NULL) return 'fallback';
  const entry = pteMkspecial(mkHugePmd(zeros, vmGetPageProt(yield* load(VmAreaStruct.vmFlags(vma)))));
  yield* spinLock(MmStruct.pageTableLock(mm));
  const empty = (yield* readOnce(pmd)) === 0;
  if (empty) {
    yield* store(pmd, entry);
    yield* deposit(mm, table);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (!empty) yield* freeTable(table, 0);
  return 'done';
}

/**
 * do_huge_pmd_wp_zero_page(): a write where the huge zero page is mapped gives a huge page; without memory for that, the entry is split.
 *
 * *Context*: mmap_sem for reading; `orig` was read without a lock. *Returns* as `doHugePmdWpPage`. *Source*: mm/huge_memory.c, 3.8, and 6.18 again
 * (5.8 to 6.12 split).
 */
export function* doHugePmdWpZeroPage(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  orig: Pte,
): Op<HugeFault> {
  const page = yield* allocHugePage(GFP_ZERO);
  if (page === NULL) {
    yield* splitHugeZeroPmd(mm, address - (address % hpagePmdNr()), pmd);
    return 'fallback';
  }
  yield* setPageUptodate(page);
  return yield* replaceHugePage(mm, vma, address, pmd, orig, NULL, page);
}
