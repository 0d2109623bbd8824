// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr, type Ref, spinLock, spinUnlock, store } from '@lockless/cpu';
import { EINVAL, MmStruct, type Page, VM_LOCKED, VM_PFNMAP, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import {
  clearPageDirty,
  getPage,
  lruAddDrain,
  markPageLazyfree,
  pageDirty,
  pageMapcount,
  pageSwapCache,
  putPage,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { tryToFreeSwap } from '@lockless/pagecache';
import {
  anonVmaInUse,
  freeSwapEntry,
  isSwapPte,
  nextPteRange,
  nonSwapEntry,
  type Pte,
  type PteRange,
  pteClear,
  pteDirty,
  pteMkclean,
  pteMkold,
  pteNone,
  ptePresent,
  ptepClearFlush,
  pteToSwpEntry,
  pteYoung,
  readPte,
  setPteAt,
  vmNormalPage,
} from '@lockless/rmap';
import { giveUpHuge } from './madvise-huge.js';
import { mmOption } from './mm-options.js';
import { isInLockedMemory } from './swap-locked.js';
import type { Piece } from './vma-range.js';

/**
 * madvise(MADV_FREE): private anonymous memory that nobody needs any more, unless it is written to again. Its entries become clean, and reclaim drops a page
 * whose entries are; until then it reads as before. What is in swap goes at once.
 *
 * *Context*: mmap_sem for reading. *Returns* 0; -EINVAL for locked memory, shared memory and files.
 * *Source*: `madvise_free_single_vma`, `madvise_free_pte_range`, mm/madvise.c, 854e9ed09ded (4.5), 802a3a92ad7a (4.12).
 * *Differs*: nothing is given up where reverse mappings are others than anon_vma, which are of other years.
 */
export function* freePiece(mm: Ptr<MmStruct>, { vma, start, end }: Piece, flags: number): Op<number> {
  if ((flags & (VM_LOCKED | VM_PFNMAP | VM_SHARED)) !== 0) return -EINVAL;
  if ((yield* load(VmAreaStruct.vmFile(vma))) !== NULL) return -EINVAL;
  if (mmOption('madvFree') === 0 || !anonVmaInUse()) return 0;
  // Fresh pages are on their way to the lists, where they cannot be moved.
  yield* lruAddDrain();
  yield* mmuNotifierInvalidateRangeStart(mm, start, end);
  const onHuge = giveUpHuge(mm, vma, 'free');
  let range = yield* nextPteRange(mm, start, end, onHuge);
  for (; range !== NULL; range = yield* nextPteRange(mm, range.end, end, onHuge)) {
    for (const page of yield* cleanRange(mm, range)) {
      if (!(yield* isInLockedMemory(page))) yield* markPageLazyfree(page);
      yield* putPage(page);
    }
  }
  yield* mmuNotifierInvalidateRangeEnd(mm, start, end);
  return 0;
}

/** The entries of one table. *Returns* the pages that are given up, with a reference to each. */
function* cleanRange(mm: Ptr<MmStruct>, { ptes, address, end }: PteRange): Op<Ptr<Page>[]> {
  const pages: Ptr<Page>[] = [];
  yield* spinLock(MmStruct.pageTableLock(mm));
  for (let at = address; at < end; at++) {
    const ptep = (ptes + (at - address)) as Ref<Pte>;
    const pte = yield* readPte(ptep);
    if (pteNone(pte)) continue;
    if (!ptePresent(pte)) {
      yield* forgetSwapped(mm, at, ptep, pte);
      continue;
    }
    const page = vmNormalPage(NULL, at, pte);
    if (page === NULL || !(yield* makeClean(page))) continue;
    if (pteYoung(pte) || pteDirty(pte)) {
      const old = yield* ptepClearFlush(mm, at, ptep);
      yield* setPteAt(mm, at, ptep, pteMkclean(pteMkold(old)));
    }
    yield* getPage(page);
    pages.push(page);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return pages;
}

/** *Context*: page table lock. */
function* forgetSwapped(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>, pte: Pte): Op<void> {
  if (!isSwapPte(pte) || nonSwapEntry(pteToSwpEntry(pte))) return;
  yield* store(MmStruct.swapents(mm), (yield* load(MmStruct.swapents(mm))) - 1);
  yield* freeSwapEntry(pteToSwpEntry(pte));
  yield* pteClear(mm, address, ptep);
}

/**
 * A page that has a copy in swap, or is dirty itself, is made clean, if it is ours alone: others may need what it has. *Context*: page table lock.
 * *Returns* false: it is left alone.
 */
function* makeClean(page: Ptr<Page>): Op<boolean> {
  if (!(yield* pageSwapCache(page)) && !(yield* pageDirty(page))) return true;
  if (!(yield* trylockPage(page))) return false;
  let clean = (yield* pageMapcount(page)) === 1;
  if (clean && (yield* pageSwapCache(page))) clean = yield* tryToFreeSwap(page);
  if (clean) yield* clearPageDirty(page);
  yield* unlockPage(page);
  return clean;
}
