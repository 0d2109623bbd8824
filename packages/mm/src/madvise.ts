// SPDX-License-Identifier: GPL-2.0-only
import { atomicInc, current, downRead, downWrite, load, NULL, type Op, type Ptr, upRead, upWrite } from '@lockless/cpu';
import { khugepagedEnter, khugepagedRuns } from '@lockless/huge-memory';
import {
  EACCES,
  EBADF,
  EINVAL,
  ENOMEM,
  File,
  MmStruct,
  PAGE_SIZE,
  taskMm,
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_IO,
  VM_LOCKED,
  VM_MAYWRITE,
  VM_NOHUGEPAGE,
  VM_NONLINEAR,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { filePut, forcePageCacheReadahead } from '@lockless/pagecache';
import { hugePmdsInUse, type ZapDetails, zapPageRange } from '@lockless/rmap';
import { punchHole } from './fallocate.js';
import { collapsePiece } from './madvise-collapse.js';
import { freePiece } from './madvise-free.js';
import { pageoutPiece } from './madvise-pageout.js';
import { mmOption } from './mm-options.js';
import { checkRange } from './unmapped-area.js';
import { changeVmFlags } from './vma-flags.js';
import { forEachPiece, type Piece } from './vma-range.js';

/* MADV_* of madvise(2). */
export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_REMOVE = 9;
export const MADV_DONTFORK = 10;
export const MADV_DOFORK = 11;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_PAGEOUT = 21;
export const MADV_COLLAPSE = 25;
/** From here on: mergeable, huge pages, core dumps, cold; accepted, and without effect here. */
const MADV_MERGEABLE = 12;
const MADV_LAST = 25;

/** Flags of an area after advice that only changes flags; undefined: the advice does something else. */
function advisedFlags(advice: number, flags: number): number | undefined {
  switch (advice) {
    case MADV_NORMAL:
      return flags & ~(VM_RAND_READ | VM_SEQ_READ);
    case MADV_RANDOM:
      return (flags & ~VM_SEQ_READ) | VM_RAND_READ;
    case MADV_SEQUENTIAL:
      return (flags & ~VM_RAND_READ) | VM_SEQ_READ;
    case MADV_DONTFORK:
      return flags | VM_DONTCOPY;
    case MADV_DOFORK:
      return flags & ~VM_DONTCOPY;
    case MADV_HUGEPAGE:
      return hugePmdsInUse() ? (flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE : undefined;
    case MADV_NOHUGEPAGE:
      return hugePmdsInUse() ? (flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE : undefined;
    default:
      return undefined;
  }
}

/**
 * madvise(2), in pages.
 *
 * *Context*: a task with an mm; mmap_sem for writing where flags change, else for reading.
 * *Returns* 0; -ENOMEM when a part is not mapped (the rest is advised); -EINVAL; -EBADF for MADV_WILLNEED of anonymous memory; errors of
 * {@link punchHole} for MADV_REMOVE.
 * *Source*: `sys_madvise`, mm/madvise.c, 2.6.27.
 * MADV_FREE: {@link freePiece}, 4.12. MADV_PAGEOUT: 5.4. MADV_COLLAPSE: {@link collapsePiece}, 6.1.
 */
export function* sysMadvise(start: number, pages: number, advice: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL || advice < 0 || advice > MADV_LAST) return -EINVAL;
  if (pages === 0) return 0;
  const impossible = checkRange(start, pages);
  if (impossible !== 0) return impossible;
  const changesFlags = advisedFlags(advice, 0) !== undefined;
  yield* changesFlags ? downWrite(MmStruct.mmapSem(mm)) : downRead(MmStruct.mmapSem(mm));
  const error = yield* forEachPiece(mm, start, start + pages, false, (piece) => madviseVma(mm, piece, advice));
  yield* changesFlags ? upWrite(MmStruct.mmapSem(mm)) : upRead(MmStruct.mmapSem(mm));
  return error;
}

function* madviseVma(mm: Ptr<MmStruct>, piece: Piece, advice: number): Op<number> {
  const flags = yield* load(VmAreaStruct.vmFlags(piece.vma));
  const changed = advisedFlags(advice, flags);
  if (changed !== undefined) {
    if (advice === MADV_DOFORK && (flags & VM_IO) !== 0) return -EINVAL;
    const { error } = yield* changeVmFlags(mm, piece, changed);
    if (advice === MADV_HUGEPAGE && khugepagedRuns()) yield* khugepagedEnter(mm);
    return error === 0 ? 0 : -ENOMEM;
  }
  switch (advice) {
    case MADV_WILLNEED:
      return yield* willneed(piece);
    case MADV_DONTNEED:
      return yield* dontneed(piece, flags);
    case MADV_PAGEOUT:
      return yield* pageoutPiece(mm, piece, flags, false);
    case MADV_COLLAPSE:
      return yield* collapsePiece(mm, piece);
    case MADV_REMOVE:
      return yield* remove(mm, piece, flags);
    case MADV_FREE:
      return yield* freePiece(mm, piece, flags);
    default:
      return advice >= MADV_MERGEABLE ? 0 : -EINVAL;
  }
}

/** Starts to read the file's pages. *Source*: `madvise_willneed`, mm/madvise.c, 2.6.27. */
function* willneed({ vma, start, end }: Piece): Op<number> {
  const file = yield* load(VmAreaStruct.vmFile(vma));
  if (file === NULL) return -EBADF;
  const first = start - (yield* load(VmAreaStruct.vmStart(vma))) + (yield* load(VmAreaStruct.vmPgoff(vma)));
  yield* forcePageCacheReadahead(yield* load(File.mapping(file)), File.ra(file), file, first, end - start);
  return 0;
}

/** The next touch finds the same page of the file, in an area that is not linear. */
const LEAVE_OFFSETS: ZapDetails = {
  checkMapping: NULL,
  nonlinear: true,
  firstIndex: 0,
  lastIndex: Number.MAX_SAFE_INTEGER,
  iMmapLock: NULL,
  truncateCount: 0,
};

/** Drops the pages: the next touch finds the file's page, or zeros. *Source*: `madvise_dontneed`, mm/madvise.c, 2.6.27. */
function* dontneed({ vma, start, end }: Piece, flags: number): Op<number> {
  if ((flags & (VM_LOCKED | VM_PFNMAP)) !== 0) return -EINVAL;
  yield* zapPageRange(vma, start, end, (flags & VM_NONLINEAR) !== 0 ? LEAVE_OFFSETS : null);
  return 0;
}

/** What an area must have for MADV_REMOVE. */
const removableFlags = (): number => VM_SHARED | (mmOption('removeAsPunch') === 0 ? VM_WRITE : VM_MAYWRITE);

/**
 * madvise_remove(): makes a hole of the file's pages that are mapped there.
 *
 * *Context*: mmap_sem for reading, dropped meanwhile: truncation takes the locks in the other order; so the walk goes on by address.
 * *Returns* 0; -EINVAL, -EACCES, -ETXTBSY.
 * *Source*: `madvise_remove`, mm/madvise.c, 2.6.27; any file that can have holes as in 3.5 (3f31d07571ee), with a reference to it while
 * mmap_sem is not held (3.5).
 */
function* remove(mm: Ptr<MmStruct>, { vma, start, end }: Piece, flags: number): Op<number> {
  if ((flags & (VM_LOCKED | VM_NONLINEAR)) !== 0) return -EINVAL;
  const file = yield* load(VmAreaStruct.vmFile(vma));
  if (file === NULL) return -EINVAL;
  const needed = removableFlags();
  if ((flags & needed) !== needed) return -EACCES;
  const first = start - (yield* load(VmAreaStruct.vmStart(vma))) + (yield* load(VmAreaStruct.vmPgoff(vma)));
  yield* atomicInc(File.count(file));
  yield* upRead(MmStruct.mmapSem(mm));
  const error = yield* punchHole(
    yield* load(File.inode(file)),
    first * PAGE_SIZE,
    (end - start) * PAGE_SIZE,
    mmOption('removeAsPunch') === 0,
  );
  yield* filePut(file);
  yield* downRead(MmStruct.mmapSem(mm));
  return error;
}
