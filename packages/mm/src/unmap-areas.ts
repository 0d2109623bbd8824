// SPDX-License-Identifier: GPL-2.0-only
import { kmemCacheFree, load, NULL, type Null, type Op, type Ptr } from '@lockless/cpu';
import { type MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { filePut } from '@lockless/pagecache';
import { freePgtables, tlbFinishMmu, tlbGatherMmu, unmapVmas, vmAreaCachep } from '@lockless/rmap';

/**
 * Takes the pages and the page tables of a chain of areas away; the areas themselves stay.
 *
 * *Context*: the areas are off the mm and end at `end`, or the mm has no users. `floor` and `ceiling`: end of the area before, start of the one behind, 0 for none.
 * *Source*: `unmap_region`, mm/mmap.c, 2.6.27.
 */
export function* unmapAreas(
  mm: Ptr<MmStruct>,
  first: Ptr<VmAreaStruct>,
  end: number,
  floor: number,
  ceiling: number,
  fullMm = false,
): Op<void> {
  const tlb = tlbGatherMmu(mm, fullMm);
  yield* unmapVmas(tlb, first, fullMm ? 0 : yield* load(VmAreaStruct.vmStart(first)), end);
  yield* freePgtables(tlb, first, floor, ceiling);
  yield* tlbFinishMmu(tlb);
}

/** remove_vma(): frees an area that nothing refers to any more; returns the next one. *Source*: mm/mmap.c, 2.6.27. */
export function* removeVma(vma: Ptr<VmAreaStruct>): Op<Ptr<VmAreaStruct> | Null> {
  const next = yield* load(VmAreaStruct.vmNext(vma));
  const file = yield* load(VmAreaStruct.vmFile(vma));
  yield* kmemCacheFree(vmAreaCachep, vma);
  if (file !== NULL) yield* filePut(file);
  return next;
}
