// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  atomicAddNegative,
  atomicInc,
  atomicIncAndTest,
  atomicSet,
  bugOn,
  load,
  vmBugOn,
  writeOnce,
} from '@lockless/cpu';
import { memCgroupUnchargePage } from '@lockless/memcontrol';
import { PAGE_MAPPING_ANON, Page, VmAreaStruct } from '@lockless/mm-types';
import type { ZoneStatItem } from '@lockless/page';
import {
  compoundPagesInUse,
  modZonePageState,
  NR_ANON_PAGES,
  NR_ANON_TRANSPARENT_HUGEPAGES,
  NR_FILE_MAPPED,
  pageAnon,
  pageHead,
  pageLocked,
  pageMapcount,
} from '@lockless/page';
import { linearPageIndex } from './rmap-walk.js';

/*
 * Counting the mappings of a page. _mapcount is mappings - 1 and changes only with the page table lock of the entry held; the
 * reverse mapping itself costs no list operation per page: the areas are the list.
 */

/**
 * page_add_anon_rmap(): one more entry maps an anonymous page.
 *
 * *Context*: page table lock; page locked.
 * *Source*: page_add_anon_rmap(), mm/rmap.c, 2.6.27.
 */
export function* pageAddAnonRmap(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number): Op<void> {
  vmBugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  if (yield* atomicIncAndTest(Page._mapcount(page))) yield* setAnonRmap(page, vma, address);
}

/**
 * page_add_new_anon_rmap(): the first entry of a page that nobody else can see yet; it need not be locked.
 *
 * *Context*: page table lock.
 * *Source*: page_add_new_anon_rmap(), mm/rmap.c, 2.6.27.
 */
export function* pageAddNewAnonRmap(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number): Op<void> {
  const start = yield* load(VmAreaStruct.vmStart(vma));
  bugOn(address < start || address >= (yield* load(VmAreaStruct.vmEnd(vma))), 'address outside vma');
  yield* atomicSet(Page._mapcount(page), 0);
  yield* setAnonRmap(page, vma, address);
}

/** __page_set_anon_rmap(): tells the page where it is mapped. */
function* setAnonRmap(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number): Op<void> {
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  bugOn(anonVma === 0, '!vma->anon_vma');
  // The index first: who reads mapping and then index must not meet the index of another mapping.
  yield* writeOnce(Page.index(page), yield* linearPageIndex(vma, address));
  yield* writeOnce(Page.mapping(page), anonVma + PAGE_MAPPING_ANON);
  yield* modZonePageState(yield* anonStat(page), 1);
}

/** Mapped anonymous pages are counted apart by size. */
function* anonStat(page: Ptr<Page>): Op<ZoneStatItem> {
  return compoundPagesInUse() && (yield* pageHead(page)) ? NR_ANON_TRANSPARENT_HUGEPAGES : NR_ANON_PAGES;
}

/**
 * page_add_file_rmap(): one more entry maps a page-cache page.
 *
 * *Context*: page table lock.
 * *Source*: page_add_file_rmap(), mm/rmap.c, 2.6.27.
 */
export function* pageAddFileRmap(page: Ptr<Page>): Op<void> {
  if (yield* atomicIncAndTest(Page._mapcount(page))) yield* modZonePageState(NR_FILE_MAPPED, 1);
}

/**
 * page_dup_rmap(): fork copies an entry: the page is mapped once more, and was before.
 *
 * *Context*: page table lock of the parent's entry, which keeps the page mapped.
 * *Source*: page_dup_rmap(), mm/rmap.c, 2.6.27.
 */
export function* pageDupRmap(page: Ptr<Page>): Op<void> {
  bugOn((yield* pageMapcount(page)) === 0, 'page_dup_rmap: page is not mapped');
  yield* atomicInc(Page._mapcount(page));
}

/**
 * page_remove_rmap(): one entry less.
 *
 * page->mapping stays, even of an anonymous page: it says what the page was until it is freed, and clearing it would race with
 * page_add_anon_rmap(), which sets it before its count can be seen.
 *
 * *Context*: page table lock; the entry is cleared and flushed already: when the count reaches 0 others take the page for
 * unreachable (C8; Linux 945754a175). The reference of the entry is dropped after this.
 * *Ordering*: the decrement is a full barrier: who sees the new count sees the cleared entry.
 * *Source*: page_remove_rmap(), mm/rmap.c, 2.6.27.
 */
export function* pageRemoveRmap(page: Ptr<Page>): Op<void> {
  if (!(yield* atomicAddNegative(-1, Page._mapcount(page)))) return;
  bugOn((yield* pageMapcount(page)) < 0, 'page_remove_rmap: page was not mapped');
  yield* modZonePageState((yield* pageAnon(page)) ? yield* anonStat(page) : NR_FILE_MAPPED, -1);
  yield* memCgroupUnchargePage(page);
}
