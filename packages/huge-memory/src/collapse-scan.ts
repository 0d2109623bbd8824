// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, NULL, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import { MmStruct, type Page, type VmAreaStruct } from '@lockless/mm-types';
import {
  pageCount,
  pageLocked,
  pageLru,
  pageMapcount,
  pageSwapCache,
  pageToPfn,
  trylockPage,
  unlockPage,
  zeroPage,
} from '@lockless/page';
import { isolateLruPageForMigration } from '@lockless/pagecache';
import {
  isSwapPte,
  nonSwapEntry,
  type Pte,
  pmdOffset,
  pmdTransHuge,
  pteNone,
  ptePfn,
  ptePresent,
  pteSpecial,
  pteToSwpEntry,
  pteYoung,
  readPte,
  vmNormalPage,
} from '@lockless/rmap';
import { hpagePmdNr } from './config.js';

/** enum scan_result: what became of the pages that a huge page has room for, or why they are left as they are. */
export type ScanResult =
  | 'succeed'
  | 'pmd-null'
  | 'pmd-mapped'
  | 'exceed-none-pte'
  | 'exceed-swap-pte'
  | 'exceed-shared-pte'
  | 'pte-non-present'
  | 'lack-referenced-page'
  | 'page-null'
  | 'page-count'
  | 'page-lru'
  | 'page-lock'
  | 'del-page-lru'
  | 'vma-check'
  | 'any-process'
  | 'alloc-huge-page-fail'
  | 'fail';

/** struct collapse_control: who collapses, and what he puts up with. */
export interface CollapseControl {
  /** The kernel by itself: pages must be in use. Else a program asked for it. */
  readonly isKhugepaged: boolean;
  /** Entries that may map nothing, or zeros; be in swap; map a page that others map too. */
  readonly maxPtesNone: number;
  readonly maxPtesSwap: number;
  readonly maxPtesShared: number;
  /** Brings the page of an entry in swap back. *Context*: mmap_sem for reading. *Returns* false: it cannot be read, or mapped. */
  readonly swapIn: (mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number, ptep: Ref<Pte>) => Op<boolean>;
}

/** What a look at the entries says. */
export interface Scan {
  readonly result: ScanResult;
  /** Entries that are in swap. */
  readonly unmapped: number;
}

const countsReferences = defineGuard(
  'collapseHugePage.pageCount',
  'collapse takes pages to which somebody has a reference that is no mapping: who pinned one has a page that nobody maps any more',
);

/** pte_none_or_zero(): an entry that a page of zeros will do for. */
export const pteNoneOrZero = (pte: Pte): boolean =>
  pteNone(pte) || (pteSpecial(pte) && ptePfn(pte) === pageToPfn(zeroPage()));

/** Somebody has a reference to the page that is no mapping, and not the swap cache's. *Source*: `is_refcount_suitable`, mm/khugepaged.c, 5.8. */
function* isPinned(page: Ptr<Page>): Op<boolean> {
  if (!countsReferences()) return false;
  const expected = (yield* pageMapcount(page)) + ((yield* pageSwapCache(page)) ? 1 : 0);
  return (yield* pageCount(page)) !== expected;
}

/** find_pmd_or_thp_or_none(): the table behind an entry, or why there is none. *Source*: mm/khugepaged.c, 6.1. */
export function* tableBehind(pmd: Ref<Pte> | Null): Op<number | 'pmd-null' | 'pmd-mapped'> {
  const entry = pmd === NULL ? 0 : yield* readOnce(pmd);
  if (entry === 0) return 'pmd-null';
  return pmdTransHuge(entry) ? 'pmd-mapped' : entry;
}

/**
 * hpage_collapse_scan_pmd(), its look at the entries: whether it is worth while, and likely, to put a huge page in their place. Nothing is changed.
 *
 * *Context*: mmap_sem for reading; no spin lock; `address` is where a huge page begins.
 * *Source*: `khugepaged_scan_pmd`, mm/huge_memory.c, 3.1, which wants pages that are writable and mapped once; shared ones as in 5.8, read-only ones and
 * MADV_COLLAPSE as seen on 6.18.
 */
export function* hpageCollapseScanPmd(mm: Ptr<MmStruct>, address: number, cc: CollapseControl): Op<Scan> {
  const pmd = yield* pmdOffset(mm, address);
  if (pmd === NULL) return { result: 'pmd-null', unmapped: 0 };
  yield* spinLock(MmStruct.pageTableLock(mm));
  const table = yield* tableBehind(pmd);
  const scan = typeof table === 'number' ? yield* scanTable(table, address, cc) : { result: table, unmapped: 0 };
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return scan;
}

function* scanTable(table: number, address: number, cc: CollapseControl): Op<Scan> {
  const seen = { none: 0, unmapped: 0, shared: 0, referenced: 0 };
  for (let i = 0; i < hpagePmdNr(); i++) {
    const pte = yield* readPte((table + i) as Ref<Pte>);
    const result = yield* scanEntry(pte, address + i, cc, seen);
    if (result !== 'succeed') return { result, unmapped: seen.unmapped };
  }
  const { unmapped, referenced } = seen;
  const used = referenced > 0 && (unmapped === 0 || referenced >= hpagePmdNr() / 2);
  return { result: cc.isKhugepaged && !used ? 'lack-referenced-page' : 'succeed', unmapped };
}

interface Seen {
  none: number;
  unmapped: number;
  shared: number;
  referenced: number;
}

function* scanEntry(pte: Pte, address: number, cc: CollapseControl, seen: Seen): Op<ScanResult> {
  if (pteNoneOrZero(pte)) return ++seen.none > cc.maxPtesNone ? 'exceed-none-pte' : 'succeed';
  if (!ptePresent(pte)) {
    if (!isSwapPte(pte) || nonSwapEntry(pteToSwpEntry(pte))) return 'pte-non-present';
    return ++seen.unmapped > cc.maxPtesSwap ? 'exceed-swap-pte' : 'succeed';
  }
  const page = vmNormalPage(NULL, address, pte);
  if (page === NULL) return 'page-null';
  if ((yield* pageMapcount(page)) > 1 && ++seen.shared > cc.maxPtesShared) return 'exceed-shared-pte';
  if (!(yield* pageLru(page))) return 'page-lru';
  if (yield* pageLocked(page)) return 'page-lock';
  if (yield* isPinned(page)) return 'page-count';
  if (pteYoung(pte)) seen.referenced++;
  return 'succeed';
}

/**
 * __collapse_huge_page_isolate(): takes each page that the table maps off the LRU, and locks it, so that nobody else maps, moves, swaps or frees it; and looks
 * whether somebody did before.
 *
 * *Context*: page table lock; the entry above the table is empty, and flushed. `isolated` gets the pages, each locked and with a reference, also when it
 * gives up. *Source*: mm/huge_memory.c, 3.1; counts as in 5.8.
 */
export function* collapseHugePageIsolate(
  table: number,
  address: number,
  cc: CollapseControl,
  isolated: Ptr<Page>[],
): Op<ScanResult> {
  const seen: Seen = { none: 0, unmapped: 0, shared: 0, referenced: 0 };
  for (let i = 0; i < hpagePmdNr(); i++) {
    const pte = yield* readPte((table + i) as Ref<Pte>);
    if (pteNoneOrZero(pte)) {
      if (++seen.none > cc.maxPtesNone) return 'exceed-none-pte';
      continue;
    }
    const page = ptePresent(pte) ? vmNormalPage(NULL, address + i, pte) : NULL;
    if (page === NULL) return ptePresent(pte) ? 'page-null' : 'pte-non-present';
    if ((yield* pageMapcount(page)) > 1 && ++seen.shared > cc.maxPtesShared) return 'exceed-shared-pte';
    const result = yield* isolatePage(page);
    if (result !== 'succeed') return result;
    isolated.push(page);
  }
  return 'succeed';
}

function* isolatePage(page: Ptr<Page>): Op<ScanResult> {
  if (!(yield* trylockPage(page))) return 'page-lock';
  const result = (yield* isPinned(page))
    ? 'page-count'
    : (yield* isolateLruPageForMigration(page)) === 0
      ? 'succeed'
      : 'del-page-lru';
  if (result !== 'succeed') yield* unlockPage(page);
  return result;
}
