// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, load, NULL, readOnce, spinTrylock, spinUnlock, writeOnce } from '@lockless/cpu';
import { AddressSpace, MmStruct, Page, VM_LOCKED, VM_RESERVED, VmAreaStruct } from '@lockless/mm-types';
import {
  pageChained,
  pageLocked,
  pageMapped,
  pageMapping,
  pageReserved,
  pageSwapCache,
  pageToPfn,
  pteChainLock,
  pteChainUnlock,
  setPageAnon,
  testClearPageReferenced,
} from '@lockless/page';
import { eachFileVma } from './i-mmap.js';
import { pteOffsetMap } from './pgtable.js';
import type { Pte } from './pte.js';
import { ptePfn, ptePresent } from './pte.js';
import { ptepTestAndClearYoung, readPte } from './pte-access.js';
import { chainAdd, chainRemove, chainReplace, type PteChainSpare } from './pte-chain.js';
import * as walks from './rmap.js';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS, type SwapResult } from './rmap.js';
import * as chains from './rmap-pte-chain.js';
import { clearEntry, countMapped, countUnmapped, hasPlaceToGo, trylockAgain } from './rmap-pte-chain.js';
import { NOT_IN_VMA, vmaAddress } from './rmap-walk.js';
import { countRmap } from './rmap-work.js';

/*
 * Dave McCracken's partial object-based reverse mapping (2004): pages of files are found through the areas that map the file, and only
 * counted; anonymous pages, and pages of files mapped at another place than the linear one, keep their chains. PG_anon tells the two apart.
 * Its value and the union page->pte change under PG_chainlock only. Locks as in rmap-pte-chain.ts; with i_mmap_lock (i_shared_sem in
 * 2.6.5), which on the other paths comes before page_table_lock, tried as well.
 */

/**
 * What do_no_page() does with the page that it was given: one that belongs to no file, or is in the swap cache, has a chain of its entries.
 *
 * *Context*: page locked, before its first entry. *Source*: do_no_page(), mm/memory.c, the patch.
 */
export function* setPageAnonUnlessOfFile(page: Ptr<Page>): Op<void> {
  if (yield* pageChained(page)) return;
  if ((yield* pageMapping(page)) === NULL || (yield* pageSwapCache(page))) yield* setPageAnon(page);
}

/** What lets a page be counted: it is a page of a file; or one of the kernel's own, of a special mapping. */
export function* bugUnlessOfFile(page: Ptr<Page>): Op<void> {
  const ofNobody = (yield* pageMapping(page)) === NULL && !(yield* pageReserved(page));
  bugOn(ofNobody, 'objrmap: page->mapping is NULL');
  bugOn(yield* pageSwapCache(page), 'objrmap: PageSwapCache(page)');
}

/** page_add_rmap(). *Context*: as of {@link chains.pageAddRmap}. *Source*: page_add_rmap(), mm/rmap.c, patch "anobjrmap 1/6" on 2.6.5-rc1. */
export function* pageAddRmap(page: Ptr<Page>, ptep: Ref<Pte>, spare: PteChainSpare): Op<void> {
  yield* pteChainLock(page);
  if (yield* pageChained(page)) {
    if (yield* chainAdd(page, ptep, spare)) yield* countMapped(page, 1);
  } else {
    yield* bugUnlessOfFile(page);
    const mapcount = yield* readOnce(Page.pte(page));
    if (mapcount === 0) yield* countMapped(page, 1);
    yield* writeOnce(Page.pte(page), mapcount + 1);
  }
  yield* pteChainUnlock(page);
}

/**
 * SetPageAnon() and page_add_rmap() of an anonymous page.
 *
 * *Context*: as of {@link pageAddRmap}; the page is not mapped, or has PG_anon.
 * *Source*: the patch puts SetPageAnon() before page_add_rmap() in put_dirty_page, do_wp_page, do_swap_page, do_anonymous_page, do_no_page
 * and unuse_pte: where 2.6.27 calls page_add_new_anon_rmap() or page_add_anon_rmap(), which are this here.
 */
export function* pageAddAnonRmap(
  page: Ptr<Page>,
  _vma: Ptr<VmAreaStruct>,
  _address: number,
  ptep: Ref<Pte>,
  spare: PteChainSpare,
): Op<void> {
  yield* chains.setAnonMapping(page);
  if (!(yield* pageChained(page))) yield* setPageAnon(page);
  yield* pageAddRmap(page, ptep, spare);
}

/**
 * page_remove_rmap(). A page in conversion has PG_anon already, and its entries are in no chain yet: they are left alone.
 * *Context*: as of {@link chains.pageRemoveRmap}. *Source*: page_remove_rmap(), the patch.
 */
export function* pageRemoveRmap(page: Ptr<Page>, ptep: Ref<Pte>): Op<void> {
  yield* pteChainLock(page);
  if (yield* pageChained(page)) {
    if (yield* chainRemove(page, ptep)) yield* countUnmapped(page);
  } else if (yield* pageMapped(page)) {
    yield* bugUnlessOfFile(page);
    yield* uncountEntry(page);
    yield* countUnmapped(page);
  }
  yield* pteChainUnlock(page);
}

export function* uncountEntry(page: Ptr<Page>): Op<void> {
  const mapcount = yield* readOnce(Page.pte(page));
  bugOn(mapcount === 0, '!page->pte.mapcount');
  yield* writeOnce(Page.pte(page), mapcount - 1);
}

/** The entry of a page moves. *Context*: page table lock of both. A page that is only counted has nothing to change. */
export function* pageMoveRmap(page: Ptr<Page>, from: Ref<Pte>, to: Ref<Pte>): Op<void> {
  yield* pteChainLock(page);
  if (yield* pageChained(page)) yield* chainReplace(page, from, to);
  yield* pteChainUnlock(page);
}

/** An entry, and the page number that it is for. */
export interface FoundPte {
  readonly ptep: Ref<Pte>;
  readonly address: number;
}

/**
 * find_pte(): the entry by which an area maps a page of its file at the linear place.
 *
 * *Context*: page_table_lock of the area's mm; i_mmap_lock, which keeps the area and its bounds.
 * *Returns* NULL when the page is not mapped there, for any reason.
 * *Source*: find_pte(), mm/rmap.c, the patch.
 */
export function* findPte(vma: Ptr<VmAreaStruct>, page: Ptr<Page>): Op<FoundPte | Null> {
  const address = yield* vmaAddress(page, vma);
  if (address === NOT_IN_VMA) return NULL;
  const ptep = yield* pteOffsetMap(yield* load(VmAreaStruct.vmMm(vma)), address);
  if (ptep === NULL) return NULL;
  const pte = yield* readPte(ptep);
  return ptePresent(pte) && ptePfn(pte) === pageToPfn(page) ? { ptep, address } : NULL;
}

/** page_referenced_obj_one(). *Returns* 1 when the entry was used, or when page_table_lock is busy. *Source*: the patch. */
function* pageReferencedObjOne(vma: Ptr<VmAreaStruct>, page: Ptr<Page>): Op<number> {
  countRmap('referencedSteps');
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  if (!(yield* spinTrylock(MmStruct.pageTableLock(mm)))) return 1;
  const found = yield* findPte(vma, page);
  const young = found !== NULL && (yield* ptepTestAndClearYoung(mm, found.address, found.ptep));
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return young ? 1 : 0;
}

/**
 * page_referenced_obj(): the uses of a page that is counted.
 *
 * *Context*: PG_chainlock, which keeps the page mapped and so in its file. *Returns* 1, "in use", when i_mmap_lock is busy.
 * *Source*: page_referenced_obj(), the patch. *Differs*: one list of areas, where 2.6.5 has i_mmap and i_mmap_shared.
 */
export function* pageReferencedObj(page: Ptr<Page>): Op<number> {
  if (!(yield* pageMapped(page))) return 0;
  yield* bugUnlessOfFile(page);
  const mapping = (yield* pageMapping(page)) as Ptr<AddressSpace>;
  if (!(yield* spinTrylock(AddressSpace.iMmapLock(mapping)))) return 1;
  let referenced = 0;
  yield* eachFileVma(mapping, function* (vma) {
    referenced += yield* pageReferencedObjOne(vma, page);
    return false;
  });
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  return referenced;
}

/** page_referenced(). *Context*: a reference on the page. *Source*: page_referenced(), the patch. *Differs*: takes PG_chainlock itself. */
export function* pageReferenced(page: Ptr<Page>, _isLocked: boolean): Op<number> {
  const referenced = (yield* testClearPageReferenced(page)) ? 1 : 0;
  if (!(yield* pageMapped(page))) return referenced;
  yield* pteChainLock(page);
  const uses = yield* (yield* pageChained(page)) ? chains.chainReferenced(page) : pageReferencedObj(page);
  yield* pteChainUnlock(page);
  return referenced + uses;
}

/** try_to_unmap_obj_one(). *Context*: PG_chainlock, i_mmap_lock. *Returns* SWAP_AGAIN but for an entry that must stay. *Source*: the patch. */
function* tryToUnmapObjOne(vma: Ptr<VmAreaStruct>, page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  countRmap('unmapSteps');
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  if (!(yield* spinTrylock(MmStruct.pageTableLock(mm)))) return trylockAgain() ? SWAP_AGAIN : SWAP_SUCCESS;
  let result: SwapResult = SWAP_AGAIN;
  const found = yield* findPte(vma, page);
  if (found !== NULL) {
    if (!migration && ((yield* load(VmAreaStruct.vmFlags(vma))) & (VM_LOCKED | VM_RESERVED)) !== 0) {
      result = SWAP_FAIL;
    } else {
      yield* uncountEntry(page);
      yield* clearEntry(page, mm, found.address, found.ptep);
    }
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return result;
}

/**
 * try_to_unmap_obj(): removes the entries of a page that is counted.
 *
 * *Context*: PG_chainlock; page locked. *Returns* SWAP_AGAIN, to try later, when i_mmap_lock is busy.
 * *Source*: try_to_unmap_obj(), the patch.
 */
export function* tryToUnmapObj(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  yield* bugUnlessOfFile(page);
  const mapping = (yield* pageMapping(page)) as Ptr<AddressSpace>;
  if (!(yield* spinTrylock(AddressSpace.iMmapLock(mapping)))) return trylockAgain() ? SWAP_AGAIN : SWAP_SUCCESS;
  let result: SwapResult = SWAP_AGAIN;
  yield* eachFileVma(mapping, function* (vma) {
    result = yield* tryToUnmapObjOne(vma, page, migration);
    return result === SWAP_FAIL || !(yield* pageMapped(page));
  });
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  return result;
}

/** try_to_unmap(). *Context*, *Returns* and *Differs* as of {@link chains.tryToUnmap}. *Source*: try_to_unmap(), the patch. */
export function* tryToUnmap(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  if (!(yield* pageMapped(page))) return SWAP_SUCCESS;
  if (!(yield* hasPlaceToGo(page))) return SWAP_FAIL;
  yield* pteChainLock(page);
  let result: SwapResult = SWAP_SUCCESS;
  if (yield* pageMapped(page)) {
    result = yield* (yield* pageChained(page))
      ? chains.tryToUnmapChain(page, migration)
      : tryToUnmapObj(page, migration);
    yield* countUnmapped(page);
    if (!(yield* pageMapped(page))) result = SWAP_SUCCESS;
  }
  yield* pteChainUnlock(page);
  return result;
}

/** page_mkclean(): through the areas as in 2.6.27, or through the chain. *Context*: page locked. */
export function* pageMkclean(page: Ptr<Page>): Op<number> {
  return yield* (yield* pageChained(page)) ? chains.pageMkclean(page) : walks.pageMkclean(page);
}
