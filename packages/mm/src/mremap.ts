// SPDX-License-Identifier: GPL-2.0-only
import { current, downWrite, load, NULL, type Op, type Ptr, store, upWrite } from '@lockless/cpu';
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  MmStruct,
  taskMm,
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_PFNMAP,
  VmAreaStruct,
} from '@lockless/mm-types';
import { anonVmaUnlink, type CopiedVma, copyVma, findVma, vmaAdjust } from '@lockless/rmap';
import { makePagesPresent } from './mlock.js';
import { mmOption } from './mm-options.js';
import { type Move, movePageTables } from './move-page-tables.js';
import { doMunmap } from './munmap.js';
import { checkRange, getUnmappedArea, MAX_MAP_COUNT } from './unmapped-area.js';

/* MREMAP_* of mremap(2). */
export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

/** What mremap(2) is asked for, in pages. */
export interface MremapRequest {
  readonly address: number;
  readonly oldPages: number;
  readonly newPages: number;
  /** MREMAP_* bits. */
  readonly flags: number;
  /** With MREMAP_FIXED; with MREMAP_DONTUNMAP alone a wish, 0 for none. */
  readonly newAddress: number;
}

/**
 * mremap(2), in pages: shrinks, grows or moves a mapping. The pages stay the same; only the place where they are mapped changes. An old
 * length of 0: a second mapping of shared memory. MREMAP_DONTUNMAP: the old place stays mapped, empty.
 *
 * *Context*: a task with an mm; mmap_sem for writing. *Returns* the first page's number, or -EINVAL, -EFAULT, -ENOMEM.
 * *Source*: `do_mremap`, mm/mremap.c, 2.6.27; MREMAP_DONTUNMAP of any mapping as in 5.13 (e346b3813067, a4609387859f).
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
  if (!isRequest(request)) return failed(-EINVAL);
  const impossible = mmOption('mremapChecksFirst') === 0 ? 0 : yield* impossibility(mm, request);
  if (impossible !== 0) return failed(impossible);
  if (fixed) {
    const error = yield* doMunmap(mm, newAddress, newPages);
    if (error !== 0) return failed(error);
  }
  if (oldPages > newPages) {
    const error = yield* doMunmap(mm, address + newPages, oldPages - newPages);
    if (error !== 0) return failed(error);
    if (!fixed) return { address, locked: false };
  } else if (oldPages === newPages && !goesAway(request)) {
    return { address, locked: false };
  }
  return yield* growOrMove(mm, request, Math.min(oldPages, newPages));
}

/** Whether the new place is another in any case. */
const goesAway = ({ flags }: MremapRequest): boolean => (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;

/** Whether flags, addresses and lengths are such that they can be asked for. */
function isRequest(request: MremapRequest): boolean {
  const { address, oldPages, newPages, flags, newAddress } = request;
  const known = MREMAP_MAYMOVE | MREMAP_FIXED | (mmOption('mremapDontunmap') === 0 ? 0 : MREMAP_DONTUNMAP);
  if ((flags & ~known) !== 0 || oldPages < 0 || newPages <= 0) return false;
  if (checkRange(address, Math.max(1, oldPages)) !== 0) return false;
  if (!goesAway(request)) return true;
  if ((flags & MREMAP_MAYMOVE) === 0 || checkRange(newAddress, newPages) !== 0) return false;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && oldPages !== newPages) return false;
  const overlaps = newAddress < address + oldPages && newAddress + newPages > address;
  return !overlaps;
}

/**
 * Whether the range begins in an area, and what stays of it ends there when it is to grow or move. *Returns* 0, -EFAULT, or -EINVAL for a second mapping
 * of private memory.
 *
 * *Source*: `check_prep_vma`, mm/mremap.c, 6.17.
 */
function* impossibility(mm: Ptr<MmStruct>, request: MremapRequest): Op<number> {
  const { address, oldPages, newPages } = request;
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return -EFAULT;
  if (newPages <= oldPages && !goesAway(request)) return 0;
  if (oldPages === 0 && !(yield* mayDuplicate(vma))) return -EINVAL;
  return Math.min(oldPages, newPages) > (yield* load(VmAreaStruct.vmEnd(vma))) - address ? -EFAULT : 0;
}

/** A second mapping of private memory would be of something else. *Source*: dba58d3b8c50 (4.14). */
function* mayDuplicate(vma: Ptr<VmAreaStruct>): Op<boolean> {
  if (mmOption('mremapDuplicatesPrivate') !== 0) return true;
  return ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_MAYSHARE) !== 0;
}

function* growOrMove(mm: Ptr<MmStruct>, request: MremapRequest, kept: number): Op<Remapped> {
  const { address, newPages, flags } = request;
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return failed(-EFAULT);
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const vmFlags = yield* load(VmAreaStruct.vmFlags(vma));
  if (kept > end - address) return failed(-EFAULT);
  if (request.oldPages === 0 && !(yield* mayDuplicate(vma))) return failed(-EINVAL);
  if (newPages > kept && (vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return failed(-EFAULT);
  const locked = (vmFlags & VM_LOCKED) !== 0;
  if (!goesAway(request) && end === address + kept && (yield* roomBehind(vma, newPages - kept))) {
    yield* growInPlace(mm, vma, newPages - kept, locked);
    return { address, locked };
  }
  if ((flags & MREMAP_MAYMOVE) === 0) return failed(-ENOMEM);
  const to = (flags & MREMAP_FIXED) !== 0 ? request.newAddress : yield* getUnmappedArea(mm, wishOf(request), newPages);
  if (to < 0) return failed(to);
  const stays = (flags & MREMAP_DONTUNMAP) !== 0;
  return { address: yield* moveVma(mm, vma, { from: address, kept, to, pages: newPages, stays }), locked };
}

const wishOf = (request: MremapRequest): number => (goesAway(request) ? request.newAddress : 0);

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

interface VmaMove extends Move {
  /** Length at the new place. */
  readonly pages: number;
  /** The old place stays mapped, empty. */
  readonly stays: boolean;
}

/** move_vma(): a copy of the area at the new place, the entries moved over, the old place unmapped or left empty. *Source*: mm/mremap.c, 2.6.27. */
function* moveVma(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, move: VmaMove): Op<number> {
  if ((yield* load(MmStruct.mapCount(mm))) >= MAX_MAP_COUNT - 3) return -ENOMEM;
  const pgoff = (yield* load(VmAreaStruct.vmPgoff(vma))) + (move.from - (yield* load(VmAreaStruct.vmStart(vma))));
  const locked = ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) !== 0;
  const copied = yield* copyVma(vma, move.to, move.pages, pgoff);
  if (copied === NULL) return -ENOMEM;
  let result = move.to;
  let leave = { address: move.from, pages: move.stays ? 0 : move.kept };
  const moved = yield* movePageTables(mm, copied.source, move);
  if (moved < move.kept) {
    // No memory for a table on the way: what has moved moves back, to tables that are there, and the new place goes.
    yield* movePageTables(mm, copied.copy, { from: move.to, kept: moved, to: move.from });
    leave = { address: move.to, pages: move.pages };
    result = -ENOMEM;
  }
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) + move.pages);
  if (locked) yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) + move.pages);
  if (move.stays && result >= 0) yield* leaveArea(mm, copied, move);
  const error = leave.pages === 0 ? 0 : yield* doMunmap(mm, leave.address, leave.pages);
  return error === 0 ? result : error;
}

/**
 * The area that was moved from is locked no more, nor is what it has besides; if all of it was moved, it is as new, without an anon_vma.
 *
 * *Source*: `dontunmap_complete`, mm/mremap.c, 6.17. *Differs*: locked_vm goes with it, which there is left as it was.
 */
function* leaveArea(mm: Ptr<MmStruct>, { copy, source }: CopiedVma, { from, kept }: Move): Op<void> {
  const start = yield* load(VmAreaStruct.vmStart(source));
  const end = yield* load(VmAreaStruct.vmEnd(source));
  const flags = yield* load(VmAreaStruct.vmFlags(source));
  if ((flags & VM_LOCKED) !== 0) {
    yield* store(VmAreaStruct.vmFlags(source), flags & ~VM_LOCKED);
    yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) - (end - start));
  }
  if (copy === source || start !== from || end !== from + kept) return;
  yield* anonVmaUnlink(source);
  yield* store(VmAreaStruct.anonVma(source), NULL);
}
