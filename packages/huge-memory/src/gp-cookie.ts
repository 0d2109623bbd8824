// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, functionPointer, store, vmBugOn } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { cookieOf, pageHead, pinsInTailCount, type TailPins } from '@lockless/page';
import { type RcuCookie, rcuGetGpCookie, rcuGpCookieElapsed, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';

/*
 * Michel Lespinasse's series of 2011-08-19 (seed 3). Pins are counted in the tails, so a lookup that finds a tail by a pointer from before it was one
 * may have a reference that the head does not count. But it found that pointer in an RCU read section, and must be done with the page in it: so when a
 * grace period has passed since the block was allocated, the counts of its tails are pins, and it may be split.
 */

const cookieWord = (page: Ptr<Page>): Ref<RcuCookie> => cookieOf(page) as number as Ref<RcuCookie>;

/** page_get_gp_cookie(). *Context*: the page is new. *Source*: [PATCH 8/9]. */
export function* pageGetGpCookie(page: Ptr<Page>): Op<void> {
  vmBugOn(!(yield* pageHead(page)), 'page_get_gp_cookie: !PageHead(page)');
  yield* rcuGetGpCookie(cookieWord(page));
}

/** page_gp_cookie_elapsed(). *Source*: [PATCH 8/9]. */
export function* pageGpCookieElapsed(page: Ptr<Page>): Op<boolean> {
  vmBugOn(!(yield* pageHead(page)), 'page_gp_cookie_elapsed: !PageHead(page)');
  return yield* rcuGpCookieElapsed(cookieWord(page));
}

/** page_clear_gp_cookie(): its word becomes page[1].mapping again. *Source*: [PATCH 8/9]. */
export function* pageClearGpCookie(page: Ptr<Page>): Op<void> {
  vmBugOn(!(yield* pageHead(page)), 'page_clear_gp_cookie: !PageHead(page)');
  yield* store(cookieOf(page), 0);
}

const putsUnderRcu = defineGuard(
  'putCompoundPage.rcuReadLock',
  'put_page() of a tail is no RCU reader while it takes its reference to the head',
);

/** Pins in the tail's count, and put_compound_page() an RCU reader until it has its reference to the head, and knows that it is one: [PATCH 3/9]. */
export const pinsUnderRcu: FunctionPointer<TailPins> = functionPointer('pins_under_rcu', {
  ...pinsInTailCount,
  name: 'grace-period',
  *enter() {
    if (putsUnderRcu()) yield* rcuReadLock();
  },
  *leave() {
    if (putsUnderRcu()) yield* rcuReadUnlock();
  },
});
