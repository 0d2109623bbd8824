// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { pageFreezeRefs, unlockPage } from '@lockless/page';
import { SWAP_AGAIN, SWAP_FAIL, tryToUnmap } from '@lockless/rmap';

/**
 * An anonymous page that MADV_FREE gave up: dropped without being written, unless it was written to since.
 *
 * The count is frozen from 1, the caller's: a lookup by a stale address may hold the page. Whether it is dirty is not asked again: with
 * the last entry the last way to write to it went away.
 *
 * *Context*: page locked, isolated. *Returns* 'free': its count is 0, and it is unlocked; 'activate' and 'keep': still locked.
 * *Source*: `shrink_page_list`, mm/vmscan.c, 802a3a92ad7a (4.12), without the second look (as since 5.18).
 */
export function* discardLazyfreePage(page: Ptr<Page>, mapped: boolean): Op<'free' | 'activate' | 'keep'> {
  const unmapped = mapped ? yield* tryToUnmap(page, false) : null;
  if (unmapped === SWAP_FAIL) return 'activate';
  if (unmapped === SWAP_AGAIN || !(yield* pageFreezeRefs(page, 1))) return 'keep';
  yield* unlockPage(page);
  return 'free';
}
