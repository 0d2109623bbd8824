// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  clearBit,
  cpuRelax,
  defineGuard,
  preemptDisable,
  preemptEnable,
  setBit,
  smpMb,
  smpWmb,
  vmBugOn,
} from '@lockless/cpu';
import { Page, PG_NONEWREFS } from '@lockless/mm-types';
import { pageNoNewRefs } from './page-flags.js';

/*
 * PG_nonewrefs, the protocol of 2006: whoever is about to judge a page by its count tells lookups to wait. A lookup may still take a
 * reference, but does not return with it before the flag is clear again. The proof is in pagecache's lookup-no-new-refs.ts.
 */

/** Kernel-facts A1. */
const fullBarrier = defineGuard(
  'setPageNoNewRefs.fullBarrier',
  "set_page_no_new_refs has smp_wmb, as the patch's comment says, where the flag must be seen before the count is read",
);
/** Kernel-facts A4. */
const preemptOff = defineGuard(
  'setPageNoNewRefs.preemptOff',
  'a task that has set PG_nonewrefs can be preempted by one that waits for it to be cleared',
);

/**
 * set_page_no_new_refs(): from here to {@link endPageNoNewRefs} no lookup returns this page.
 * *Context*: page locked, or new; does not sleep until the end; preemption is off until then, because a lookup that preempted the caller
 * would wait for it with preemption off.
 * *Ordering*: a full barrier between the flag and the caller's look at the count. Pairs with the one in get_page_unless_zero() between the
 * count and the look at the flag: that is store buffering, and one of the two is seen.
 * *Source*: `set_page_no_new_refs`, include/linux/pagemap.h, Peter Zijlstra's patches for -rt (2006-11); `SetPageNoNewRefs` in Nick Piggin's
 * (2006). *Differs*: both have `smp_wmb` there, which orders two stores and no load; right on x86 alone, where set_bit is a full barrier.
 */
export function* setPageNoNewRefs(page: Ptr<Page>): Op<void> {
  vmBugOn(yield* pageNoNewRefs(page), 'set_page_no_new_refs: PageNoNewRefs(page)');
  if (preemptOff()) preemptDisable();
  yield* setBit(PG_NONEWREFS, Page.flags(page));
  yield* fullBarrier() ? smpMb() : smpWmb();
}

/**
 * end_page_no_new_refs(): lookups may return the page, if they still find it.
 * *Ordering*: a write barrier between what was done to the tree and to the page, and the flag (kernel-facts A2). Pairs with smp_rmb after
 * {@link waitOnNewRefs}. That tree_lock is released in between is not enough: a later store may move up before the release.
 * *Source*: `end_page_no_new_refs`, include/linux/pagemap.h, Peter Zijlstra's patches for -rt (2006-11).
 */
export function* endPageNoNewRefs(page: Ptr<Page>): Op<void> {
  vmBugOn(!(yield* pageNoNewRefs(page)), 'end_page_no_new_refs: !PageNoNewRefs(page)');
  yield* smpWmb();
  yield* clearBit(PG_NONEWREFS, Page.flags(page));
  if (preemptOff()) preemptEnable();
}

/**
 * wait_on_new_refs(): waits until PG_nonewrefs is clear. *Context*: the caller holds a reference. *Ordering*: none.
 * *Source*: `wait_on_new_refs`, include/linux/pagemap.h, Peter Zijlstra's patches for -rt (2006-11).
 */
export function* waitOnNewRefs(page: Ptr<Page>): Op<void> {
  while (yield* pageNoNewRefs(page)) yield* cpuRelax();
}
