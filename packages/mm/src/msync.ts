// SPDX-License-Identifier: GPL-2.0-only
import { atomicInc, current, downRead, load, NULL, type Op, type Ptr, upRead } from '@lockless/cpu';
import {
  EBUSY,
  EINVAL,
  ENOMEM,
  File,
  MmStruct,
  taskMm,
  VM_LOCKED,
  VM_NONLINEAR,
  VM_SHARED,
  VmAreaStruct,
} from '@lockless/mm-types';
import { filePut } from '@lockless/pagecache';
import { findVma } from '@lockless/rmap';
import { mmOption } from './mm-options.js';
import { fileFsync } from './sync.js';
import { checkRange } from './unmapped-area.js';

/* MS_* of msync(2). */
export const MS_ASYNC = 1;
export const MS_INVALIDATE = 2;
export const MS_SYNC = 4;

/**
 * msync(2), in pages: with MS_SYNC, the files mapped shared in the range are written.
 *
 * mmap_sem is dropped while a file is written, so each time the walk goes on by address: the areas may have changed.
 *
 * *Context*: a task with an mm. *Returns* 0; -ENOMEM when a part is not mapped; -EBUSY, -EINVAL; -EIO, -ENOSPC of the writeback.
 * *Source*: `sys_msync`, mm/msync.c, 2.6.27, which writes the whole file; by option the mapped part of it, as since 3.16.
 */
export function* sysMsync(start: number, pages: number, flags: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  const contradictory = (flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0;
  if (mm === NULL || contradictory || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0) return -EINVAL;
  if (pages === 0) return 0;
  const impossible = checkRange(start, pages);
  if (impossible !== 0) return -ENOMEM;
  let unmapped = 0;
  for (let at = start; at < start + pages; ) {
    const step = yield* nextArea(mm, at, flags);
    if (step.error !== 0) return step.error;
    if (step.start >= start + pages || step.start > at) unmapped = -ENOMEM;
    const from = Math.max(at, step.start);
    at = step.end;
    if (step.file === NULL) continue;
    const error = from < start + pages ? yield* syncMapped(step, step.file, from, start + pages) : 0;
    yield* filePut(step.file);
    if (error !== 0) return error;
  }
  return unmapped;
}

/** Writes what the area maps in the range from `at`, or all of its file. */
function* syncMapped(step: Step, file: Ptr<File>, at: number, end: number): Op<number> {
  // Which part is mapped cannot be said of an area that is not linear (3.16 looks at the same flag).
  if (mmOption('msyncRange') === 0 || step.nonlinear) return yield* fileFsync(file);
  const shift = step.pgoff - step.start;
  return yield* fileFsync(file, at + shift, Math.min(end, step.end) - 1 + shift);
}

interface Step {
  readonly error: number;
  readonly start: number;
  readonly end: number;
  readonly pgoff: number;
  readonly nonlinear: boolean;
  /** To be written; with a reference. */
  readonly file: Ptr<File> | 0;
}

/** The area at or after a page, and its file if that must be written. */
function* nextArea(mm: Ptr<MmStruct>, address: number, flags: number): Op<Step> {
  yield* downRead(MmStruct.mmapSem(mm));
  const step = yield* describeArea(yield* findVma(mm, address), flags);
  yield* upRead(MmStruct.mmapSem(mm));
  return step;
}

function* describeArea(vma: Ptr<VmAreaStruct> | 0, flags: number): Op<Step> {
  if (vma === NULL) return { error: -ENOMEM, start: 0, end: 0, pgoff: 0, nonlinear: false, file: NULL };
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const pgoff = yield* load(VmAreaStruct.vmPgoff(vma));
  const vmFlags = yield* load(VmAreaStruct.vmFlags(vma));
  const area = { start, end, pgoff, nonlinear: (vmFlags & VM_NONLINEAR) !== 0 };
  if ((flags & MS_INVALIDATE) !== 0 && (vmFlags & VM_LOCKED) !== 0) return { ...area, error: -EBUSY, file: NULL };
  const file = yield* load(VmAreaStruct.vmFile(vma));
  if ((flags & MS_SYNC) === 0 || file === NULL || (vmFlags & VM_SHARED) === 0) return { ...area, error: 0, file: NULL };
  yield* atomicInc(File.count(file));
  return { ...area, error: 0, file };
}
