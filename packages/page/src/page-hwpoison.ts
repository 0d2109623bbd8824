// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr } from '@lockless/cpu';
import {
  defineGuard,
  readOnce,
  spinLockIrqsave,
  spinUnlockIrqrestore,
  testAndClearBit,
  testAndSetBit,
  testBit,
} from '@lockless/cpu';
import { Page, PG_HWPOISON } from '@lockless/mm-types';
import { MAX_ORDER, pageToPfn, pfnToPage, Zone, zone } from './mmzone.js';
import { pageBuddy } from './page-flags.js';

/* PG_hwpoison, 2.6.32: the memory of a frame has failed. The flag outlives the page's owner; the allocator asks for it. */

const skipPoisoned = defineGuard('prepNewPage.skipPoisoned', 'the allocator hands out frames whose memory has failed');

export const pageHwpoison = (page: Ptr<Page>): Op<boolean> => testBit(PG_HWPOISON, Page.flags(page));
export const testSetPageHwpoison = (page: Ptr<Page>): Access<boolean> => testAndSetBit(PG_HWPOISON, Page.flags(page));
export const testClearPageHwpoison = (page: Ptr<Page>): Access<boolean> =>
  testAndClearBit(PG_HWPOISON, Page.flags(page));

/** Whether a frame that comes from the free lists must not be used. *Source*: check_new_page(), mm/page_alloc.c, 2.6.32. */
export function* mustNotBeUsed(page: Ptr<Page>): Op<boolean> {
  return (yield* pageHwpoison(page)) && skipPoisoned();
}

/**
 * is_free_buddy_page(): the frame lies in a block that is free. *Context*: any. *Returns* a hint, unless something keeps it from being allocated.
 * *Source*: mm/page_alloc.c, 2.6.33.
 */
export function* isFreeBuddyPage(page: Ptr<Page>): Op<boolean> {
  const pfn = pageToPfn(page);
  const flags = yield* spinLockIrqsave(Zone.lock(zone));
  let free = false;
  for (let order = 0; order < MAX_ORDER && !free; order++) {
    const head = pfnToPage(pfn & ~((1 << order) - 1));
    free = (yield* pageBuddy(head)) && (yield* readOnce(Page.private(head))) >= order;
  }
  yield* spinUnlockIrqrestore(Zone.lock(zone), flags);
  return free;
}
