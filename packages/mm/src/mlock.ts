// SPDX-License-Identifier: GPL-2.0-only
import { current, downRead, downWrite, load, NULL, type Op, type Ptr, store, upRead, upWrite } from '@lockless/cpu';
import {
  EINVAL,
  ENOMEM,
  MmStruct,
  taskMm,
  VM_EXEC,
  VM_IO,
  VM_LOCKED,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { FOLL_FORCE, FOLL_WRITE, getUserPages } from './gup.js';
import { checkRange, TASK_PAGES } from './unmapped-area.js';
import { changeVmFlags } from './vma-flags.js';
import { forEachPiece, type Piece } from './vma-range.js';

/**
 * make_pages_present(): faults a range in, as a program that reads it, or writes it where it is private and writable, would.
 *
 * *Context*: a task with that mm; takes mmap_sem for reading, page by page. *Returns* 0, -ENOMEM when a page could not be had.
 * *Source*: `make_pages_present`, `get_user_pages`, mm/memory.c, 2.6.27; write only to private areas as in 2.6.29.
 */
export function* makePagesPresent(mm: Ptr<MmStruct>, start: number, end: number): Op<number> {
  yield* downRead(MmStruct.mmapSem(mm));
  const error = yield* forEachPiece(mm, start, end, false, (piece) => populatePiece(mm, piece));
  yield* upRead(MmStruct.mmapSem(mm));
  return error;
}

/** {@link makePagesPresent} for one area or part of it. *Context*: mmap_sem. */
export function* populatePiece(mm: Ptr<MmStruct>, { vma, start, end }: Piece): Op<number> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  if ((flags & (VM_IO | VM_PFNMAP)) !== 0) return 0;
  // Nobody may touch these: get_user_pages() refuses them.
  if ((flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0) return -ENOMEM;
  const write = (flags & (VM_WRITE | VM_SHARED)) === VM_WRITE;
  const present = yield* getUserPages(mm, start, end - start, FOLL_FORCE | (write ? FOLL_WRITE : 0), null);
  return present === end - start ? 0 : -ENOMEM;
}

/** mlock(2), in pages: VM_LOCKED, and every page present. *Returns* 0, -ENOMEM, -EINVAL. *Source*: `sys_mlock`, mm/mlock.c, 2.6.27. */
export function* sysMlock(start: number, pages: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  const error = yield* changeLocked(mm, start, pages, true);
  return error === 0 ? yield* makePagesPresent(mm, start, start + pages) : error;
}

/** munlock(2), in pages. *Source*: `sys_munlock`, mm/mlock.c, 2.6.27. */
export function* sysMunlock(start: number, pages: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  return mm === NULL ? -EINVAL : yield* changeLocked(mm, start, pages, false);
}

function* changeLocked(mm: Ptr<MmStruct>, start: number, pages: number, locked: boolean): Op<number> {
  if (pages === 0) return 0;
  const impossible = checkRange(start, pages);
  if (impossible !== 0) return impossible;
  yield* downWrite(MmStruct.mmapSem(mm));
  const error = yield* forEachPiece(mm, start, start + pages, true, (piece) => mlockFixup(mm, piece, locked));
  yield* upWrite(MmStruct.mmapSem(mm));
  return error;
}

/**
 * mlock_fixup(). *Context*: mmap_sem for writing. *Source*: mm/mlock.c, 2.6.27.
 * *Differs*: locked pages stay on the usual lists, as before the unevictable list of 2.6.28: reclaim meets them and leaves them alone.
 */
function* mlockFixup(mm: Ptr<MmStruct>, piece: Piece, locked: boolean): Op<number> {
  const old = yield* load(VmAreaStruct.vmFlags(piece.vma));
  const vmFlags = locked ? old | VM_LOCKED : old & ~VM_LOCKED;
  if (vmFlags === old) return 0;
  const { error } = yield* changeVmFlags(mm, piece, vmFlags);
  if (error !== 0) return error;
  const pages = piece.end - piece.start;
  yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) + (locked ? pages : -pages));
  return 0;
}

/* MCL_* of mlockall(2). */
export const MCL_CURRENT = 1;
export const MCL_FUTURE = 2;

/**
 * mlockall(2): the areas that there are (MCL_CURRENT) become locked and present, those to come (MCL_FUTURE) will be.
 *
 * *Context*: a task with an mm. *Returns* 0, -EINVAL; that a page could not be had is not told.
 * *Source*: `sys_mlockall`, `do_mlockall`, mm/mlock.c, 2.6.27.
 */
export function* sysMlockall(flags: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL || flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE)) !== 0) return -EINVAL;
  yield* lockAll(mm, flags);
  if ((flags & MCL_CURRENT) === 0) return 0;
  yield* downRead(MmStruct.mmapSem(mm));
  yield* forEachPiece(mm, 0, TASK_PAGES, false, function* (piece) {
    yield* populatePiece(mm, piece);
    return 0;
  });
  yield* upRead(MmStruct.mmapSem(mm));
  return 0;
}

/** munlockall(2). *Source*: `sys_munlockall`, mm/mlock.c, 2.6.27. */
export function* sysMunlockall(): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  yield* lockAll(mm, 0);
  return 0;
}

function* lockAll(mm: Ptr<MmStruct>, flags: number): Op<void> {
  yield* downWrite(MmStruct.mmapSem(mm));
  yield* store(MmStruct.defFlags(mm), (flags & MCL_FUTURE) !== 0 ? VM_LOCKED : 0);
  if (flags !== MCL_FUTURE) {
    const locked = (flags & MCL_CURRENT) !== 0;
    yield* forEachPiece(mm, 0, TASK_PAGES, false, function* (piece) {
      yield* mlockFixup(mm, piece, locked);
      return 0;
    });
  }
  yield* upWrite(MmStruct.mmapSem(mm));
}
