// SPDX-License-Identifier: GPL-2.0-only
import {
  current,
  downWrite,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  upWrite,
} from '@lockless/cpu';
import {
  AddressSpace,
  EFAULT,
  EINVAL,
  ENOMEM,
  MmStruct,
  taskMm,
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_PFNMAP,
  VmAreaStruct,
} from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import {
  copyVma,
  findVma,
  nextPteRange,
  type Pte,
  pageMoveRmap,
  pteAllocMap,
  pteNone,
  ptePresent,
  ptepClearFlush,
  setPteAt,
  vmaAdjust,
  vmaMapping,
  vmNormalPage,
} from '@lockless/rmap';
import { makePagesPresent } from './mlock.js';
import { mmOption } from './mm-options.js';
import { canMove, makePageExclusive } from './mremap-exclusive.js';
import { doMunmap } from './munmap.js';
import { checkRange, getUnmappedArea, MAX_MAP_COUNT } from './unmapped-area.js';

/* MREMAP_* of mremap(2). */
export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;

/** What mremap(2) is asked for, in pages. */
export interface MremapRequest {
  readonly address: number;
  readonly oldPages: number;
  readonly newPages: number;
  /** MREMAP_* bits. */
  readonly flags: number;
  /** With MREMAP_FIXED. */
  readonly newAddress: number;
}

/**
 * mremap(2), in pages: shrinks, grows or moves a mapping. The pages stay the same; only the place where they are mapped changes.
 *
 * *Context*: a task with an mm; mmap_sem for writing. *Returns* the first page's number, or -EINVAL, -EFAULT, -ENOMEM.
 * *Source*: `do_mremap`, mm/mremap.c, 2.6.27. *Differs*: an old length of 0 (a second mapping of shared pages) is -EINVAL.
 */
export function* sysMremap(request: MremapRequest): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  yield* downWrite(MmStruct.mmapSem(mm));
  const { address, locked } = yield* doMremap(mm, request);
  yield* upWrite(MmStruct.mmapSem(mm));
  const { oldPages, newPages } = request;
  if (locked && address >= 0 && newPages > oldPages)
    yield* makePagesPresent(mm, address + oldPages, address + newPages);
  return address;
}

interface Remapped {
  /** Page number or -errno. */
  readonly address: number;
  /** The area is VM_LOCKED: its new pages must be made present. */
  readonly locked: boolean;
}
const failed = (error: number): Remapped => ({ address: error, locked: false });

function* doMremap(mm: Ptr<MmStruct>, request: MremapRequest): Op<Remapped> {
  const { address, flags, newAddress } = request;
  const { oldPages, newPages } = request;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  const mayMove = (flags & MREMAP_MAYMOVE) !== 0;
  if (oldPages <= 0 || newPages <= 0 || checkRange(address, oldPages) !== 0 || (fixed && !mayMove))
    return failed(-EINVAL);
  const overlaps = newAddress < address + oldPages && newAddress + newPages > address;
  if (fixed && (overlaps || checkRange(newAddress, newPages) !== 0)) return failed(-EINVAL);
  if (mmOption('mremapChecksFirst') !== 0 && !(yield* isPossible(mm, request))) return failed(-EFAULT);
  if (fixed) {
    const error = yield* doMunmap(mm, newAddress, newPages);
    if (error !== 0) return failed(error);
  }
  if (oldPages > newPages) {
    const error = yield* doMunmap(mm, address + newPages, oldPages - newPages);
    if (error !== 0) return failed(error);
    if (!fixed) return { address, locked: false };
  } else if (oldPages === newPages && !fixed) {
    return { address, locked: false };
  }
  return yield* growOrMove(mm, request, Math.min(oldPages, newPages));
}

/** Whether the range begins in an area, and what stays of it ends there when it is to grow or move. *Source*: `check_prep_vma`, 6.17. */
function* isPossible(mm: Ptr<MmStruct>, { address, oldPages, newPages, flags }: MremapRequest): Op<boolean> {
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return false;
  const staysThere = newPages <= oldPages && (flags & MREMAP_FIXED) === 0;
  return staysThere || Math.min(oldPages, newPages) <= (yield* load(VmAreaStruct.vmEnd(vma))) - address;
}

function* growOrMove(mm: Ptr<MmStruct>, request: MremapRequest, kept: number): Op<Remapped> {
  const { address, newPages, flags } = request;
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return failed(-EFAULT);
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const vmFlags = yield* load(VmAreaStruct.vmFlags(vma));
  if (kept > end - address) return failed(-EFAULT);
  if (newPages > kept && (vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return failed(-EFAULT);
  const locked = (vmFlags & VM_LOCKED) !== 0;
  if ((flags & MREMAP_FIXED) === 0 && end === address + kept && (yield* roomBehind(vma, newPages - kept))) {
    yield* growInPlace(mm, vma, newPages - kept, locked);
    return { address, locked };
  }
  if ((flags & MREMAP_MAYMOVE) === 0) return failed(-ENOMEM);
  const to = (flags & MREMAP_FIXED) !== 0 ? request.newAddress : yield* getUnmappedArea(mm, 0, newPages);
  if (to < 0) return failed(to);
  return { address: yield* moveVma(mm, vma, { from: address, kept, to, pages: newPages }), locked };
}

function* roomBehind(vma: Ptr<VmAreaStruct>, pages: number): Op<boolean> {
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const next = yield* load(VmAreaStruct.vmNext(vma));
  const limit = next === NULL ? end + pages : yield* load(VmAreaStruct.vmStart(next));
  return end + pages <= limit && checkRange(end, Math.max(pages, 1)) === 0;
}

function* growInPlace(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, pages: number, locked: boolean): Op<void> {
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  yield* vmaAdjust(vma, start, end + pages, yield* load(VmAreaStruct.vmPgoff(vma)));
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) + pages);
  if (locked) yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) + pages);
}

interface Move {
  readonly from: number;
  /** Pages that exist at the old place and go along. */
  readonly kept: number;
  readonly to: number;
  /** Length at the new place. */
  readonly pages: number;
}

/** move_vma(): a copy of the area at the new place, the entries moved over, the old place unmapped. *Source*: mm/mremap.c, 2.6.27. */
function* moveVma(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, move: Move): Op<number> {
  if ((yield* load(MmStruct.mapCount(mm))) >= MAX_MAP_COUNT - 3) return -ENOMEM;
  const pgoff = (yield* load(VmAreaStruct.vmPgoff(vma))) + (move.from - (yield* load(VmAreaStruct.vmStart(vma))));
  const locked = ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) !== 0;
  const copied = yield* copyVma(vma, move.to, move.pages, pgoff);
  if (copied === NULL) return -ENOMEM;
  let result = move.to;
  let leave = { address: move.from, pages: move.kept };
  const moved = yield* movePageTables(mm, copied.source, move);
  if (moved < move.kept) {
    // No memory for a table on the way: what has moved moves back, to tables that are there, and the new place goes.
    yield* movePageTables(mm, copied.copy, { from: move.to, kept: moved, to: move.from, pages: moved });
    leave = { address: move.to, pages: move.pages };
    result = -ENOMEM;
  }
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) + move.pages);
  if (locked) yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) + move.pages);
  const error = yield* doMunmap(mm, leave.address, leave.pages);
  return error === 0 ? result : error;
}

/**
 * move_page_tables(): moves entries, without touching the pages or their counts.
 *
 * *Context*: mmap_sem for writing. Takes i_mmap_lock of a file, so that truncation, which walks area by area, cannot pass the new place
 * before an entry arrives there and the old one after it left.
 * *Returns* how many pages from the start were dealt with: less than `kept` when memory for a table was short.
 * *Source*: `move_page_tables`, `move_ptes`, mm/mremap.c, 2.6.27.
 */
function* movePageTables(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, move: Move): Op<number> {
  yield* mmuNotifierInvalidateRangeStart(mm, move.from, move.from + move.kept);
  const moved = yield* moveEntries(mm, vma, move);
  yield* mmuNotifierInvalidateRangeEnd(mm, move.from, move.from + move.kept);
  return moved;
}

function* moveEntries(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, { from, kept, to }: Move): Op<number> {
  const mapping = yield* vmaMapping(vma);
  let range = yield* nextPteRange(mm, from, from + kept);
  for (; range !== NULL; range = yield* nextPteRange(mm, range.end, from + kept)) {
    for (let address = range.address; address < range.end; address++) {
      const source = (range.ptes + (address - range.address)) as Ref<Pte>;
      if (pteNone(yield* readOnce(source))) continue;
      const target = yield* pteAllocMap(mm, to + (address - from));
      if (target === NULL) return address - from;
      const place = { address: to + (address - from), pte: target };
      while (!(yield* movePte(mm, mapping, { address, pte: source }, place))) {
        if (!(yield* makePageExclusive(vma, address))) return address - from;
      }
    }
  }
  return kept;
}

/** The place of an entry. */
interface Place {
  readonly address: number;
  readonly pte: Ref<Pte>;
}

/**
 * Flushed under the page-table lock: nobody may find the page at the new place, and free it, while a CPU uses it at the old one.
 * *Returns* false when the entry has to stay until its page is exclusive, see {@link canMove}.
 */
function* movePte(mm: Ptr<MmStruct>, mapping: Ptr<AddressSpace> | Null, from: Place, to: Place): Op<boolean> {
  if (mapping !== NULL) yield* spinLock(AddressSpace.iMmapLock(mapping));
  yield* spinLock(MmStruct.pageTableLock(mm));
  const movable = yield* canMove(from.address, from.pte);
  if (movable) yield* moveEntry(mm, from, to);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (mapping !== NULL) yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  return movable;
}

/** *Context*: page-table lock. */
function* moveEntry(mm: Ptr<MmStruct>, from: Place, to: Place): Op<void> {
  // Reclaim or truncation may have been here since we looked.
  const entry = yield* ptepClearFlush(mm, from.address, from.pte);
  if (!pteNone(entry)) yield* setPteAt(mm, to.address, to.pte, entry);
  const page = ptePresent(entry) ? vmNormalPage(NULL, from.address, entry) : NULL;
  if (page !== NULL) yield* pageMoveRmap(page, from.pte, to.pte, to.address);
}
