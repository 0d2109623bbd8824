// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicRead,
  bugOn,
  defineGuard,
  downRead,
  downWrite,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  upRead,
  upWrite,
} from '@lockless/cpu';
import {
  AnonVma,
  MmStruct,
  type Page,
  VM_IO,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_SHARED,
  VmAreaStruct,
} from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import {
  countVmEvent,
  lruAddDrain,
  lruCacheAddActiveAnon,
  PAGES_COLLAPSED,
  putPage,
  setPageUptodate,
  THP_COLLAPSE_ALLOC,
  THP_COLLAPSE_ALLOC_FAILED,
  unlockPage,
} from '@lockless/page';
import { beginIsolation, putbackLruPages } from '@lockless/pagecache';
import {
  findVma,
  flushTlbMm,
  isSwapPte,
  type PageTable,
  type Pte,
  pageAddNewAnonRmap,
  pmdOffset,
  pmdpGetAndClear,
  type RmapSpare,
  readPte,
  rmapPrepare,
  rmapRelease,
} from '@lockless/rmap';
import { collapseHugePageCopy } from './collapse-copy.js';
import { type CollapseControl, collapseHugePageIsolate, type ScanResult, tableBehind } from './collapse-scan.js';
import { hpagePmdNr } from './config.js';
import { deposit, installTable } from './deposit.js';
import { addAnonRss, allocHugePage, hugePageFits, newHugeEntry } from './huge-memory.js';

/*
 * Small pages become a huge one, while the program that has them runs: their content is copied, and no write to them may get lost, nor may anybody keep
 * a page that the program does not have any more.
 *
 *   1. mmap_sem for writing: no fault, and so no get_user_pages() with the lock, until 9; 2. anon_vma->lock: no walk of the reverse mapping from area to
 *   table until 5; 3. the entry above the table is cleared, and flushed: the hardware, a second MMU (by its notifier) and get_user_pages_fast() find no
 *   page; 4. each page is locked and taken off the LRU, if its references are its mappings, and none else; 5. the anon_vma's lock goes: who finds one of
 *   the pages by the LRU, or by the swap cache, cannot lock it; 6. content is copied; each old entry, and its reference, goes; 7. the content before
 *   8. the huge entry, with the table laid by; 9. mmap_sem goes.
 *
 * 3 before 4: a reference that get_user_pages_fast() took before 3 is in the count that 4 reads; after 3 it finds nothing. Were the count read first, a
 * page could be pinned after that, and then be freed: who pinned it would read, and write, what nobody else sees. When 4 finds a pinned page, all is
 * as before: the table goes back to its place.
 */

const holdsMmapSem = defineGuard(
  'collapseHugePage.mmapSem',
  'collapse has mmap_sem for reading only: a fault finds the entry above the table empty, and fills it',
);
const keepsRmapOut = defineGuard(
  'collapseHugePage.anonVmaLock',
  'a walk of the reverse mapping finds no table, and so no entry, where a collapse is about to put the table back',
);
const clearsFirst = defineGuard(
  'collapseHugePage.clearFirst',
  'collapse leaves the table in its place until the huge page takes it: pages are written and pinned while they are copied',
);
const flushes = defineGuard(
  'collapseHugePage.flush',
  'collapse does not wait for walks that were under way when it cleared the entry above the table',
);
const putsTableBack = defineGuard(
  'collapseHugePage.undo',
  'collapse that finds a pinned page leaves the entry above the table empty',
);

/** Of an area of another kind there are no huge pages to be had. */
const UNSUITABLE: number = VM_SHARED | VM_NOHUGEPAGE | VM_IO | VM_PFNMAP;

/**
 * thp_vma_allowable_order(): whether huge pages can be made in an area at all: private anonymous memory that was written to, with room for one.
 *
 * *Context*: mmap_sem. *Source*: mm/huge_memory.c, 6.18, TVA_FORCED_COLLAPSE; `hugepage_vma_check`, 3.1, is {@link hugePageFits} besides.
 */
export function* hugePagesAllowed(vma: Ptr<VmAreaStruct>): Op<boolean> {
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & UNSUITABLE) !== 0) return false;
  if ((yield* load(VmAreaStruct.vmFile(vma))) !== NULL || (yield* load(VmAreaStruct.anonVma(vma))) === NULL)
    return false;
  const nr = hpagePmdNr();
  const first = Math.ceil((yield* load(VmAreaStruct.vmStart(vma))) / nr) * nr;
  return first + nr <= (yield* load(VmAreaStruct.vmEnd(vma)));
}

/** khugepaged_test_exit(): the address space is going away. */
export function* isExiting(mm: Ptr<MmStruct>): Op<boolean> {
  return (yield* atomicRead(MmStruct.mmUsers(mm))) === 0;
}

/**
 * hugepage_vma_revalidate(): mmap_sem was not held for a while: is the area there still, with room for a huge page at `address`?
 *
 * *Context*: mmap_sem. *Returns* NULL: no. *Source*: mm/khugepaged.c, 4.8; `collapse_huge_page`, mm/huge_memory.c, 3.1.
 */
export function* hugepageVmaRevalidate(
  mm: Ptr<MmStruct>,
  address: number,
  cc: CollapseControl,
): Op<Ptr<VmAreaStruct> | Null> {
  const vma = yield* findVma(mm, address);
  if (vma === NULL || (yield* isExiting(mm)) || !(yield* hugePagesAllowed(vma))) return NULL;
  if (cc.isKhugepaged) return (yield* hugePageFits(vma, address)) ? vma : NULL;
  const inside =
    (yield* load(VmAreaStruct.vmStart(vma))) <= address &&
    address + hpagePmdNr() <= (yield* load(VmAreaStruct.vmEnd(vma)));
  return inside ? vma : NULL;
}

/**
 * collapse_huge_page(): a huge page in the place of the pages that a table maps.
 *
 * *Context*: mmap_sem for reading, which is dropped. Sleeps. *Returns* `succeed`, or why nothing has changed.
 * *Ordering*: content before entry, by the barrier of SetPageUptodate() (7); partner: the address dependency of who walks the table.
 * *Source*: mm/huge_memory.c, 3.1; swapped pages are read in first as in 4.8 (`__collapse_huge_page_swapin`).
 */
export function* collapseHugePage(
  mm: Ptr<MmStruct>,
  address: number,
  unmapped: number,
  cc: CollapseControl,
): Op<ScanResult> {
  yield* upRead(MmStruct.mmapSem(mm));
  const page = yield* allocHugePage(0, [THP_COLLAPSE_ALLOC, THP_COLLAPSE_ALLOC_FAILED]);
  if (page === NULL) return 'alloc-huge-page-fail';
  let result: ScanResult = 'succeed';
  if (unmapped > 0) {
    yield* downRead(MmStruct.mmapSem(mm));
    result = yield* collapseHugePageSwapin(mm, address, cc);
    yield* upRead(MmStruct.mmapSem(mm));
  }
  if (result === 'succeed') {
    yield* holdsMmapSem() ? downWrite(MmStruct.mmapSem(mm)) : downRead(MmStruct.mmapSem(mm)); // 1
    result = yield* collapseLocked(mm, address, page, cc);
    yield* holdsMmapSem() ? upWrite(MmStruct.mmapSem(mm)) : upRead(MmStruct.mmapSem(mm)); // 9
  }
  if (result !== 'succeed') yield* putPage(page);
  return result;
}

/** __collapse_huge_page_swapin(). *Context*: mmap_sem for reading. *Source*: mm/khugepaged.c, 4.8. */
function* collapseHugePageSwapin(mm: Ptr<MmStruct>, address: number, cc: CollapseControl): Op<ScanResult> {
  const vma = yield* hugepageVmaRevalidate(mm, address, cc);
  if (vma === NULL) return 'vma-check';
  const table = yield* tableBehind(yield* pmdOffset(mm, address));
  if (typeof table === 'string') return table;
  for (let i = 0; i < hpagePmdNr(); i++) {
    const ptep = (table + i) as Ref<Pte>;
    if (!isSwapPte(yield* readPte(ptep))) continue;
    if (!(yield* cc.swapIn(mm, vma, address + i, ptep))) return 'fail';
  }
  // Pages that came in are in a pagevec, which has a reference to them.
  yield* lruAddDrain();
  return 'succeed';
}

/** Where the huge page goes. */
interface Place {
  readonly mm: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  readonly pmd: Ref<Pte>;
  readonly spare: RmapSpare;
}

/** *Context*: mmap_sem for writing. `page` is mapped on success, by the reference that the caller had. */
function* collapseLocked(mm: Ptr<MmStruct>, address: number, page: Ptr<Page>, cc: CollapseControl): Op<ScanResult> {
  const vma = yield* hugepageVmaRevalidate(mm, address, cc);
  if (vma === NULL) return 'vma-check';
  const pmd = yield* pmdOffset(mm, address);
  const table = yield* tableBehind(pmd);
  if (pmd === NULL) return 'pmd-null';
  if (typeof table === 'string') return table;
  const spare = yield* rmapPrepare();
  if (spare === null) return 'alloc-huge-page-fail';
  const isolated: Ptr<Page>[] = [];
  yield* beginIsolation();
  const result = yield* takePages(mm, vma, address, pmd, cc, isolated);
  if (result === 'succeed') {
    const fresh = yield* collapseHugePageCopy(mm, table, address, page); // 6
    yield* installHugePage({ mm, vma, pmd, spare }, address, table, page, fresh);
  }
  for (const old of isolated) yield* unlockPage(old);
  // The last reference to most of them.
  yield* putbackLruPages(isolated);
  yield* rmapRelease(spare);
  return result;
}

/** 2 to 5. */
function* takePages(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  cc: CollapseControl,
  isolated: Ptr<Page>[],
): Op<ScanResult> {
  const anonVma = (yield* load(VmAreaStruct.anonVma(vma))) as Ptr<AnonVma>;
  yield* mmuNotifierInvalidateRangeStart(mm, address, address + hpagePmdNr());
  if (keepsRmapOut()) yield* spinLock(AnonVma.lock(anonVma)); // 2
  yield* spinLock(MmStruct.pageTableLock(mm));
  const table = yield* clearsFirst() ? pmdpGetAndClear(pmd) : readOnce(pmd); // 3
  if (flushes()) yield* flushTlbMm(mm);
  const result = yield* collapseHugePageIsolate(table, address, cc, isolated); // 4
  if (result === 'succeed') yield* store(MmStruct.nrPtes(mm), (yield* load(MmStruct.nrPtes(mm))) - 1);
  else if (clearsFirst() && putsTableBack()) yield* restoreTable(mm, pmd, table);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (keepsRmapOut()) yield* spinUnlock(AnonVma.lock(anonVma)); // 5
  yield* mmuNotifierInvalidateRangeEnd(mm, address, address + hpagePmdNr());
  return result;
}

/** pmd_populate() with the table that was there: nothing in it has changed. */
function* restoreTable(mm: Ptr<MmStruct>, pmd: Ref<Pte>, table: number): Op<void> {
  yield* store(MmStruct.nrPtes(mm), (yield* load(MmStruct.nrPtes(mm))) - 1);
  yield* installTable(mm, pmd, table);
}

/** 7 and 8. `fresh` pages of it were not there before. */
function* installHugePage(
  { mm, vma, pmd, spare }: Place,
  address: number,
  table: number,
  page: Ptr<Page>,
  fresh: number,
): Op<void> {
  const entry = yield* newHugeEntry(vma, page);
  yield* setPageUptodate(page); // 7
  yield* spinLock(MmStruct.pageTableLock(mm));
  bugOn(clearsFirst() && (yield* readOnce(pmd)) !== 0, 'collapse_huge_page: the entry was filled meanwhile');
  yield* addAnonRss(mm, fresh);
  yield* pageAddNewAnonRmap(page, vma, address, pmd, spare);
  yield* lruCacheAddActiveAnon(page);
  yield* store(pmd, entry); // 8
  yield* deposit(mm, table as Ptr<PageTable>);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* countVmEvent(PAGES_COLLAPSED);
}
