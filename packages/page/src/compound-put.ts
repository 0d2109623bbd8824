// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { defineGuard, NULL, readOnce, smpRmb, vmBugOn } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { compoundLock, compoundUnlock, firstPage, pageHead } from './compound-page.js';
import { pageTail } from './page-flags.js';
import { pageCacheFree } from './page-free.js';
import { getPageUnlessZeroExempt, putPageTestzero } from './page-ref.js';
import { tailPins } from './tail-pins.js';

/*
 * put_page() of a compound page. Of a head it is as of any page, but that the block is freed by its destructor. Who puts a tail has a pin on it, which
 * keeps the tail, but not its head: a split may be under way, or done, and then the former head may be gone and be anything. So (F2)
 *
 *  1. read the head; 2. is the page still a tail, read after 1? Then the head was one when we read it;
 *  3. get a reference to it, unless it is free; from here on it stays what it is;
 *  4. is it a head? Else the split is done, or it is a page of somebody else;
 *  5. take its compound lock, so that no split begins, and look whether the page is a tail for the last time.
 *
 * If any of them says no, the pin is an ordinary reference by now, and is given back as one.
 */

const tailRecheck = defineGuard(
  'putCompoundPage.tailRecheck',
  'the page is taken for a tail still when the compound lock has been taken',
);
const headRecheck = defineGuard(
  'putCompoundPage.headRecheck',
  'the compound lock is taken in a page that may be no head any more',
);

const dropUnderRcu = defineGuard(
  'putCompoundPage.dropUnderRcu',
  'a reference that turned out to be one to a stranger is given back when the RCU read section is over, as in patch 3 of 9, 2011',
);

/** Gives back a reference on what is, or was, a head. */
export function* putHeadReference(head: Ptr<Page>): Op<void> {
  if (yield* putPageTestzero(head)) yield* pageCacheFree(head);
}

/** Gives back a reference on a head, or on what was a tail a moment ago and got its count before it lost the flag; only the assertion needs the barrier. */
function* putFormerTail(page: Ptr<Page>): Op<void> {
  yield* smpRmb();
  yield* putHeadReference(page);
}

/**
 * Steps 1 to 4. *Returns* the head with a reference to it, or NULL.
 *
 * *Differs* from [PATCH 3/9], which ends the RCU read section after 3: who waits for a grace period to know the count of his page (seed 3) does not know
 * it while a stranger's reference to it, taken in such a section, is still to be given back. So 4, where it says no, belongs into the section.
 */
function* headOfTail(page: Ptr<Page>): Op<Ptr<Page> | Null> {
  yield* tailPins().enter();
  const head = yield* readOnce(firstPage(page)); // 1
  // 1 before 2: pairs with the write barrier of the split between clearing PG_tail and overwriting first_page.
  yield* smpRmb();
  const referenced = (yield* pageTail(page)) && (yield* getPageUnlessZeroExempt(head, 'headOfTail')); // 2, 3
  if (!dropUnderRcu()) yield* tailPins().leave();
  const found = referenced && (!headRecheck() || (yield* pageHead(head))); // 4
  if (referenced && !found) yield* putHeadReference(head);
  if (dropUnderRcu()) yield* tailPins().leave();
  return found ? head : NULL;
}

/**
 * put_compound_page(). *Context*: any; a reference on `page`, which is or was compound.
 *
 * *Source*: mm/swap.c, 3.1; RCU around steps 1 to 4, see headOfTail(), as in Michel Lespinasse, 2011-08-19, [PATCH 3/9], where the design has it.
 */
export function* putCompoundPage(page: Ptr<Page>): Op<void> {
  const head = (yield* pageTail(page)) ? yield* headOfTail(page) : NULL;
  if (head === NULL) return yield* putFormerTail(page);
  const flags = yield* compoundLock(head); // 5
  if (tailRecheck() && !(yield* pageTail(page))) {
    yield* compoundUnlock(head, flags);
    yield* putHeadReference(head);
    return yield* putFormerTail(page);
  }
  // The one of step 3; the pin's own is there still, and no split can begin.
  vmBugOn(yield* putPageTestzero(head), 'put_page: the pin of a tail is not counted in its head');
  yield* tailPins().forget(page);
  yield* compoundUnlock(head, flags);
  yield* putHeadReference(head);
}
