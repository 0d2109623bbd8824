// SPDX-License-Identifier: GPL-2.0-only
import { type Op, type Ptr, readOnce, store } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { setPageUptodate } from '@lockless/page';
import { hpagePmdNr } from './config.js';
import { nthPage } from './split-refcount.js';

/** copy_user_huge_page(): all that is in a huge page, into a block that nobody knows yet. *Source*: mm/memory.c, 2.6.38. */
export function* copyUserHugePage(copy: Ptr<Page>, page: Ptr<Page>): Op<void> {
  for (let i = 0; i < hpagePmdNr(); i++) {
    const [to, from] = [nthPage(copy, i), nthPage(page, i)];
    yield* store(Page.contentIdentity(to), yield* readOnce(Page.contentIdentity(from)));
    yield* store(Page.contentVersion(to), yield* readOnce(Page.contentVersion(from)));
  }
  yield* setPageUptodate(copy);
}
