// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, SpinLock } from '@lockless/cpu';
import {
  containerOf,
  defineGuard,
  defineWord,
  ListHead,
  load,
  NULL,
  peek,
  poke,
  smpMb,
  smpWmb,
  spinLock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import { AddressSpace, VmAreaStruct } from '@lockless/mm-types';
import { eachFileVma } from './i-mmap.js';
import type { ZapDetails } from './zap.js';
import { breakLock, zapPageRange } from './zap.js';

/*
 * The zap of a big file drops i_mmap_lock now and then, and then the list of areas may have changed. So it starts over from the
 * head, and vm_truncate_count tells what is done: the number of this zap (positive), or, of an area left half done, where to go on:
 * the complement of a page number (negative).
 */
const restartAt = (address: number): number => ~address;
const isRestart = (count: number): boolean => count < 0;
const LAST_INDEX = 0x7fffffff;

const countedByFaults: Ref<number> = defineWord('truncate_count_in_faults');
const nonlinearToo = defineGuard(
  'unmapMappingRange.nonlinearToo',
  'truncation unmaps pages of the file in linear areas only',
);

/** From now on faults go by mapping->truncate_count, as before 2.6.23: its stores are ordered for them. *Context*: boot. */
export const useTruncateCount = (): void => poke(countedByFaults, 1);

/**
 * unmap_mapping_range(): removes the entries of all address spaces that map pages of a part of a file.
 *
 * *Context*: may sleep; no spinlock held. Truncation calls it twice, because a private copy can be made between it and the removal
 * from the cache (C2). `nrPages` 0: up to the end. `evenCows`: private copies of those pages too. Callers for one mapping exclude each other
 * (i_mutex): a zap that met the mark of another one's half-done area would take it for its own, as 2.6.37 and before could (fixed in 2.6.38,
 * "mm: prevent concurrent unmap_mapping_range() on the same inode").
 * *Source*: unmap_mapping_range(), mm/memory.c, 2.6.27. *Differs*: in pages, not bytes.
 */
export function* unmapMappingRange(
  mapping: Ptr<AddressSpace>,
  firstPage: number,
  nrPages: number,
  evenCows: boolean,
): Op<void> {
  const lock = AddressSpace.iMmapLock(mapping);
  yield* spinLock(lock);
  const details: ZapDetails = {
    checkMapping: evenCows ? NULL : mapping,
    nonlinear: false,
    firstIndex: firstPage,
    lastIndex: nrPages === 0 ? LAST_INDEX : Math.min(LAST_INDEX, firstPage + nrPages - 1),
    iMmapLock: lock,
    truncateCount: yield* nextTruncateCount(mapping),
  };
  yield* unmapMappingRangeOf(AddressSpace.iMmap(mapping), details, lock);
  if (nonlinearToo())
    yield* unmapMappingRangeOf(AddressSpace.iMmapNonlinear(mapping), { ...details, nonlinear: true }, lock);
  yield* spinUnlock(lock);
}

function* unmapMappingRangeOf(head: Ptr<ListHead>, details: ZapDetails, lock: Ref<SpinLock>): Op<void> {
  while (!(yield* unmapMappingRangeList(head, details))) yield* breakLock(lock);
}

/** mapping->truncate_count++, which numbers the zap; at the end of the numbers all areas forget theirs: reset_vma_truncate_counts(). */
function* nextTruncateCount(mapping: Ptr<AddressSpace>): Op<number> {
  let count = (yield* load(AddressSpace.truncateCount(mapping))) + 1;
  if (count > LAST_INDEX) {
    yield* eachFileVma(mapping, function* (vma) {
      yield* store(VmAreaStruct.vmTruncateCount(vma), 0);
      return false;
    });
    count = 1;
  }
  if (peek(countedByFaults) === 0) {
    yield* store(AddressSpace.truncateCount(mapping), count);
    return count;
  }
  // i_size before the count: a fault that sees the new count finds no page beyond the new size. Pairs with smp_rmb in do_no_page().
  yield* smpWmb();
  yield* writeOnce(AddressSpace.truncateCount(mapping), count); // an atomic in 2.6.6, plain in 2.6.18: that LKMM does not order
  // The count before the tables are read, which may be hung in by a fault that does not see the count yet.
  yield* smpMb();
  return count;
}

/** unmap_mapping_range_tree(), unmap_mapping_range_list(). *Returns* false when the lock should be dropped for a moment; then the list may be another afterwards. */
function* unmapMappingRangeList(head: Ptr<ListHead>, details: ZapDetails): Op<boolean> {
  for (let at = yield* load(ListHead.next(head)); at !== head; at = yield* load(ListHead.next(at))) {
    const vma = containerOf<VmAreaStruct>(at, VmAreaStruct, 'shared');
    if ((yield* load(VmAreaStruct.vmTruncateCount(vma))) === details.truncateCount) continue;
    if (!(yield* unmapMappingRangeVma(vma, details))) return false;
  }
  return true;
}

/** The page numbers at which an area maps the range, or may map it. */
function* pagesOf(vma: Ptr<VmAreaStruct>, details: ZapDetails): Op<{ readonly start: number; readonly end: number }> {
  const vmStart = yield* load(VmAreaStruct.vmStart(vma));
  if (details.nonlinear) return { start: vmStart, end: yield* load(VmAreaStruct.vmEnd(vma)) };
  const shift = vmStart - (yield* load(VmAreaStruct.vmPgoff(vma)));
  return {
    start: Math.max(vmStart, details.firstIndex + shift),
    end: Math.min(yield* load(VmAreaStruct.vmEnd(vma)), details.lastIndex + 1 + shift),
  };
}

/** unmap_mapping_range_vma(). *Returns* whether the area is done. */
function* unmapMappingRangeVma(vma: Ptr<VmAreaStruct>, details: ZapDetails): Op<boolean> {
  const mark = VmAreaStruct.vmTruncateCount(vma);
  const { start, end } = yield* pagesOf(vma, details);
  if (start >= end) return true;
  const left = yield* load(mark);
  // Done already are the pages below; when the upper part of a half-done area was split off, both parts carry the mark.
  const from = isRestart(left) ? Math.max(start, restartAt(left)) : start;
  const reached = from < end ? yield* zapPageRange(vma, from, end, details) : end;
  const done = reached >= end;
  yield* store(mark, done ? details.truncateCount : restartAt(reached));
  return done;
}
