// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { splitsWaitForGp } from './config.js';
import { pageClearGpCookie, pageGpCookieElapsed } from './gp-cookie.js';

const waits = defineGuard(
  'splitHugePage.gpCookie',
  'the page is split while old lookups may still have references to its tails',
);

/**
 * Whether the counts of the tails are pins and nothing else, so that the page can be split. Takes the cookie away when it says so.
 *
 * *Context*: a lock that keeps another split away: anon_vma->lock. *Returns* false: wait for a grace period and ask again.
 * *Source*: Michel Lespinasse, 2011-08-19, [PATCH 9/9] "mm: make sure tail page counts are stable before splitting THP pages"; true at once in the
 * other designs.
 */
export function* tailCountsStable(page: Ptr<Page>): Op<boolean> {
  if (!splitsWaitForGp()) return true;
  if (waits() && !(yield* pageGpCookieElapsed(page))) return false;
  yield* pageClearGpCookie(page);
  return true;
}
