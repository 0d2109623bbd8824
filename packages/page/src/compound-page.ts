// SPDX-License-Identifier: GPL-2.0-only
import type { Access, FunctionPointer, Op, Ptr, Ref } from '@lockless/cpu';
import {
  clearBitUnlock,
  cpuRelax,
  defineWord,
  ListHead,
  load,
  localIrqRestore,
  localIrqSave,
  nonAtomicClearBit,
  nonAtomicSetBit,
  peek,
  pointedFunction,
  poke,
  preemptDisable,
  preemptEnable,
  readOnce,
  smpRmb,
  smpWmb,
  store,
  testAndSetBitLock,
  testBit,
  vmBugOn,
} from '@lockless/cpu';
import { Page, PG_COMPOUND_LOCK, PG_HEAD, PG_TAIL } from '@lockless/mm-types';
import { pageTail } from './page-flags.js';

/*
 * Compound pages, mm/page_alloc.c and include/linux/mm.h: a block of 2^order pages that is counted, listed and freed as one. The first is its
 * head (PG_head), the others are tails (PG_tail) and know the head (page->first_page, in the place of page->private). The second has, in the place
 * of its list entry, how to free the block, and its order; and in the place of its mapping the grace-period cookie of seed 3.
 *
 * *Differs*: 2.6.27 has one flag for compound and tells tails by PG_reclaim; the two flags are of 2.6.28 and later.
 */

const inUse: Ref<number> = defineWord('compound_pages');
/** From now on pages are asked whether they are compound. *Context*: boot. */
export const useCompoundPages = (): void => poke(inUse, 1);
/** Whether there may be compound pages; constant after boot. A machine without them does not look at the flags. */
export const compoundPagesInUse = (): boolean => peek(inUse) !== 0;

/** compound_page_dtor. */
export type CompoundPageDtor = (page: Ptr<Page>) => Op<void>;

/** page->first_page of a tail. */
export const firstPage = (tail: Ptr<Page>): Ref<Ptr<Page>> => Page.private(tail) as number as Ref<Ptr<Page>>;
const second = (head: Ptr<Page>): Ptr<Page> => (head + Page.$size) as Ptr<Page>;
const dtorOf = (head: Ptr<Page>): Ref<FunctionPointer<CompoundPageDtor>> =>
  ListHead.next(Page.lru(second(head))) as number as Ref<FunctionPointer<CompoundPageDtor>>;
/** page[1].lru.prev: the order of a compound page. */
export const orderOf = (head: Ptr<Page>): Ref<number> => ListHead.prev(Page.lru(second(head))) as number as Ref<number>;
/** page[1].thp_create_timestamp: it shares its word with page[1].mapping. */
export const cookieOf = (head: Ptr<Page>): Ref<number> => Page.mapping(second(head));

/** PageHead(). */
export const pageHead = (page: Ptr<Page>): Op<boolean> => testBit(PG_HEAD, Page.flags(page));

/** PageCompound(): head or tail. */
export function* pageCompound(page: Ptr<Page>): Op<boolean> {
  return ((yield* readOnce(Page.flags(page))) & ((1 << PG_HEAD) | (1 << PG_TAIL))) !== 0;
}

/** compound_order(). *Context*: a reference on the head, which is no tail. */
export function* compoundOrder(page: Ptr<Page>): Op<number> {
  return (yield* pageHead(page)) ? yield* readOnce(orderOf(page)) : 0;
}

/**
 * compound_head(): the page that is counted.
 *
 * *Context*: something keeps the page compound: a page table lock under which it is mapped by a huge entry, the compound lock.
 * *Source*: include/linux/mm.h, 3.1.
 */
export function* compoundHead(page: Ptr<Page>): Op<Ptr<Page>> {
  if (!compoundPagesInUse() || !(yield* pageTail(page))) return page;
  return yield* readOnce(firstPage(page));
}

/** {@link compoundHead}, looked at from outside. */
export const headOf = (page: Ptr<Page>): Ptr<Page> =>
  (peek(Page.flags(page)) & (1 << PG_TAIL)) === 0 ? page : peek(firstPage(page));

/**
 * compound_trans_head(): as {@link compoundHead}, of a page that may be split meanwhile. What it returns was the head of the page at some
 * moment, and need not be one any more when the caller looks at it.
 *
 * *Ordering*: the read barrier pairs with the write barrier of the split, between clearing PG_tail and overwriting first_page: a page that still is
 * a tail after it had its head where we looked.
 * *Source*: include/linux/huge_mm.h, 3.2; since 2.6.38 (22e5c47ee2).
 */
export function* compoundTransHead(page: Ptr<Page>): Op<Ptr<Page>> {
  if (!compoundPagesInUse() || !(yield* pageTail(page))) return page;
  const head = yield* readOnce(firstPage(page));
  yield* smpRmb();
  return (yield* pageTail(page)) ? head : page;
}

/**
 * prep_compound_page(): makes one page of a new block.
 *
 * *Context*: nobody else has a reference; the count of each page is 0, and that of tails stays so.
 * *Ordering*: the head is known before PG_tail says so; partner: the reads of {@link compoundTransHead}.
 * *Source*: mm/page_alloc.c, 3.1; the barrier since 3.13, without it a lookup that comes across the page follows what was there.
 */
export function* prepCompoundPage(page: Ptr<Page>, order: number): Op<void> {
  yield* store(orderOf(page), order);
  yield* nonAtomicSetBit(PG_HEAD, Page.flags(page));
  for (let i = 1; i < 1 << order; i++) {
    const tail = (page + i * Page.$size) as Ptr<Page>;
    yield* store(firstPage(tail), page);
    yield* smpWmb();
    yield* nonAtomicSetBit(PG_TAIL, Page.flags(tail));
  }
}

/**
 * destroy_compound_page(): pages of their own again.
 *
 * *Context*: the count is 0. *Source*: mm/page_alloc.c, 3.1.
 */
export function* destroyCompoundPage(page: Ptr<Page>, order: number): Op<void> {
  vmBugOn((yield* load(orderOf(page))) !== order, 'destroy_compound_page: wrong order');
  yield* nonAtomicClearBit(PG_HEAD, Page.flags(page));
  for (let i = 1; i < 1 << order; i++) {
    const tail = (page + i * Page.$size) as Ptr<Page>;
    vmBugOn(!(yield* pageTail(tail)) || (yield* load(firstPage(tail))) !== page, 'destroy_compound_page: not its tail');
    yield* nonAtomicClearBit(PG_TAIL, Page.flags(tail));
    yield* store(firstPage(tail), 0 as Ptr<Page>);
  }
}

/** set_compound_page_dtor(). */
export const setCompoundPageDtor = (head: Ptr<Page>, dtor: FunctionPointer<CompoundPageDtor>): Access<void> =>
  store(dtorOf(head), dtor);

/** __put_compound_page(), its end: calls the destructor. *Context*: the count of the head is 0. */
export function* callCompoundPageDtor(head: Ptr<Page>): Op<void> {
  yield* pointedFunction(yield* load(dtorOf(head)))(head);
}

/**
 * compound_lock_irqsave(): while it is held the page is not split.
 *
 * *Context*: a reference on the head. *Returns* the interrupt flags, for {@link compoundUnlock}.
 * *Ordering*: acquire; partner: the holder before. *Source*: include/linux/mm.h, 2.6.38.
 */
export function* compoundLock(head: Ptr<Page>): Op<boolean> {
  const flags = localIrqSave();
  preemptDisable();
  while (yield* testAndSetBitLock(PG_COMPOUND_LOCK, Page.flags(head))) yield* cpuRelax();
  return flags;
}

/** compound_unlock_irqrestore(). *Ordering*: release; partner: {@link compoundLock}. */
export function* compoundUnlock(head: Ptr<Page>, flags: boolean): Op<void> {
  yield* clearBitUnlock(PG_COMPOUND_LOCK, Page.flags(head));
  preemptEnable();
  localIrqRestore(flags);
}
