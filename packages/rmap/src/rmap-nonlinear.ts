// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, defineGuard, load, NULL, readOnce, spinLock, spinUnlock, store } from '@lockless/cpu';
import { AddressSpace, MmStruct, type Page, VM_LOCKED, VmAreaStruct } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { pageAnon, pageMapcount, putPage } from '@lockless/page';
import { leaveFileOffset } from './file-offset.js';
import { eachVmaOn } from './i-mmap.js';
import { pageRemoveRmap } from './page-rmap.js';
import { pteLockptr } from './pgtable.js';
import { type Pte, pteDirty, ptePresent } from './pte.js';
import { readPte, vmNormalPage } from './pte-access.js';
import { ptepClearFlushNotify, ptepClearFlushYoungNotify } from './pte-notify.js';
import { nextPteRange, type PteRange } from './pte-range.js';
import { countRmap } from './rmap-work.js';
import { dirtyPageOfPte } from './set-page-dirty.js';

/*
 * try_to_unmap() of a page whose file has areas that are not linear. Where such an area shows the page, nobody knows. So it loses whatever it
 * shows, cluster by cluster, until the page is not mapped any more: a page that is unmapped in vain comes back with the next fault, by the offset that
 * it leaves. mm/rmap.c, 2.6.27.
 */

/** CLUSTER_SIZE, in pages. */
const CLUSTER_PAGES = 32;

const leaveOffset = defineGuard(
  'tryToUnmapCluster.fileOffset',
  'try_to_unmap leaves an empty entry in an area that is not linear, and the next fault finds the page of the linear place',
);

type Areas = Ptr<VmAreaStruct>[];

/**
 * The part of try_to_unmap_file() for areas that are not linear. Locked ones lose nothing, unless the page migrates. Pages that were used stay;
 * no migration entry is left, as nobody would find it.
 *
 * All areas are looked through up to the same place, which is where the last call stopped, then further on, until the end of the longest.
 *
 * *Context*: page locked, of a file. Takes i_mmap_lock, then page table locks.
 * *Source*: try_to_unmap_file(), mm/rmap.c, 2.6.27. *Differs*: i_mmap_lock is not dropped on the way.
 */
export function* tryToUnmapNonlinear(page: Ptr<Page>, mapping: Ptr<AddressSpace>, migration: boolean): Op<void> {
  yield* spinLock(AddressSpace.iMmapLock(mapping));
  const areas = yield* areasToTry(mapping, migration);
  let cursor = CLUSTER_PAGES;
  let longest = 0;
  for (const vma of areas) {
    cursor = Math.max(cursor, yield* load(VmAreaStruct.vmPrivateData(vma)));
    longest = Math.max(longest, yield* pagesOf(vma));
  }
  let left = yield* pageMapcount(page);
  // Rounded up to whole clusters; once at least.
  for (let first = true; left > 0 && (first || cursor < longest + CLUSTER_PAGES); first = false) {
    left = yield* unmapUpTo(areas, cursor, left);
    cursor += CLUSTER_PAGES;
  }
  // Not to go on for ever beyond the end: what is left is in locked areas, or was used.
  if (left > 0) for (const vma of areas) yield* store(VmAreaStruct.vmPrivateData(vma), 0);
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
}

function* areasToTry(mapping: Ptr<AddressSpace>, migration: boolean): Op<Areas> {
  const areas: Areas = [];
  yield* eachVmaOn(AddressSpace.iMmapNonlinear(mapping), function* (vma) {
    if (migration || ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) === 0) areas.push(vma);
    return false;
  });
  return areas;
}

function* pagesOf(vma: Ptr<VmAreaStruct>): Op<number> {
  return (yield* load(VmAreaStruct.vmEnd(vma))) - (yield* load(VmAreaStruct.vmStart(vma)));
}

/** *Returns* how many entries are still to be unmapped, as if all that were met were the page's. */
function* unmapUpTo(areas: Areas, limit: number, wanted: number): Op<number> {
  let left = wanted;
  for (const vma of areas) {
    const end = Math.min(limit, yield* pagesOf(vma));
    for (let cursor = yield* load(VmAreaStruct.vmPrivateData(vma)); cursor < end; ) {
      left -= yield* tryToUnmapCluster(vma, cursor);
      cursor += CLUSTER_PAGES;
      yield* store(VmAreaStruct.vmPrivateData(vma), cursor);
      if (left <= 0) return left;
    }
    yield* store(VmAreaStruct.vmPrivateData(vma), limit);
  }
  return left;
}

/**
 * try_to_unmap_cluster(): unmaps the pages of one cluster that were not used lately, whichever they are.
 *
 * *Context*: i_mmap_lock. Takes the page table lock. *Returns* how many.
 * *Source*: try_to_unmap_cluster(), mm/rmap.c, 2.6.27; mmu_notifier range as since 2.6.35.
 */
function* tryToUnmapCluster(vma: Ptr<VmAreaStruct>, cursor: number): Op<number> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const start = (yield* load(VmAreaStruct.vmStart(vma))) + cursor;
  const end = Math.min(start + CLUSTER_PAGES, yield* load(VmAreaStruct.vmEnd(vma)));
  let unmapped = 0;
  yield* mmuNotifierInvalidateRangeStart(mm, start, end);
  for (let range = yield* nextPteRange(mm, start, end); range !== NULL; range = yield* nextPteRange(mm, range.end, end))
    unmapped += yield* unmapRange(mm, vma, range);
  yield* mmuNotifierInvalidateRangeEnd(mm, start, end);
  return unmapped;
}

function* unmapRange(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, { ptes, address, end }: PteRange): Op<number> {
  const lock = pteLockptr(mm, ptes);
  let unmapped = 0;
  yield* spinLock(lock);
  for (let at = address; at < end; at++) {
    const ptep = (ptes + (at - address)) as Ref<Pte>;
    if (!ptePresent(yield* readOnce(ptep))) continue;
    countRmap('unmapSteps');
    if (yield* ptepClearFlushYoungNotify(mm, at, ptep)) continue;
    yield* unmapOne(mm, vma, at, ptep);
    unmapped++;
  }
  yield* spinUnlock(lock);
  return unmapped;
}

/** *Context*: page table lock; an entry of a page of a file, which need not be locked. */
function* unmapOne(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number, ptep: Ref<Pte>): Op<void> {
  const page = vmNormalPage(vma, address, yield* readPte(ptep));
  if (page === NULL) return;
  bugOn(yield* pageAnon(page), 'an anonymous page in an area that is not linear');
  const pte = yield* ptepClearFlushNotify(mm, address, ptep);
  if (leaveOffset()) yield* leaveFileOffset(page, vma, address, ptep);
  if (pteDirty(pte)) yield* dirtyPageOfPte(page);
  yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) - 1);
  yield* pageRemoveRmap(page);
  // It may be the last reference but that of the cache.
  yield* putPage(page);
}
