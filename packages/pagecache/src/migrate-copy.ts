// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, readOnce, store, writeOnce } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import {
  clearPageActive,
  clearPagePrivate,
  clearPageSwapCache,
  pageActive,
  pageError,
  pageMappedToDisk,
  pageReferenced,
  pageSwapBacked,
  pageUptodate,
  setPageActive,
  setPageError,
  setPageMappedToDisk,
  setPageReferenced,
  setPageSwapBacked,
  setPageUptodate,
} from '@lockless/page';
import { clearPageDirtyForIo, setPageDirty } from './page-writeback.js';

/**
 * Makes the new page what the old one was, and the old one nobody's: 5 of migrate.ts.
 * *Context*: both locked, the new one in the old one's place already, so that dirt goes to the right slot.
 * *Ordering*: who finds the new page waits for its lock before he looks at content or flags.
 * *Source*: `migrate_page_copy`, mm/migrate.c, 2.6.27. *Differs*: two words stand for the bytes; no writeback is under way.
 */
export function* migratePageCopy(newpage: Ptr<Page>, page: Ptr<Page>): Op<void> {
  yield* store(Page.contentIdentity(newpage), yield* readOnce(Page.contentIdentity(page)));
  yield* store(Page.contentVersion(newpage), yield* readOnce(Page.contentVersion(page)));
  if (yield* pageError(page)) yield* setPageError(newpage);
  if (yield* pageReferenced(page)) yield* setPageReferenced(newpage);
  if (yield* pageUptodate(page)) yield* setPageUptodate(newpage);
  if (yield* pageActive(page)) yield* setPageActive(newpage);
  if (yield* pageSwapBacked(page)) yield* setPageSwapBacked(newpage);
  if (yield* pageMappedToDisk(page)) yield* setPageMappedToDisk(newpage);
  if (yield* clearPageDirtyForIo(page)) yield* setPageDirty(newpage);
  yield* clearPageSwapCache(page);
  yield* clearPageActive(page);
  yield* clearPagePrivate(page);
  yield* writeOnce(Page.private(page), 0);
  yield* writeOnce(Page.mapping(page), NULL);
}
