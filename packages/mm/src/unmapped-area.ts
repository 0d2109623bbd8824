// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr } from '@lockless/cpu';
import { EINVAL, ENOMEM, MmStruct, VmAreaStruct } from '@lockless/mm-types';

/** One past the last user page. A word has 32 bits, so a user address space has 2^31 pages here. */
export const TASK_PAGES = 0x7fffffff;
/** Lowest page that may be mapped: mmap_min_addr of 64 KiB. */
const MMAP_MIN_PAGE = 16;
/** sysctl vm.max_map_count. */
export const MAX_MAP_COUNT = 65_536;

/**
 * get_unmapped_area(), top down: the highest gap below mmap_base that is large enough; when there is none, the lowest above it.
 *
 * *Context*: mmap_sem held. *Returns* a page number, or -ENOMEM.
 * *Source*: `arch_get_unmapped_area_topdown`, mm/mmap.c; the highest gap, as since 3.8 (2.6.27 goes on below the last place found).
 * *Differs*: looks at each area where the kernel's tree knows the largest gap below each node.
 */
export function* getUnmappedArea(mm: Ptr<MmStruct>, hint: number, pages: number): Op<number> {
  if (pages > TASK_PAGES - MMAP_MIN_PAGE) return -ENOMEM;
  const base = (yield* load(MmStruct.mmapBase(mm))) || TASK_PAGES;
  let below = -1;
  let above = -1;
  let wished = false;
  let gapStart = MMAP_MIN_PAGE;
  let vma = yield* load(MmStruct.mmap(mm));
  for (;;) {
    const gapEnd = vma === NULL ? TASK_PAGES : yield* load(VmAreaStruct.vmStart(vma));
    if (hint >= gapStart && hint + pages <= gapEnd) wished = true;
    const highest = Math.min(gapEnd, base) - pages;
    if (highest >= gapStart) below = highest;
    const lowest = Math.max(gapStart, base);
    if (above < 0 && lowest + pages <= gapEnd) above = lowest;
    if (vma === NULL) break;
    gapStart = Math.max(yield* load(VmAreaStruct.vmEnd(vma)), MMAP_MIN_PAGE);
    vma = yield* load(VmAreaStruct.vmNext(vma));
  }
  if (hint !== 0 && wished) return hint;
  if (below >= 0) return below;
  return above >= 0 ? above : -ENOMEM;
}

/** Whether a fixed range is a possible one: 0, or -EINVAL, -ENOMEM. */
export function checkRange(address: number, pages: number): number {
  if (address < 0 || pages <= 0) return -EINVAL;
  return address + pages > TASK_PAGES ? -ENOMEM : 0;
}
