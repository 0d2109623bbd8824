// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Null, type Op, type Ptr, readOnce, writeOnce } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { setPageUptodate } from '@lockless/page';
import { hpagePmdNr } from './config.js';
import { nthPage } from './split-refcount.js';

/** copy_user_highpage() of one page; from NULL, clear_user_highpage(). *Context*: nobody knows the copy yet. */
export function* copyUserPage(to: Ptr<Page>, from: Ptr<Page> | Null): Op<void> {
  yield* writeOnce(Page.contentIdentity(to), from === NULL ? 0 : yield* readOnce(Page.contentIdentity(from)));
  yield* writeOnce(Page.contentVersion(to), from === NULL ? 0 : yield* readOnce(Page.contentVersion(from)));
}

/** copy_user_huge_page(): all that is in a huge page, into a block that nobody knows yet. *Source*: mm/memory.c, 2.6.38. */
export function* copyUserHugePage(copy: Ptr<Page>, page: Ptr<Page>): Op<void> {
  for (let i = 0; i < hpagePmdNr(); i++) yield* copyUserPage(nthPage(copy, i), nthPage(page, i));
  yield* setPageUptodate(copy);
}
