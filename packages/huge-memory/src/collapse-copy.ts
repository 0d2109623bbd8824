// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { NULL, spinLock, spinUnlock } from '@lockless/cpu';
import { MmStruct, type Page } from '@lockless/mm-types';
import { pageMapped, putPage } from '@lockless/page';
import { tryToFreeSwap } from '@lockless/pagecache';
import { type Pte, pageRemoveRmap, pteClear, pteNone, readPte, vmNormalPage } from '@lockless/rmap';
import { pteNoneOrZero } from './collapse-scan.js';
import { hpagePmdNr } from './config.js';
import { copyUserPage } from './copy-user-huge-page.js';
import { nthPage } from './split-refcount.js';

/**
 * __collapse_huge_page_copy(): the content of each page, zeros where there is none; then the page has one mapping less, and the table is empty.
 *
 * *Context*: what the table maps is isolated and locked; nobody finds the table. *Returns* how many pages there were none of.
 * *Source*: mm/huge_memory.c, 3.1.
 */
export function* collapseHugePageCopy(mm: Ptr<MmStruct>, table: number, address: number, page: Ptr<Page>): Op<number> {
  let fresh = 0;
  for (let i = 0; i < hpagePmdNr(); i++) {
    const ptep = (table + i) as Ref<Pte>;
    const pte = yield* readPte(ptep);
    const old = pteNoneOrZero(pte) ? NULL : vmNormalPage(NULL, address + i, pte);
    yield* copyUserPage(nthPage(page, i), old);
    if (old === NULL) fresh++;
    if (!pteNone(pte)) yield* clearEntry(mm, address + i, ptep, old);
  }
  return fresh;
}

/** The entry goes, and with it the page's mapping and its reference. */
function* clearEntry(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>, page: Ptr<Page> | Null): Op<void> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  yield* pteClear(mm, address, ptep);
  if (page !== NULL) yield* pageRemoveRmap(page, ptep);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (page === NULL) return;
  if (!(yield* pageMapped(page))) yield* tryToFreeSwap(page);
  yield* putPage(page);
}
