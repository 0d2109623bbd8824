// SPDX-License-Identifier: GPL-2.0-only
import { atomicInc, current, downWrite, load, NULL, type Op, type Ptr, upWrite } from '@lockless/cpu';
import { EINVAL, File, MmStruct, taskMm, VM_LOCKED, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import { filePut } from '@lockless/pagecache';
import { findVma } from '@lockless/rmap';
import { makePagesPresent } from './mlock.js';
import { doMmap, MAP_FIXED, MAP_LOCKED, MAP_SHARED } from './mmap.js';
import { calcVmProtBits } from './page-prot.js';
import { forEachPiece } from './vma-range.js';

export interface RemapRequest {
  readonly start: number;
  readonly pages: number;
  readonly pgoff: number;
  /** Pages that are not there come when they are used; without it now. */
  readonly nonblock: boolean;
}

/**
 * remap_file_pages(2) as an mmap(2) of the same file in the place of the range, which may span areas that are alike. Advice for the old area is lost.
 *
 * *Context*: a task with an mm; takes mmap_sem. *Returns* 0; -EINVAL: no shared mapping of one file with the same flags all through; -ENOMEM.
 * *Source*: `sys_remap_file_pages`, mm/mmap.c, c8d78c1823f4 (4.0), areas that are alike 48f7df329474 (4.5).
 */
export function* remapByMmap({ start, pages, pgoff, nonblock }: RemapRequest): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  yield* downWrite(MmStruct.mmapSem(mm));
  const vma = yield* findVma(mm, start);
  const flags = vma === NULL ? 0 : yield* load(VmAreaStruct.vmFlags(vma));
  const alike = vma !== NULL && (flags & VM_SHARED) !== 0 && (yield* isOneMapping(mm, vma, start, pages));
  const error = alike ? yield* mapAnew(mm, vma, start, pages, pgoff) : -EINVAL;
  yield* upWrite(MmStruct.mmapSem(mm));
  if (error === 0 && (!nonblock || (flags & VM_LOCKED) !== 0)) yield* makePagesPresent(mm, start, start + pages);
  return error;
}

/** Whether the range is mapped all through, by areas of `vma`'s file that have its flags. *Context*: mmap_sem. */
function* isOneMapping(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, start: number, pages: number): Op<boolean> {
  const file = yield* load(VmAreaStruct.vmFile(vma));
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const unlike = yield* forEachPiece(mm, start, start + pages, true, function* (piece) {
    const same =
      (yield* load(VmAreaStruct.vmFile(piece.vma))) === file &&
      (yield* load(VmAreaStruct.vmFlags(piece.vma))) === flags;
    return same ? 0 : -EINVAL;
  });
  return unlike === 0;
}

/** *Context*: mmap_sem for writing. */
function* mapAnew(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, start: number, pages: number, pgoff: number): Op<number> {
  const file = yield* load(VmAreaStruct.vmFile(vma));
  const vmFlags = yield* load(VmAreaStruct.vmFlags(vma));
  if (file === NULL) return -EINVAL;
  const flags = MAP_SHARED | MAP_FIXED | ((vmFlags & VM_LOCKED) !== 0 ? MAP_LOCKED : 0);
  yield* atomicInc(File.count(file));
  const address = yield* doMmap(mm, { address: start, pages, prot: calcVmProtBits(vmFlags), flags, file, pgoff });
  yield* filePut(file);
  return Math.min(0, address);
}
