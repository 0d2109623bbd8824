// SPDX-License-Identifier: GPL-2.0-only
import {
  defineGuard,
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
import { AnonVma, MmStruct, VmAreaStruct } from '@lockless/mm-types';
import {
  flushTlbMm,
  PTE_HUGE,
  type Pte,
  pmdAlloc,
  pmdpGetAndClear,
  pmdTransHuge,
  pmdTransSplitting,
} from '@lockless/rmap';
import { hpagePmdNr } from './config.js';
import { waitSplitHugePage } from './split-huge-page.js';

/* What mprotect and mremap do to a huge entry as a whole. */

/**
 * change_huge_pmd(): a huge entry gets other rights.
 *
 * *Context*: mmap_sem for writing; no spin lock. `changed` makes the entry of the old one. The caller flushes.
 * *Returns* false when it was split meanwhile: there is a table now.
 * *Source*: mm/huge_memory.c, 2.6.38.
 */
export function* changeHugePmd(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  pmd: Ref<Pte>,
  changed: (old: Pte) => Op<Pte>,
): Op<boolean> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* readOnce(pmd);
  const huge = pmdTransHuge(entry) && !pmdTransSplitting(entry);
  if (huge) {
    // Taken out before it is put back, so that no mark of the hardware is lost.
    const old = yield* pmdpGetAndClear(pmd);
    yield* store(pmd, ((yield* changed(old)) | PTE_HUGE) as Pte);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (!huge && pmdTransSplitting(entry)) yield* waitSplitHugePage(vma);
  return huge;
}

const keepsSplitsOut = defineGuard(
  'moveHugePmd.anonVmaLock',
  'mremap moves a huge entry while a split counts the entries of its page, area by area',
);

/**
 * move_huge_pmd(): a huge entry goes to another place, where there is room for a whole one.
 *
 * Under anon_vma->lock: a split walks the areas twice and must find the entry once each time. The flush ends the use of the old place before anybody
 * finds the page at the new one.
 *
 * *Context*: mmap_sem for writing; no spin lock. *Returns* false: not moved, as the new place has a table, or the page was split.
 * *Source*: mm/huge_memory.c, 3.2. *Differs*: always with the lock, which newer kernels leave out where the new area comes later in the list.
 */
export function* moveHugePmd(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, pmd: Ref<Pte>, address: number): Op<boolean> {
  if (address % hpagePmdNr() !== 0) return false;
  const to = yield* pmdAlloc(mm, address);
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  if (to === NULL || anonVma === NULL || (yield* readOnce(to)) !== 0) return false;
  if (keepsSplitsOut()) yield* spinLock(AnonVma.lock(anonVma));
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* readOnce(pmd);
  const huge = pmdTransHuge(entry) && !pmdTransSplitting(entry);
  if (huge) {
    const old = yield* pmdpGetAndClear(pmd);
    yield* flushTlbMm(mm);
    yield* store(to, old);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (keepsSplitsOut()) yield* spinUnlock(AnonVma.lock(anonVma));
  return huge;
}
