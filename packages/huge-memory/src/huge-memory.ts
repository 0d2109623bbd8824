// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  GFP_COMP,
  GFP_HIGHUSER_MOVABLE,
  GFP_NO_KSWAPD,
  GFP_NOMEMALLOC,
  GFP_NORETRY,
  GFP_WAIT,
  GFP_ZERO,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { MmStruct, type Page, VM_HUGEPAGE, VM_NOHUGEPAGE, VM_SHARED, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import {
  allocPages,
  countVmEvent,
  getPage,
  getPageFoll,
  lruCacheAddActiveAnon,
  pageMapcount,
  pfnToPage,
  putPage,
  setPageUptodate,
  THP_FAULT_ALLOC,
  THP_FAULT_FALLBACK,
  type VmEventItem,
} from '@lockless/page';
import {
  anonVmaPrepare,
  freeTable,
  type MmuGather,
  mkHugePmd,
  type Pte,
  pageAddNewAnonRmap,
  pageRemoveRmap,
  pmdpGetAndClear,
  pmdpInvalidate,
  pmdTransHuge,
  pmdTransSplitting,
  pteMkdirty,
  pteMkwrite,
  pteMkyoung,
  ptePfn,
  ptepSetAccessFlags,
  rmapPrepare,
  tlbRemovePage,
  VM_SPECIAL,
  vmGetPageProt,
} from '@lockless/rmap';
import { hpagePmdNr, hpagePmdOrder, sharedWritesSplit, splitsWaitForGp, thpEnabled, thpOnAdvice } from './config.js';
import { copyUserHugePage } from './copy-user-huge-page.js';
import { deposit, pteAllocOne, withdraw } from './deposit.js';
import { pageGetGpCookie } from './gp-cookie.js';
import { isHugeZeroPmd } from './huge-zero-page.js';
import { splitHugePage, waitSplitHugePage } from './split-huge-page.js';
import { nthPage } from './split-refcount.js';

/** First page of the huge page that an address would lie in. */
const hugeStart = (address: number): number => address - (address % hpagePmdNr());

/**
 * transparent_hugepage_enabled(), and whether the area has room for a huge page around `address`. Private anonymous memory only.
 *
 * *Context*: mmap_sem. *Source*: include/linux/huge_mm.h, mm/huge_memory.c, 2.6.38.
 */
export function* hugePageFits(vma: Ptr<VmAreaStruct>, address: number): Op<boolean> {
  if (!thpEnabled()) return false;
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  if ((flags & (VM_NOHUGEPAGE | VM_SHARED | VM_SPECIAL)) !== 0 || (thpOnAdvice() && (flags & VM_HUGEPAGE) === 0))
    return false;
  if ((yield* load(VmAreaStruct.vmFile(vma))) !== NULL) return false;
  const start = hugeStart(address);
  return (
    start >= (yield* load(VmAreaStruct.vmStart(vma))) && start + hpagePmdNr() <= (yield* load(VmAreaStruct.vmEnd(vma)))
  );
}

/** A huge page is had at once or not at all: no reclaim for it, nor by kswapd. */
const GFP_TRANSHUGE = (GFP_HIGHUSER_MOVABLE | GFP_COMP | GFP_NORETRY | GFP_NOMEMALLOC | GFP_NO_KSWAPD) & ~GFP_WAIT;

/** alloc_hugepage_vma(), and its grace-period cookie, before anybody can find it. */
export function* allocHugePage(
  gfp: number,
  [had, failed]: readonly [VmEventItem, VmEventItem] = [THP_FAULT_ALLOC, THP_FAULT_FALLBACK],
): Op<Ptr<Page> | Null> {
  const page = yield* allocPages(GFP_TRANSHUGE | gfp, hpagePmdOrder());
  yield* countVmEvent(page === NULL ? failed : had);
  if (page === NULL) return NULL;
  if (splitsWaitForGp()) yield* pageGetGpCookie(page);
  return page;
}

/** mk_pmd(), dirty, and writable if the area is. */
export function* newHugeEntry(vma: Ptr<VmAreaStruct>, page: Ptr<Page>): Op<Pte> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const entry = pteMkdirty(mkHugePmd(page, vmGetPageProt(flags)));
  return (flags & VM_WRITE) !== 0 ? pteMkwrite(entry) : entry;
}

/** Resident pages come or go. *Context*: page table lock. */
export function* addAnonRss(mm: Ptr<MmStruct>, pages: number): Op<void> {
  yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + pages);
}

/** What a huge fault came to: the access can be tried again; it is one for ordinary pages. */
export type HugeFault = 'done' | 'copied' | 'fallback';

/**
 * do_huge_pmd_anonymous_page(): first touch of anonymous memory where a huge page has room.
 *
 * *Context*: mmap_sem for reading; the entry was empty; {@link hugePageFits}.
 * *Returns* `fallback` when there is no block, or no page table to lay by.
 * *Ordering*: as do_anonymous_page(): the page is zeroed and uptodate before the entry is set.
 * *Source*: mm/huge_memory.c, 3.1. *Differs*: no zero page of this size, as before 3.8.
 */
export function* doHugePmdAnonymousPage(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
): Op<HugeFault> {
  if ((yield* anonVmaPrepare(vma)) !== 0) return 'fallback';
  const page = yield* allocHugePage(GFP_ZERO);
  if (page === NULL) return 'fallback';
  const table = yield* pteAllocOne();
  if (table === NULL) {
    yield* putPage(page);
    return 'fallback';
  }
  yield* setPageUptodate(page);
  const entry = yield* newHugeEntry(vma, page);
  const spare = yield* rmapPrepare();
  yield* spinLock(MmStruct.pageTableLock(mm));
  const mapped = (yield* readOnce(pmd)) === 0 && spare !== null;
  if (mapped) {
    yield* pageAddNewAnonRmap(page, vma, hugeStart(address), pmd, spare);
    yield* lruCacheAddActiveAnon(page);
    yield* store(pmd, entry);
    yield* deposit(mm, table);
    yield* addAnonRss(mm, hpagePmdNr());
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (mapped) return 'done';
  yield* freeTable(table, 0);
  yield* putPage(page);
  return 'done';
}

/**
 * do_huge_pmd_wp_page(): a write to a huge page that is mapped read-only: in place if nobody else maps it, else to a copy; without memory for that, or
 * if configured so, the page is split and the one page that is written is copied.
 *
 * *Context*: mmap_sem for reading; `orig` was read without a lock.
 * *Returns* `copied` when the page may be written now, `done` when the entry has changed.
 * *Source*: mm/huge_memory.c, 3.1; split as since 3.14, where 3.1 copies into ordinary pages; always split as since 5.8.
 */
export function* doHugePmdWpPage(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  orig: Pte,
): Op<HugeFault> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  if ((yield* readOnce(pmd)) !== orig) {
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    return 'done';
  }
  const page = pfnToPage(ptePfn(orig));
  if ((yield* pageMapcount(page)) === 1) {
    const flags = yield* load(VmAreaStruct.vmFlags(vma));
    const young = pteMkdirty(pteMkyoung(orig));
    yield* ptepSetAccessFlags(mm, hugeStart(address), pmd, (flags & VM_WRITE) !== 0 ? pteMkwrite(young) : young);
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    return 'copied';
  }
  yield* getPage(page);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  const copy = sharedWritesSplit() ? NULL : yield* allocHugePage(0);
  const outcome =
    copy === NULL ? yield* splitInstead(page) : yield* copyHugePage(mm, vma, address, pmd, orig, page, copy);
  yield* putPage(page);
  return outcome;
}

function* splitInstead(page: Ptr<Page>): Op<HugeFault> {
  yield* splitHugePage(page);
  return 'fallback';
}

/** copy_user_huge_page(), and the copy in the page's place. */
function* copyHugePage(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  orig: Pte,
  page: Ptr<Page>,
  copy: Ptr<Page>,
): Op<HugeFault> {
  yield* copyUserHugePage(copy, page);
  return yield* replaceHugePage(mm, vma, address, pmd, orig, page, copy);
}

/** The copy in the place of the page, or of the huge zero page (NULL), unless the entry has changed. *Context*: the copy's reference is ours. */
export function* replaceHugePage(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  orig: Pte,
  page: Ptr<Page> | Null,
  copy: Ptr<Page>,
): Op<HugeFault> {
  const entry = yield* newHugeEntry(vma, copy);
  const spare = yield* rmapPrepare();
  const start = hugeStart(address);
  yield* mmuNotifierInvalidateRangeStart(mm, start, start + hpagePmdNr());
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = (yield* readOnce(pmd)) === orig && spare !== null;
  if (same) {
    yield* pmdpInvalidate(mm, pmd);
    yield* pageAddNewAnonRmap(copy, vma, start, pmd, spare);
    yield* lruCacheAddActiveAnon(copy);
    yield* store(pmd, entry);
    if (page === NULL) yield* addAnonRss(mm, hpagePmdNr());
    // Last, as in do_wp_page() (C8).
    else yield* pageRemoveRmap(page, pmd);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* mmuNotifierInvalidateRangeEnd(mm, start, start + hpagePmdNr());
  if (!same) yield* putPage(copy);
  else if (page !== NULL) yield* putPage(page);
  return same ? 'copied' : 'done';
}

/**
 * zap_huge_pmd(): takes a huge entry out, and the table that was laid by for it.
 *
 * *Context*: mmap_sem; no spin lock. *Returns* false when it was split meanwhile: there is a table now.
 * *Source*: mm/huge_memory.c, 3.1.
 */
export function* zapHugePmd(tlb: MmuGather, vma: Ptr<VmAreaStruct>, _address: number, pmd: Ref<Pte>): Op<boolean> {
  const { mm } = tlb;
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* readOnce(pmd);
  if (!pmdTransHuge(entry) || pmdTransSplitting(entry)) {
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    if (pmdTransSplitting(entry)) yield* waitSplitHugePage(vma);
    return false;
  }
  const table = yield* withdraw(mm);
  const zeros = isHugeZeroPmd(entry);
  const page = pfnToPage(ptePfn(yield* pmdpGetAndClear(pmd)));
  tlb.needFlush = true;
  if (!zeros) {
    yield* pageRemoveRmap(page, pmd);
    yield* addAnonRss(mm, -hpagePmdNr());
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* freeTable(table, 0);
  if (!zeros) yield* tlbRemovePage(tlb, page);
  return true;
}

/**
 * follow_trans_huge_pmd(): the page at an address in a huge page, with a reference if asked for.
 *
 * *Context*: page table lock; the entry permits the access. *Source*: mm/huge_memory.c, 3.2.
 */
export function* followTransHugePmd(address: number, entry: Pte, get: boolean): Op<Ptr<Page>> {
  const page = nthPage(pfnToPage(ptePfn(entry)), address % hpagePmdNr());
  if (get) yield* getPageFoll(page);
  return page;
}
