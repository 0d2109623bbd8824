// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr } from '@lockless/cpu';
import {
  atomicCmpxchg,
  atomicDecAndTest,
  atomicInc,
  atomicIncNotZero,
  atomicRead,
  atomicSet,
  configPreempt,
  configSmp,
  inAtomic,
  inInterrupt,
  smpRmb,
  smpStoreRelease,
  vmBugOn,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { compoundPagesInUse } from './compound-page.js';
import { pageTail } from './page-flags.js';
import { assertRcuReader, type RcuExempt } from './page-ref-rcu.js';
import { tailPins } from './tail-pins.js';

/*
 * page->_count. 0 is free or frozen, and from 0 only two lead away: the allocator and page_unfreeze_refs(), by a store, which is right
 * because everybody else who wants a reference either owns one already or uses get_page_unless_zero().
 */

/** page_count() of this very page, tail or not. *Ordering*: none. While lookups take speculative references, a value that was not frozen is a hint. */
export const pageCount = (page: Ptr<Page>): Access<number> => atomicRead(Page._count(page));

/**
 * get_page(): one more reference. *Context*: the caller owns one, or holds a lock that proves there is one.
 * *Ordering*: none. *Source*: include/linux/mm.h, 2.6.27; of a tail as in 3.1 or 3.2, see tail-counts.ts.
 */
export function* getPage(page: Ptr<Page>): Op<void> {
  if (compoundPagesInUse()) {
    if ((yield* pageTail(page)) && (yield* tailPins().get(page))) return;
    // As in put_page(): the count of what was a tail, for the assertion.
    yield* smpRmb();
  }
  vmBugOn((yield* pageCount(page)) === 0, 'get_page: page_count(page) == 0');
  yield* atomicInc(Page._count(page));
}

/** page_cache_get(). */
export const pageCacheGet = (page: Ptr<Page>): Op<void> => getPage(page);

/** put_page_testzero(): gives a reference back; true when it was the last and the caller must free the page. *Ordering*: full. */
export function* putPageTestzero(page: Ptr<Page>): Op<boolean> {
  vmBugOn((yield* pageCount(page)) === 0, 'put_page_testzero: page_count(page) == 0');
  return yield* atomicDecAndTest(Page._count(page));
}

/**
 * get_page_unless_zero(): a reference, unless the page is free or frozen. *Context*: the RCU read section in which the pointer to the page was
 * read, see page-ref-rcu.ts. *Ordering*: full when it succeeds, none when it fails.
 * *Source*: include/linux/mm.h, 2.6.27; the assertion is of 2011.
 */
export function getPageUnlessZero(page: Ptr<Page>): Access<boolean> {
  assertRcuReader(getPageUnlessZero);
  return atomicIncNotZero(Page._count(page));
}

/**
 * __get_page_unless_zero() of that patch: {@link getPageUnlessZero} without the assertion, for callers that are excused by name.
 */
export const getPageUnlessZeroExempt = (page: Ptr<Page>, _caller: RcuExempt): Access<boolean> =>
  atomicIncNotZero(Page._count(page));

/**
 * page_cache_get_speculative(): a reference to a page that was found without a lock. False: it is being freed, so the caller starts its
 * lookup again. True: the reference holds, but maybe on a page that meanwhile is something else: the caller must look again at the place
 * where it found the page, and put the reference back when another page is there now.
 *
 * *Context*: the RCU read section of the lookup; not in interrupts.
 * Without CONFIG_SMP it is a plain increment: the reader cannot be preempted, and nobody removes pages in an interrupt handler, so the
 * page still has the reference of whoever put it where the lookup found it.
 * *Ordering*: full on success, so the second look comes after the reference. Pairs with {@link pageFreezeRefs}: either the freeze counts
 * this reference and fails, or this fails, or it comes after the removal and the second look sees that.
 * *Source*: include/linux/pagemap.h, e286781d5f (2.6.27).
 */
export function* pageCacheGetSpeculative(page: Ptr<Page>): Op<boolean> {
  vmBugOn(inInterrupt(), 'page_cache_get_speculative: in_interrupt()');
  if (!configSmp()) yield* plainGet(page);
  else if (!(yield* getPageUnlessZero(page))) return false;
  vmBugOn(yield* pageTail(page), 'page_cache_get_speculative: PageTail(page)');
  return true;
}

/** The reference of {@link pageCacheGetSpeculative} without CONFIG_SMP. */
function* plainGet(page: Ptr<Page>): Op<void> {
  vmBugOn(configPreempt() && !inAtomic(), 'page_cache_get_speculative: !in_atomic()');
  vmBugOn((yield* pageCount(page)) === 0, 'page_cache_get_speculative: page_count(page) == 0');
  yield* atomicInc(Page._count(page));
}

/**
 * page_freeze_refs(): takes all `count` references at once, if there are exactly so many. True: the count is 0, nobody gets another
 * reference until {@link pageUnfreezeRefs} or until the page is freed. One of the two must follow, or lookups spin for ever.
 * *Context*: page locked, tree_lock held. *Ordering*: full on success: what a former holder did to the page is seen after it.
 * *Source*: include/linux/pagemap.h, e286781d5f (2.6.27).
 */
export function* pageFreezeRefs(page: Ptr<Page>, count: number): Op<boolean> {
  return (yield* atomicCmpxchg(Page._count(page), count, 0)) === count;
}

/**
 * page_unfreeze_refs(): ends a freeze, leaving `count` references.
 * *Ordering*: release: who then gets a reference sees what was done to the page while it was frozen.
 * *Source*: include/linux/pagemap.h, e286781d5f (2.6.27). *Differs*: 2.6.27 has a plain store there, which weak memory may move before
 * those stores (kernel-facts A11); a release store since 2017.
 */
export function* pageUnfreezeRefs(page: Ptr<Page>, count: number): Op<void> {
  vmBugOn((yield* pageCount(page)) !== 0, 'page_unfreeze_refs: page_count(page) != 0');
  vmBugOn(count === 0, 'page_unfreeze_refs: count == 0');
  yield* smpStoreRelease(Page._count(page), count);
}

/** set_page_refcounted(): the first reference of a page that comes from the allocator. */
export function* setPageRefcounted(page: Ptr<Page>): Op<void> {
  vmBugOn((yield* pageCount(page)) !== 0, 'set_page_refcounted: page_count(page) != 0');
  yield* atomicSet(Page._count(page), 1);
}
