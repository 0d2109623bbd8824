// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, load, NULL, readOnce, spinLock, spinTrylock, spinUnlock, writeOnce } from '@lockless/cpu';
import {
  type Anonhd,
  MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  VM_LOCKED,
  VM_RESERVED,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  pageAnon,
  pageLocked,
  pageMapped,
  pageToPfn,
  pteChainLock,
  pteChainUnlock,
  putPage,
  testClearPageReferenced,
} from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { eachMm, familyOf } from './anonmm.js';
import { pteOffsetMap } from './pgtable.js';
import type { Pte } from './pte.js';
import { ptePfn, ptePresent } from './pte.js';
import { readPte } from './pte-access.js';
import { ptepClearFlushYoungNotify } from './pte-notify.js';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS, type SwapResult } from './rmap.js';
import { bugUnlessOfFile, pageReferencedObj, tryToUnmapObj, uncountEntry } from './rmap-objrmap.js';
import { countMapped, countUnmapped, trylockAgain } from './rmap-pte-chain.js';
import type { EntryVisit } from './rmap-walk.js';
import { countRmap } from './rmap-work.js';
import { canUnmap, unmapEntry } from './unmap-entry.js';
import { findVma } from './vma.js';

/*
 * Hugh Dickins' anonmm (2003, and 2004 against anon_vma): pages of files as in objrmap; an anonymous page knows its family of address spaces and
 * the address at which each of them maps it, if it does. A walk asks each member: find_vma(), and the page table. All mappings are only
 * counted, in page->pte under PG_chainlock, which the walk holds: while it does and the page is mapped, its family cannot end.
 *
 * The price of one address: mremap must not move a page that others map at the old place; it copies it first, which is what its next write would
 * have done.
 */

const familyIn = (mapping: number): Ptr<Anonhd> => (mapping - PAGE_MAPPING_ANON) as Ptr<Anonhd>;

/** One more mapping. *Context*: PG_chainlock. */
function* countEntry(page: Ptr<Page>): Op<void> {
  const mapcount = yield* readOnce(Page.pte(page));
  if (mapcount === 0) yield* countMapped(page, 1);
  yield* writeOnce(Page.pte(page), mapcount + 1);
}

/**
 * page_add_anon_rmap(): one more entry maps an anonymous page.
 *
 * *Context*: page table lock. Takes PG_chainlock.
 * *Source*: page_add_anon_rmap(), mm/rmap.c, "anobjrmap" on 2.6.5. *Differs*: the page's mapping is the head of the family, with the low bit set as in
 * 2.6.7, instead of the member that mapped it first.
 */
export function* pageAddAnonRmap(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number): Op<void> {
  const family = yield* familyOf(yield* load(VmAreaStruct.vmMm(vma)));
  bugOn(family === NULL, 'page_add_anon_rmap: the mm has no family');
  yield* pteChainLock(page);
  if (!(yield* pageMapped(page))) {
    yield* writeOnce(Page.index(page), address);
    yield* writeOnce(Page.mapping(page), family + PAGE_MAPPING_ANON);
  } else {
    bugOn((yield* readOnce(Page.mapping(page))) !== family + PAGE_MAPPING_ANON, 'page_add_anon_rmap: two families');
    bugOn((yield* readOnce(Page.index(page))) !== address, 'page_add_anon_rmap: two addresses');
  }
  yield* countEntry(page);
  yield* pteChainUnlock(page);
}

/** page_add_obj_rmap(). *Context*: page table lock. *Source*: as {@link pageAddAnonRmap}. */
export function* pageAddFileRmap(page: Ptr<Page>): Op<void> {
  yield* pteChainLock(page);
  yield* bugUnlessOfFile(page);
  yield* countEntry(page);
  yield* pteChainUnlock(page);
}

/** page_dup_rmap(): fork copies an entry to the same address. *Context*: page table lock of the parent's. *Source*: as {@link pageAddAnonRmap}. */
export function* pageDupRmap(page: Ptr<Page>): Op<void> {
  yield* pteChainLock(page);
  bugOn(!(yield* pageMapped(page)), 'page_dup_rmap: page is not mapped');
  yield* countEntry(page);
  yield* pteChainUnlock(page);
}

/** page_remove_rmap(). *Context*: page table lock; the entry is cleared and flushed. *Source*: as {@link pageAddAnonRmap}. */
export function* pageRemoveRmap(page: Ptr<Page>): Op<void> {
  yield* pteChainLock(page);
  yield* uncountEntry(page);
  yield* countUnmapped(page);
  yield* pteChainUnlock(page);
}

/**
 * mremap_move_anon_rmap(): the page moves to another address.
 *
 * *Context*: page table lock of both entries; the page is mapped once, and no place in swap stands for it elsewhere.
 * *Source*: as {@link pageAddAnonRmap}.
 */
export function* pageMoveRmap(page: Ptr<Page>, _from: Ref<Pte>, _to: Ref<Pte>, address: number): Op<void> {
  if (!(yield* pageAnon(page))) return;
  yield* pteChainLock(page);
  bugOn((yield* readOnce(Page.pte(page))) !== 1, 'mremap moves an anonymous page that others map');
  yield* writeOnce(Page.index(page), address);
  yield* pteChainUnlock(page);
}

/** The area and the entry of an address. */
interface Place {
  readonly vma: Ptr<VmAreaStruct>;
  readonly ptep: Ref<Pte>;
}

/** *Context*: page_table_lock, under which the areas stay. *Returns* NULL when there is no area or no table. */
function* placeAt(mm: Ptr<MmStruct>, address: number): Op<Place | Null> {
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return NULL;
  const ptep = yield* pteOffsetMap(mm, address);
  return ptep === NULL ? NULL : { vma, ptep };
}

/** find_pte(), at an address. *Context*: as {@link placeAt}. */
function* findPteAt(mm: Ptr<MmStruct>, page: Ptr<Page>, address: number): Op<Place | Null> {
  const place = yield* placeAt(mm, address);
  if (place === NULL) return NULL;
  const pte = yield* readPte(place.ptep);
  return ptePresent(pte) && ptePfn(pte) === pageToPfn(page) ? place : NULL;
}

/** Calls `visit` for the members of an anonymous page's family that may map it. *Context*: PG_chainlock; the page is mapped, so the family is there. */
function* eachMmOf(page: Ptr<Page>, visit: (mm: Ptr<MmStruct>, address: number) => Op<boolean>): Op<void> {
  const address = yield* readOnce(Page.index(page));
  yield* eachMm(familyIn(yield* readOnce(Page.mapping(page))), (mm) => visit(mm, address));
}

/** page_referenced_anon(). *Context*: PG_chainlock. *Returns* uses; an mm whose page_table_lock is busy counts as one, and ends the walk. */
function* pageReferencedAnon(page: Ptr<Page>): Op<number> {
  let referenced = 0;
  let mappings = yield* readOnce(Page.pte(page));
  yield* eachMmOf(page, function* (mm, address) {
    countRmap('referencedSteps');
    if (!(yield* spinTrylock(MmStruct.pageTableLock(mm)))) {
      referenced++;
      return true;
    }
    const place = yield* findPteAt(mm, page, address);
    if (place !== NULL && (yield* ptepClearFlushYoungNotify(mm, address, place.ptep))) referenced++;
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    if (place !== NULL) mappings--;
    return mappings === 0;
  });
  return referenced;
}

/** page_referenced(). *Context*: a reference on the page. *Source*: as {@link pageAddAnonRmap}. */
export function* pageReferenced(page: Ptr<Page>, _isLocked: boolean): Op<number> {
  const referenced = (yield* testClearPageReferenced(page)) ? 1 : 0;
  if (!(yield* pageMapped(page))) return referenced;
  yield* pteChainLock(page);
  let uses = 0;
  if (yield* pageMapped(page))
    uses = yield* (yield* pageAnon(page)) ? pageReferencedAnon(page) : pageReferencedObj(page);
  yield* pteChainUnlock(page);
  return referenced + uses;
}

/** try_to_unmap_one(). *Context*: PG_chainlock, anonhd->lock. *Returns* SWAP_AGAIN but for an entry that must stay. */
function* tryToUnmapOne(mm: Ptr<MmStruct>, page: Ptr<Page>, address: number, migration: boolean): Op<SwapResult> {
  countRmap('unmapSteps');
  if (!(yield* spinTrylock(MmStruct.pageTableLock(mm)))) return trylockAgain() ? SWAP_AGAIN : SWAP_SUCCESS;
  let result: SwapResult = SWAP_AGAIN;
  const place = yield* findPteAt(mm, page, address);
  if (place !== NULL) {
    const flags = yield* load(VmAreaStruct.vmFlags(place.vma));
    if (!migration && (flags & (VM_LOCKED | VM_RESERVED)) !== 0) {
      result = SWAP_FAIL;
    } else {
      yield* unmapEntry(page, mm, address, place.ptep, migration);
      yield* uncountEntry(page);
      // Not the last reference: the caller of try_to_unmap() has one.
      yield* putPage(page);
    }
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return result;
}

/** try_to_unmap_anon(). *Context*: PG_chainlock; page locked. */
function* tryToUnmapAnon(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  let result: SwapResult = SWAP_AGAIN;
  yield* eachMmOf(page, function* (mm, address) {
    result = yield* tryToUnmapOne(mm, page, address, migration);
    return result === SWAP_FAIL || !(yield* pageMapped(page));
  });
  return result;
}

/**
 * try_to_unmap(): removes all entries that map a page.
 *
 * *Context*: page locked, a reference held. Takes PG_chainlock and tries page_table_lock and i_mmap_lock.
 * *Returns* SWAP_SUCCESS: not mapped any more; SWAP_AGAIN: a lock was busy; SWAP_FAIL: an entry must stay.
 * *Source*: as {@link pageAddAnonRmap}. *Differs*: takes PG_chainlock itself. Migration entries, which came two years later, are left for anonymous
 * pages only.
 */
export function* tryToUnmap(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  if (!(yield* pageMapped(page))) return SWAP_SUCCESS;
  if (!(yield* canUnmap(page, migration))) return SWAP_FAIL;
  yield* pteChainLock(page);
  let result: SwapResult = SWAP_SUCCESS;
  if (yield* pageMapped(page)) {
    result = yield* (yield* pageAnon(page)) ? tryToUnmapAnon(page, migration) : tryToUnmapObj(page, migration);
    yield* countUnmapped(page);
    if (!(yield* pageMapped(page))) result = SWAP_SUCCESS;
  }
  yield* pteChainUnlock(page);
  return result;
}

/**
 * The places of an anonymous page's migration entries.
 *
 * *Context*: page locked and isolated, an RCU read-side section that began while the page was mapped: the family may have ended since, or be
 * another one; then no migration entry of this page is found. PG_chainlock is taken inside anonhd->lock here, the other way round than by who
 * unmaps: nobody else can come from this page, which is on no LRU list.
 */
export function* rmapWalk(page: Ptr<Page>, visit: EntryVisit): Op<void> {
  if (!(yield* pageAnon(page))) return;
  yield* rcuReadLock();
  const address = yield* readOnce(Page.index(page));
  yield* eachMm(familyIn(yield* readOnce(Page.mapping(page))), function* (mm) {
    yield* spinLock(MmStruct.pageTableLock(mm));
    const place = yield* placeAt(mm, address);
    if (place !== NULL) yield* visit(place.vma, address, place.ptep);
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    return false;
  });
  yield* rcuReadUnlock();
}
