// SPDX-License-Identifier: GPL-2.0-only
import {
  downRead,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  type Ref,
  spinLock,
  spinUnlock,
  upRead,
} from '@lockless/cpu';
import { EINVAL, MmStruct, type Page, VM_LOCKED, VM_PFNMAP, VmAreaStruct } from '@lockless/mm-types';
import { clearPageReferenced, lruAddDrain, pageMapcount, putPage } from '@lockless/page';
import { isolateLruPageForMigration, lookupSwapCache, reclaimPages } from '@lockless/pagecache';
import {
  isSwapPte,
  nextPteRange,
  nonSwapEntry,
  type Pte,
  type PteRange,
  ptePresent,
  ptepClearFlushYoung,
  pteToSwpEntry,
  readPte,
  vmNormalPage,
} from '@lockless/rmap';
import { giveUpHuge } from './madvise-huge.js';
import { checkRange } from './unmapped-area.js';
import { forEachPiece, type Piece } from './vma-range.js';

/**
 * madvise(MADV_PAGEOUT): reclaims what an area has mapped and nobody else maps, used or not: anonymous pages are swapped out, pages of files
 * lose their mapping, and leave the cache if they are clean.
 *
 * *Context*: mmap_sem for reading. Sleeps. `sync`: waits until the pages are written and frees their frames too.
 * *Returns* 0, or -EINVAL for locked memory.
 * *Source*: `madvise_pageout`, `madvise_cold_or_pageout_pte_range`, mm/madvise.c, 1a4e58cce84e (5.4), without `sync`. *Differs*: pages of files are
 * reclaimed whoever owns the file.
 */
export function* pageoutPiece(mm: Ptr<MmStruct>, { vma, start, end }: Piece, flags: number, sync: boolean): Op<number> {
  if ((flags & (VM_LOCKED | VM_PFNMAP)) !== 0) return -EINVAL;
  // Fresh pages are on their way to the lists, where they cannot be isolated.
  yield* lruAddDrain();
  const onHuge = giveUpHuge(mm, vma, 'pageout');
  let range = yield* nextPteRange(mm, start, end, onHuge);
  for (; range !== NULL; range = yield* nextPteRange(mm, range.end, end, onHuge)) {
    const pages = yield* isolateRange(mm, range, sync);
    if (pages.length > 0) yield* reclaimPages(pages, sync);
  }
  return 0;
}

/**
 * Takes the pages of one table that are mapped once off the LRU; their entries are no longer marked as used. `cached`: those too that are mapped no more,
 * and still in the swap cache.
 */
function* isolateRange(mm: Ptr<MmStruct>, { ptes, address, end }: PteRange, cached: boolean): Op<Ptr<Page>[]> {
  const pages: Ptr<Page>[] = [];
  yield* spinLock(MmStruct.pageTableLock(mm));
  for (let at = address; at < end; at++) {
    const ptep = (ptes + (at - address)) as Ref<Pte>;
    const pte = yield* readPte(ptep);
    const page = ptePresent(pte) ? yield* mappedOnce(mm, at, ptep, pte) : NULL;
    if (page !== NULL && (yield* isolateLruPageForMigration(page)) === 0) pages.push(page);
    if (!cached || !isSwapPte(pte) || nonSwapEntry(pteToSwpEntry(pte))) continue;
    const left = yield* lookupSwapCache(pteToSwpEntry(pte));
    if (left === NULL) continue;
    if ((yield* isolateLruPageForMigration(left)) === 0) pages.push(left);
    yield* putPage(left);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return pages;
}

/** *Context*: page table lock. */
function* mappedOnce(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>, pte: Pte): Op<Ptr<Page> | Null> {
  const page = vmNormalPage(NULL, address, pte);
  if (page === NULL || (yield* pageMapcount(page)) !== 1) return NULL;
  yield* ptepClearFlushYoung(mm, address, ptep);
  yield* clearPageReferenced(page);
  return page;
}

/**
 * Swaps a range of an address space out, to the end: as {@link pageoutPiece} does, and its pages are on the disk and their frames free when it returns, as
 * far as nobody holds or maps them besides. For drivers: what reclaim does under pressure, at a time of their choice.
 *
 * *Context*: any task; takes mmap_sem of `mm` for reading. *Returns* 0; -ENOMEM when a part is not mapped, -EINVAL.
 */
export function* swapOutRange(mm: Ptr<MmStruct>, start: number, pages: number): Op<number> {
  const impossible = checkRange(start, pages);
  if (impossible !== 0) return impossible;
  yield* downRead(MmStruct.mmapSem(mm));
  const error = yield* forEachPiece(mm, start, start + pages, false, function* (piece) {
    return yield* pageoutPiece(mm, piece, yield* load(VmAreaStruct.vmFlags(piece.vma)), true);
  });
  yield* upRead(MmStruct.mmapSem(mm));
  return error;
}
