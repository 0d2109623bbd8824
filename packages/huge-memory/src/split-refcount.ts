// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  atomicRead,
  atomicSet,
  atomicSub,
  bugOn,
  clearBit,
  listAdd,
  listAddTail,
  load,
  smpMb,
  smpWmb,
  spinLockIrq,
  spinUnlockIrq,
  writeOnce,
} from '@lockless/cpu';
import {
  Page,
  PG_ACTIVE,
  PG_DIRTY,
  PG_HEAD,
  PG_LRU,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_UPTODATE,
} from '@lockless/mm-types';
import {
  compoundLock,
  compoundUnlock,
  firstPage,
  LRU_ACTIVE,
  lruList,
  lruOf,
  lruStat,
  modZonePageState,
  NR_ANON_PAGES,
  NR_ANON_TRANSPARENT_HUGEPAGES,
  pageLru,
  pageMapcount,
  putPage,
  tailPins,
  Zone,
  zone,
} from '@lockless/page';
import { hpagePmdNr } from './config.js';

/** What a tail has of its head after a split. */
const INHERITED = (1 << PG_REFERENCED) | (1 << PG_SWAPBACKED) | (1 << PG_UPTODATE);
const ON_LRU = (1 << PG_LRU) | (1 << PG_ACTIVE);

/** Page `i` of a block. */
export const nthPage = (head: Ptr<Page>, i: number): Ptr<Page> => (head + i * Page.$size) as Ptr<Page>;

/**
 * __split_huge_page_refcount(): each page of the block gets its own count, flags, and place in the reverse mapping.
 *
 * Of each tail, in this order: 1. its count, which is what it is mapped by and its pins; 2. PG_tail goes: who puts a pin from now on puts an ordinary
 * reference, and must find it in the count; 3. the head's address goes: who still saw PG_tail after reading that has read a head.
 *
 * *Context*: the anon_vma's lock; a reference on the head; every entry that maps it is marked as splitting, so nobody adds a mapping or, by the page
 * table, a pin.
 * *Ordering*: a full barrier between 1 and 2, for the counts of who puts (put_compound_page()); a write barrier between 2 and 3, pairs with the
 * read barriers of compound_trans_head() and put_compound_page().
 * *Source*: mm/huge_memory.c, 3.1; the transfer of pins as in 3.1 or 70b50f94f1 (3.2), see tail-counts.ts of page.
 */
export function* splitHugePageRefcount(head: Ptr<Page>): Op<void> {
  const pages = hpagePmdNr();
  yield* spinLockIrq(Zone.lruLock(zone));
  const flags = yield* compoundLock(head);
  const mappings = yield* pageMapcount(head);
  for (let i = 1; i < pages; i++) yield* splitTail(head, nthPage(head, i), i, mappings);
  yield* modZonePageState(NR_ANON_TRANSPARENT_HUGEPAGES, -1);
  yield* modZonePageState(NR_ANON_PAGES, pages);
  // The list counted all of them with the head.
  if (yield* pageLru(head)) yield* modZonePageState(lruStat(yield* lruOf(head)), 1 - pages);
  yield* clearBit(PG_HEAD, Page.flags(head));
  yield* compoundUnlock(head, flags);
  yield* spinUnlockIrq(Zone.lruLock(zone));
  // The reference that kept each tail up to here: it may be mapped by nobody.
  for (let i = 1; i < pages; i++) yield* putPage(nthPage(head, i));
}

function* splitTail(head: Ptr<Page>, tail: Ptr<Page>, i: number, mappings: number): Op<void> {
  const pins = yield* tailPins().settle(head, tail, mappings); // 1
  if (pins !== 0) yield* atomicSub(pins, Page._count(head));
  bugOn(
    (yield* atomicRead(Page._count(head))) <= 0,
    'split: the head counts fewer references than its tails have pins',
  );
  // What it is must be known to who sees it without PG_tail; until then nobody asks. (Linux sets these two after 3.)
  yield* writeOnce(Page.index(tail), (yield* load(Page.index(head))) + i);
  yield* writeOnce(Page.mapping(tail), yield* load(Page.mapping(head)));
  yield* smpMb();
  const kept = (yield* load(Page.flags(head))) & INHERITED;
  yield* writeOnce(Page.flags(tail), kept | (1 << PG_DIRTY)); // 2
  yield* smpWmb();
  yield* writeOnce(firstPage(tail), 0 as Ptr<Page>); // 3
  yield* atomicSet(Page._mapcount(tail), mappings - 1);
  yield* lruAddPageTail(head, tail);
}

/**
 * lru_add_page_tail(): next to the head if that is on a list, else (it is in a pagevec, or isolated) at the end of one.
 *
 * *Context*: lru_lock. *Source*: mm/swap.c, 3.1.
 */
function* lruAddPageTail(head: Ptr<Page>, tail: Ptr<Page>): Op<void> {
  const lru = yield* lruOf(head);
  const active = (lru & LRU_ACTIVE) !== 0 ? ON_LRU : 1 << PG_LRU;
  yield* writeOnce(Page.flags(tail), (yield* load(Page.flags(tail))) | active);
  if (yield* pageLru(head)) yield* listAdd(Page.lru(tail), Page.lru(head));
  else yield* listAddTail(Page.lru(tail), lruList(lru));
  yield* modZonePageState(lruStat(lru), 1);
}
