// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { EBUSY, EIO, type Page } from '@lockless/mm-types';
import {
  getPageUnlessZeroExempt,
  isFreeBuddyPage,
  lockPage,
  pageHwpoison,
  pageLru,
  pfnToPage,
  putPage,
  testSetPageHwpoison,
  unlockPage,
  waitOnPageWriteback,
} from '@lockless/page';
import { invalidateInodePage, isolateLruPageForMigration, migratePages } from '@lockless/pagecache';
import { addBadPage, shakePage } from './memory-failure.js';

/**
 * get_any_page(): a reference to whatever page the frame is. *Returns* true with the reference; false when it is free, and marked; null when it
 * is neither. *Source*: mm/memory-failure.c, 3.1.
 */
function* getAnyPage(page: Ptr<Page>): Op<boolean | null> {
  if (yield* getPageUnlessZeroExempt(page, 'getAnyPage')) return true;
  if (!(yield* isFreeBuddyPage(page))) return null;
  return false;
}

/**
 * soft_offline_page(): the frame still works, but is expected to fail: its content goes elsewhere, nobody notices.
 * *Context*: may sleep. *Returns* 0; -EBUSY: the page could not be moved, or was marked already; -EIO: the frame is the kernel's.
 * *Source*: mm/memory-failure.c, 3.1.
 */
export function* softOfflinePage(pfn: number): Op<number> {
  const page = pfnToPage(pfn);
  const referred = yield* getAnyPage(page);
  if (referred === null) return -EIO;
  const error = referred ? yield* moveAway(page) : 0;
  if (error !== 0) return error;
  if (!(yield* testSetPageHwpoison(page))) yield* addBadPage();
  return 0;
}

/** *Context*: a reference, which stays with the frame when the page has left it. */
function* moveAway(page: Ptr<Page>): Op<number> {
  if (!(yield* pageLru(page))) yield* shakePage(page);
  if (!(yield* pageLru(page))) return yield* giveUp(page, -EIO);
  yield* lockPage(page);
  yield* waitOnPageWriteback(page);
  const poisoned = yield* pageHwpoison(page);
  // A clean page of a file that nobody uses is simply forgotten.
  const dropped = !poisoned && (yield* invalidateInodePage(page));
  yield* unlockPage(page);
  if (poisoned) return yield* giveUp(page, -EBUSY);
  if (dropped) return 0;
  if ((yield* isolateLruPageForMigration(page)) !== 0) return yield* giveUp(page, -EBUSY);
  // Migration counts on its own reference alone.
  yield* putPage(page);
  return (yield* migratePages([page])) === 0 ? 0 : -EBUSY;
}

function* giveUp(page: Ptr<Page>, error: number): Op<number> {
  yield* putPage(page);
  return error;
}
