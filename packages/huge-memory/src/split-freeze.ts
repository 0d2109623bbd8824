// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { clearBit, defineGuard, load, NULL, smpWmb, writeOnce } from '@lockless/cpu';
import { EBUSY, Page, PG_HEAD, PG_TAIL } from '@lockless/mm-types';
import {
  compoundTransHead,
  firstPage,
  getPageUnlessZeroExempt,
  pageCount,
  pageFreezeRefs,
  pageUnfreezeRefs,
  putPageTestzero,
} from '@lockless/page';
import { hpagePmdNr } from './config.js';
import { nthPage } from './split-refcount.js';

/*
 * The counts since 4.5 (Kirill Shutemov): a tail has none. Whoever pins it takes a reference to the head and nothing else, so nobody knows to which page
 * a pin belongs, and a page with pins is not split: -EBUSY. That there are none is made sure by freezing: the head's count becomes 0 if, and only
 * if, it was what is expected.
 *
 *  split: A. freeze the head; B. make the tails pages of their own; C. give head and tails their counts
 *  pin:   1. read the head of the page; 2. a reference to it, unless its count is 0; 3. is it still the head of that page?
 *
 * 2 before A: the freeze fails. 2 between A and C fails. 2 after C gets a reference to what was the head: 3 finds that it is the head no more.
 * *Differs*: a protocol by itself, which no machine boots with: the page's entries are gone when it begins (migration entries take their place).
 */

const freezes = defineGuard('splitFrozen.freeze', 'the count of the head is looked at, not frozen');
const rechecks = defineGuard(
  'tryGetCompoundHead.recheck',
  'who pins does not look at the page again (before c24d37322548)',
);

/**
 * try_get_compound_head(): a reference for a page that was found without a lock, to its head.
 *
 * *Returns* the head; NULL: frozen, free or split meanwhile, try again.
 * *Differs*: PG_tail and the head's address are two words here, so each look at them is one of compound_trans_head(); since 4.4 (1d798ca3f164) they
 * are one.
 * *Ordering*: 2 is a full barrier, so 3 comes after it; pairs with the release in C.
 * *Source*: mm/gup.c, c24d37322548 (5.14): "mm/gup: fix try_get_compound_head() race with split_huge_page()".
 */
export function* tryGetCompoundHead(page: Ptr<Page>): Op<Ptr<Page> | Null> {
  const head = yield* compoundTransHead(page); // 1
  if (!(yield* getPageUnlessZeroExempt(head, 'headOfTail'))) return NULL; // 2
  if (!rechecks() || (yield* compoundTransHead(page)) === head) return head; // 3
  yield* putPageTestzero(head);
  return NULL;
}

function* takeAll(head: Ptr<Page>): Op<boolean> {
  if (freezes()) return yield* pageFreezeRefs(head, 1);
  if ((yield* pageCount(head)) !== 1) return false;
  yield* writeOnce(Page._count(head), 0);
  return true;
}

/**
 * split_huge_page_to_list(), its middle: splits a page that nobody maps and nobody but the caller has a reference to. He then has one to each.
 *
 * *Returns* 0 or -EBUSY: it is pinned.
 * *Ordering*: C by release: who gets a reference after it sees B. *Source*: mm/huge_memory.c, 4.5 (e9b61f19858a), with `page_ref_freeze` of 4.9.
 */
export function* splitFrozen(head: Ptr<Page>): Op<number> {
  if (!(yield* takeAll(head))) return -EBUSY; // A
  for (let i = 1; i < hpagePmdNr(); i++) {
    const tail = nthPage(head, i);
    yield* writeOnce(Page.index(tail), (yield* load(Page.index(head))) + i);
    yield* clearBit(PG_TAIL, Page.flags(tail)); // B
    yield* smpWmb();
    yield* writeOnce(firstPage(tail), 0 as Ptr<Page>);
    yield* pageUnfreezeRefs(tail, 1); // C
  }
  yield* clearBit(PG_HEAD, Page.flags(head));
  yield* pageUnfreezeRefs(head, 1);
  return 0;
}
