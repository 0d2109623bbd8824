// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, NULL, readOnce, spinLock, spinUnlock, store } from '@lockless/cpu';
import { MmStruct, type VmAreaStruct } from '@lockless/mm-types';
import { getPage, pfnToPage } from '@lockless/page';
import {
  freeTable,
  type PageTable,
  type Pte,
  pageDupRmap,
  pmdAlloc,
  pmdTransHuge,
  pmdTransSplitting,
  pteMkold,
  ptePfn,
  ptepSetWrprotect,
  pteWrprotect,
  rmapPrepare,
} from '@lockless/rmap';
import { hpagePmdNr } from './config.js';
import { deposit, pteAllocOne } from './deposit.js';
import { addAnonRss } from './huge-memory.js';
import { isHugeZeroPmd } from './huge-zero-page.js';
import { waitSplitHugePage } from './split-huge-page.js';

const waits = defineGuard('copyHugePmd.waitSplitting', 'fork copies a huge entry whose page is being split');

/** What fork's copy of a huge entry came to. */
export type HugeCopy = 'copied' | 'no huge page' | 'no memory';

/**
 * copy_huge_pmd(): fork shares a huge page, read-only on both sides.
 *
 * *Context*: mmap_sem of both for writing; nobody else knows `dst`. `vma` is the parent's area.
 * *Returns* `no huge page` when it was split meanwhile: there is a table now.
 * *Source*: mm/huge_memory.c, 3.1.
 */
export function* copyHugePmd(
  dst: Ptr<MmStruct>,
  src: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
): Op<HugeCopy> {
  const to = yield* pmdAlloc(dst, address);
  const table = to === NULL ? NULL : yield* pteAllocOne();
  const spare = yield* rmapPrepare();
  if (to === NULL || table === NULL || spare === null) return 'no memory';
  yield* spinLock(MmStruct.pageTableLock(dst));
  yield* spinLock(MmStruct.pageTableLock(src));
  const entry = yield* readOnce(pmd);
  const splitting = waits() && pmdTransSplitting(entry);
  const copies = pmdTransHuge(entry) && !splitting;
  if (copies) {
    if (!isHugeZeroPmd(entry)) {
      const page = pfnToPage(ptePfn(entry));
      yield* getPage(page);
      yield* pageDupRmap(page, to, spare);
      yield* addAnonRss(dst, hpagePmdNr());
    }
    yield* ptepSetWrprotect(src, address, pmd);
    yield* store(to, pteMkold(pteWrprotect(entry)));
    yield* deposit(dst, table);
  }
  yield* spinUnlock(MmStruct.pageTableLock(src));
  yield* spinUnlock(MmStruct.pageTableLock(dst));
  if (copies) return 'copied';
  yield* freeTable(table as Ptr<PageTable>, 0);
  if (splitting) yield* waitSplitHugePage(vma);
  return 'no huge page';
}
