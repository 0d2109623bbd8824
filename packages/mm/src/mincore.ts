// SPDX-License-Identifier: GPL-2.0-only
import { current, downRead, load, NULL, type Op, type Ptr, upRead } from '@lockless/cpu';
import { type AddressSpace, EINVAL, MmStruct, taskMm, VmAreaStruct } from '@lockless/mm-types';
import { pageUptodate, putPage } from '@lockless/page';
import { findGetPage, swapperSpace } from '@lockless/pagecache';
import {
  HUGE_PMD,
  isSwapPte,
  nonSwapEntry,
  PTE_NONE,
  pteFile,
  pteOffsetUnlessHuge,
  ptePresent,
  pteToPgoff,
  pteToSwpEntry,
  readPte,
  type SwpEntry,
  vmaMapping,
} from '@lockless/rmap';
import { shmemMapping } from './shmem.js';
import { shmemPlaceOf } from './shmem-info.js';
import { checkRange } from './unmapped-area.js';
import { forEachPiece, type Piece } from './vma-range.js';

/**
 * mincore(2), in pages: which pages could be touched without waiting for a disk.
 *
 * *Context*: a task with an mm; takes mmap_sem for reading.
 * *Returns* one truth per page: mapped (the zero page too), or in the page cache, or the swap cache, and uptodate; or -ENOMEM when a part is not mapped, -EINVAL.
 * *Source*: `sys_mincore`, mm/mincore.c, 2.6.27. *Differs*: every file counts as writable by the caller (5.0 hides others).
 */
export function* sysMincore(start: number, pages: number): Op<boolean[] | number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL || checkRange(start, pages) !== 0) return -EINVAL;
  const resident: boolean[] = [];
  yield* downRead(MmStruct.mmapSem(mm));
  const error = yield* forEachPiece(mm, start, start + pages, true, (piece) => residency(mm, piece, resident));
  yield* upRead(MmStruct.mmapSem(mm));
  return error === 0 ? resident : error;
}

function* residency(mm: Ptr<MmStruct>, { vma, start, end }: Piece, resident: boolean[]): Op<number> {
  const mapping = yield* vmaMapping(vma);
  const shift = (yield* load(VmAreaStruct.vmPgoff(vma))) - (yield* load(VmAreaStruct.vmStart(vma)));
  for (let address = start; address < end; address++) {
    const at = yield* pteOffsetUnlessHuge(mm, address);
    if (at === HUGE_PMD) {
      resident.push(true);
      continue;
    }
    const pte = at === NULL ? PTE_NONE : yield* readPte(at);
    if (ptePresent(pte)) resident.push(true);
    else if (isSwapPte(pte)) resident.push(yield* swapResident(pteToSwpEntry(pte)));
    else if (pteFile(pte)) resident.push(mapping !== NULL && (yield* fileResident(mapping, pteToPgoff(pte))));
    else resident.push(mapping !== NULL && (yield* fileResident(mapping, address + shift)));
  }
  return 0;
}

/** A swapped page: in the swap cache and uptodate. One that is being migrated is in memory all the time. */
function* swapResident(entry: SwpEntry): Op<boolean> {
  return nonSwapEntry(entry) || (yield* cached(swapperSpace, entry));
}

/** A page of a file; of one in memory it may be in the swap cache. */
function* fileResident(mapping: Ptr<AddressSpace>, index: number): Op<boolean> {
  if (yield* cached(mapping, index)) return true;
  const entry = (yield* shmemMapping(mapping)) ? yield* shmemPlaceOf(mapping, index) : NULL;
  return entry !== NULL && (yield* cached(swapperSpace, entry));
}

function* cached(mapping: Parameters<typeof findGetPage>[0], index: number): Op<boolean> {
  const page = yield* findGetPage(mapping, index);
  if (page === NULL) return false;
  const uptodate = yield* pageUptodate(page);
  yield* putPage(page);
  return uptodate;
}
