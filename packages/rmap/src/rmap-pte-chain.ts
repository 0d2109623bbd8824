// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  bugOn,
  cpuRelax,
  defineGuard,
  GFP_ATOMIC,
  GFP_KERNEL,
  load,
  NULL,
  readOnce,
  spinTrylock,
  spinUnlock,
  writeOnce,
} from '@lockless/cpu';
import { memCgroupUnchargePage } from '@lockless/memcontrol';
import { MmStruct, PAGE_MAPPING_ANON, Page, VM_LOCKED, VM_RESERVED, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import {
  modZonePageState,
  NR_ANON_PAGES,
  NR_FILE_MAPPED,
  pageAnon,
  pageLocked,
  pageMapped,
  pteChainLock,
  pteChainUnlock,
  putPage,
  testClearPageReferenced,
} from '@lockless/page';
import { leaveFileOffset } from './file-offset.js';
import { ptepToAddress, ptepToMm } from './pgtable.js';
import type { Pte } from './pte.js';
import { pteDirty, pteMkclean, pteWrite, pteWrprotect } from './pte.js';
import { ptepTestAndClearYoung, setPteAt } from './pte-access.js';
import {
  chainAdd,
  chainRemove,
  chainReplace,
  collapseChain,
  type PteChainSpare,
  pteChainAlloc,
  pteChainFree,
  walkChain,
} from './pte-chain.js';
import { ptepClearFlushNotify } from './pte-notify.js';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS, type SwapResult } from './rmap.js';
import { countRmap } from './rmap-work.js';
import { canUnmap, unmapEntry } from './unmap-entry.js';
import { findVma } from './vma.js';

/*
 * The reverse mapping of 2.5 and 2.6 up to 2.6.6: each page lists the entries that map it. A fault, a fork and an unmapping do list work
 * for each page, and each mapping costs memory; in return reclaim finds exactly the entries, without areas.
 *
 * Lock order is mm->page_table_lock, then PG_chainlock: who adds or removes an entry holds its page table lock. Reclaim comes from the
 * page, so it has PG_chainlock first and may only try the others; to fail means to come again.
 */

export const trylockAgain: () => boolean = defineGuard(
  'tryToUnmap.trylockAgain',
  'try_to_unmap takes an entry whose page_table_lock is busy, or a file whose i_mmap_lock is, for one that is gone',
);

/** pte_chain_alloc() before the locks. *Context*: may sleep. *Returns* null when memory is short. */
export function* rmapPrepare(): Op<PteChainSpare | null> {
  const chain = yield* pteChainAlloc(GFP_KERNEL);
  return chain === NULL ? null : { chain };
}

/** Another block when the first is used up, without sleeping. *Context*: any lock. *Returns* false when memory is short. */
export function* rmapRefill(spare: PteChainSpare): Op<boolean> {
  if (spare.chain === NULL) spare.chain = yield* pteChainAlloc(GFP_ATOMIC);
  return spare.chain !== NULL;
}

/** pte_chain_free() after the locks, if the block was not needed. */
export function* rmapRelease(spare: PteChainSpare): Op<void> {
  if (spare.chain !== NULL) yield* pteChainFree(spare.chain);
  spare.chain = NULL;
}

/** What anon_vma_prepare() is without anon_vma: a mark that fork looks for. *Context*: mmap_sem. *Returns* 0. */
export function* markHasAnon(vma: Ptr<VmAreaStruct>): Op<number> {
  if ((yield* readOnce(VmAreaStruct.hasAnon(vma))) === 0) yield* writeOnce(VmAreaStruct.hasAnon(vma), 1);
  return 0;
}

/** nr_mapped, by kind of page. */
export function* countMapped(page: Ptr<Page>, delta: number): Op<void> {
  yield* modZonePageState((yield* pageAnon(page)) ? NR_ANON_PAGES : NR_FILE_MAPPED, delta);
}

/** An anonymous page of no anon_vma. */
export function* setAnonMapping(page: Ptr<Page>): Op<void> {
  if ((yield* readOnce(Page.mapping(page))) !== PAGE_MAPPING_ANON)
    yield* writeOnce(Page.mapping(page), PAGE_MAPPING_ANON);
}

/**
 * page_add_rmap(): one more entry maps the page.
 *
 * *Context*: page table lock of the entry. Takes PG_chainlock. `spare` from {@link rmapPrepare}.
 * *Ordering*: acquire and release of PG_chainlock.
 * *Source*: page_add_rmap(), mm/rmap.c, 2.6.5. *Differs*: anonymous pages and those of files are counted apart.
 */
export function* pageAddRmap(page: Ptr<Page>, ptep: Ref<Pte>, spare: PteChainSpare): Op<void> {
  yield* pteChainLock(page);
  if (yield* chainAdd(page, ptep, spare)) yield* countMapped(page, 1);
  yield* pteChainUnlock(page);
}

/** {@link pageAddRmap} for an anonymous page. */
export function* pageAddAnonRmap(
  page: Ptr<Page>,
  _vma: Ptr<VmAreaStruct>,
  _address: number,
  ptep: Ref<Pte>,
  spare: PteChainSpare,
): Op<void> {
  yield* setAnonMapping(page);
  yield* pageAddRmap(page, ptep, spare);
}

/**
 * page_remove_rmap(): one entry less.
 *
 * *Context*: page table lock of the entry, which is cleared and flushed. Takes PG_chainlock. An entry that is in no list is left alone.
 * *Source*: page_remove_rmap(), mm/rmap.c, 2.6.5. *Differs*: no storage keys.
 */
export function* pageRemoveRmap(page: Ptr<Page>, ptep: Ref<Pte>): Op<void> {
  yield* pteChainLock(page);
  if (yield* chainRemove(page, ptep)) yield* countUnmapped(page);
  yield* pteChainUnlock(page);
}

/** nr_mapped, when the last entry is gone. *Context*: PG_chainlock. */
export function* countUnmapped(page: Ptr<Page>): Op<void> {
  if (yield* pageMapped(page)) return;
  yield* countMapped(page, -1);
  yield* memCgroupUnchargePage(page);
}

/**
 * The entry of a page moves, as mremap does.
 *
 * *Context*: page table lock of both entries. *Source*: move_one_page(), mm/mremap.c, 2.6.5. *Differs*: one step under PG_chainlock, where
 * 2.6.5 removes and adds, and in between reclaim may find the page unmapped.
 */
export function* pageMoveRmap(page: Ptr<Page>, from: Ref<Pte>, to: Ref<Pte>): Op<void> {
  yield* pteChainLock(page);
  yield* chainReplace(page, from, to);
  yield* pteChainUnlock(page);
}

/** The entries' part of page_referenced(). *Context*: PG_chainlock, which keeps the tables of the entries: none is freed with entries in it. */
export function* chainReferenced(page: Ptr<Page>): Op<number> {
  let referenced = 0;
  yield* walkChain(page, function* (ptep) {
    countRmap('referencedSteps');
    if (yield* ptepTestAndClearYoung(yield* ptepToMm(ptep), 0, ptep)) referenced++;
    return 'keep';
  });
  yield* collapseChain(page);
  return referenced;
}

/**
 * page_referenced(): how many entries used the page since the last call, plus one for PG_referenced; clears these marks.
 *
 * *Context*: a reference on the page. Takes PG_chainlock, and no other lock.
 * *Source*: page_referenced(), mm/rmap.c, 2.6.5. *Differs*: takes PG_chainlock itself; no storage keys.
 */
export function* pageReferenced(page: Ptr<Page>, _isLocked: boolean): Op<number> {
  const referenced = (yield* testClearPageReferenced(page)) ? 1 : 0;
  if (!(yield* pageMapped(page))) return referenced;
  yield* pteChainLock(page);
  const uses = yield* chainReferenced(page);
  yield* pteChainUnlock(page);
  return referenced + uses;
}

/**
 * try_to_unmap_one(): clears one entry.
 *
 * *Context*: PG_chainlock, under which the entry is in the list. Tries page_table_lock, under which the areas of the mm stay as they are.
 * *Source*: try_to_unmap_one(), mm/rmap.c, 2.6.5, with VM_RESERVED as in the patch of objrmap.
 */
function* tryToUnmapOne(page: Ptr<Page>, ptep: Ref<Pte>, migration: boolean): Op<SwapResult> {
  countRmap('unmapSteps');
  const mm = yield* ptepToMm(ptep);
  const lock = MmStruct.pageTableLock(mm);
  if (!(yield* spinTrylock(lock))) return trylockAgain() ? SWAP_AGAIN : SWAP_SUCCESS;
  const address = yield* ptepToAddress(ptep);
  const vma = yield* findVma(mm, address);
  const mustStay =
    vma === NULL || (!migration && ((yield* load(VmAreaStruct.vmFlags(vma))) & (VM_LOCKED | VM_RESERVED)) !== 0);
  if (!mustStay) {
    yield* clearEntry(page, mm, address, ptep);
    yield* leaveFileOffset(page, vma, address, ptep);
  }
  yield* spinUnlock(lock);
  return mustStay ? SWAP_FAIL : SWAP_SUCCESS;
}

/** {@link unmapEntry}, and the entry's reference; its place in the list, or its count, is the caller's. *Context*: page_table_lock. */
export function* clearEntry(page: Ptr<Page>, mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>): Op<void> {
  yield* unmapEntry(page, mm, address, ptep, false);
  // Not the last reference: the caller of try_to_unmap() has one.
  yield* putPage(page);
}

/**
 * Whether a page can lose its entries: of an anonymous page the swap cache must know where it is. With the entries, their places are forgotten:
 * a migration entry would not be found again. So 2.6.16 gives a page that migrates a place in swap first.
 */
export const hasPlaceToGo = (page: Ptr<Page>): Op<boolean> => canUnmap(page, false);

/** The entries' part of try_to_unmap(). *Context*: PG_chainlock; page locked. */
export function* tryToUnmapChain(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  let result: SwapResult = SWAP_SUCCESS;
  yield* walkChain(page, function* (ptep) {
    const one = yield* tryToUnmapOne(page, ptep, migration);
    if (one === SWAP_SUCCESS) return 'drop';
    result = one;
    return one === SWAP_FAIL ? 'stop' : 'keep';
  });
  return result;
}

/**
 * try_to_unmap(): removes all entries that map a page.
 *
 * *Context*: page locked, a reference held. Takes PG_chainlock and tries the rest.
 * *Returns* SWAP_SUCCESS: not mapped any more; SWAP_AGAIN: a lock was busy; SWAP_FAIL: an entry must stay.
 * *Source*: try_to_unmap(), mm/rmap.c, 2.6.5. *Differs*: takes PG_chainlock itself.
 */
export function* tryToUnmap(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  if (!(yield* pageMapped(page))) return SWAP_SUCCESS;
  if (!(yield* hasPlaceToGo(page))) return SWAP_FAIL;
  yield* pteChainLock(page);
  const mappedBefore = yield* pageMapped(page);
  const result = yield* tryToUnmapChain(page, migration);
  if (mappedBefore) yield* countUnmapped(page);
  yield* pteChainUnlock(page);
  return result;
}

/**
 * page_mkclean(): makes the shared entries of a file page clean and read-only.
 *
 * Each entry is changed under its page_table_lock, or a change of rights in progress would bring the old ones back (C10). That lock comes
 * before PG_chainlock; so when it is busy, PG_chainlock is dropped and the walk begins again. What is clean already stays so.
 *
 * *Context*: page locked. *Returns* how many entries were dirty or writable.
 * *Source*: none: 2.6.5 does not track dirty pages of shared mappings. As page_mkclean(), mm/rmap.c, 2.6.27.
 */
export function* pageMkclean(page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  let cleaned = 0;
  for (let busy = yield* pageMapped(page); busy; ) {
    busy = false;
    yield* pteChainLock(page);
    yield* walkChain(page, function* (ptep) {
      const change = yield* pageMkcleanOne(ptep);
      if (change === 'cleaned') cleaned++;
      busy = change === 'busy';
      return busy ? 'stop' : 'keep';
    });
    yield* pteChainUnlock(page);
    if (busy) yield* cpuRelax();
  }
  return cleaned;
}

/** An entry that has lost its area counts as shared: nobody writes through it any more, and the zap finds what it was. */
function* entryIsShared(mm: Ptr<MmStruct>, ptep: Ref<Pte>): Op<boolean> {
  const address = yield* ptepToAddress(ptep);
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return true;
  return ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) !== 0;
}

function* pageMkcleanOne(ptep: Ref<Pte>): Op<'busy' | 'cleaned' | 'clean'> {
  const mm = yield* ptepToMm(ptep);
  if (!(yield* spinTrylock(MmStruct.pageTableLock(mm)))) return 'busy';
  const pte = yield* readOnce(ptep);
  const change = (pteDirty(pte) || pteWrite(pte)) && (yield* entryIsShared(mm, ptep));
  if (change) {
    const old = yield* ptepClearFlushNotify(mm, yield* ptepToAddress(ptep), ptep);
    yield* setPteAt(mm, 0, ptep, pteMkclean(pteWrprotect(old)));
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return change ? 'cleaned' : 'clean';
}
