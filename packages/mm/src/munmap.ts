// SPDX-License-Identifier: GPL-2.0-only
import { current, downWrite, load, NULL, type Null, type Op, type Ptr, store, upWrite } from '@lockless/cpu';
import { EINVAL, MmStruct, taskMm, VM_LOCKED, VmAreaStruct } from '@lockless/mm-types';
import { lruAddDrain } from '@lockless/page';
import { detachVmas, findVmaPrev, splitVma } from '@lockless/rmap';
import { removeVma, unmapAreas } from './unmap-areas.js';
import { checkRange } from './unmapped-area.js';

type MaybeVma = Ptr<VmAreaStruct> | Null;

/**
 * do_munmap(): nothing is mapped at [start, start + pages) afterwards. Areas that cross the ends are split.
 *
 * *Context*: mmap_sem for writing. Sleeps.
 * *Returns* 0; -EINVAL for an impossible range; -ENOMEM when a split fails, then nothing is unmapped.
 * *Source*: `do_munmap`, mm/mmap.c, 2.6.27.
 */
export function* doMunmap(mm: Ptr<MmStruct>, start: number, pages: number): Op<number> {
  if (checkRange(start, pages) !== 0) return -EINVAL;
  const end = start + pages;
  let { vma, prev }: { vma: MaybeVma; prev: MaybeVma } = yield* findVmaPrev(mm, start);
  if (vma === NULL) return 0;
  const first = yield* load(VmAreaStruct.vmStart(vma));
  if (first >= end) return 0;
  if (start > first) {
    const error = yield* splitVma(mm, vma, start, false);
    if (error !== 0) return error;
    prev = vma;
  }
  const { vma: last } = yield* findVmaPrev(mm, end);
  if (last !== NULL && end > (yield* load(VmAreaStruct.vmStart(last)))) {
    const error = yield* splitVma(mm, last, end, true);
    if (error !== 0) return error;
  }
  vma = yield* load(prev === NULL ? MmStruct.mmap(mm) : VmAreaStruct.vmNext(prev));
  if (vma === NULL) return 0;
  yield* unmapRegion(mm, vma, prev, end);
  return 0;
}

/** Detaches the areas up to `end` first, so that nobody finds them, then takes their pages, their page tables and themselves away. */
function* unmapRegion(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, prev: MaybeVma, end: number): Op<void> {
  const next = (yield* findVmaPrev(mm, end)).vma;
  yield* detachVmas(mm, vma, prev, end);
  yield* lruAddDrain();
  const floor = prev === NULL ? 0 : yield* load(VmAreaStruct.vmEnd(prev));
  const ceiling = next === NULL ? 0 : yield* load(VmAreaStruct.vmStart(next));
  yield* unmapAreas(mm, vma, end, floor, ceiling);
  for (let at: MaybeVma = vma; at !== NULL; ) {
    yield* accountRemoved(mm, at);
    at = yield* removeVma(at);
  }
}

function* accountRemoved(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>): Op<void> {
  const pages = (yield* load(VmAreaStruct.vmEnd(vma))) - (yield* load(VmAreaStruct.vmStart(vma)));
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) - pages);
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) === 0) return;
  yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) - pages);
}

/** munmap(2), in pages. *Source*: `sys_munmap`, mm/mmap.c, 2.6.27. */
export function* sysMunmap(start: number, pages: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  yield* downWrite(MmStruct.mmapSem(mm));
  const error = yield* doMunmap(mm, start, pages);
  yield* upWrite(MmStruct.mmapSem(mm));
  return error;
}
