// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import {
  atomicAdd,
  atomicDec,
  atomicInc,
  atomicRead,
  bugOn,
  functionPointer,
  peek,
  readOnce,
  vmBugOn,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import {
  compoundLock,
  compoundPagesInUse,
  compoundTransHead,
  compoundUnlock,
  firstPage,
  useCompoundPages,
} from './compound-page.js';
import { putHeadReference } from './compound-put.js';
import { pageTail } from './page-flags.js';
import { getPageUnlessZeroExempt } from './page-ref.js';
import { selectTailPins, type TailPins, tailPins } from './tail-pins.js';

/*
 * The two places that tails had for the pins on them.
 *
 * In the tail's own count (2.6.38 to 3.1): then get_page_unless_zero() succeeds on a pinned tail. It knows nothing of heads, so who comes across the
 * tail by an old pointer has a reference that the head does not count; a split takes it from the head nevertheless, and so does put_page() (F1).
 *
 * In the tail's _mapcount, which nobody else uses (70b50f94f1): the tail's count is always 0, and a get_page_unless_zero() of a tail always fails.
 */

function* nothing(): Op<void> {}

/** get_page() of 3.1: both counts, one after the other, and nothing that keeps a split away in between. */
function* getTailCounted(tail: Ptr<Page>): Op<boolean> {
  yield* atomicInc(Page._count(tail));
  // Still a tail: its head counts it too. Not any more: its own count was all.
  if (!(yield* pageTail(tail))) return true;
  const head = yield* readOnce(firstPage(tail));
  vmBugOn((yield* atomicRead(Page._count(head))) <= 0, 'get_page: the head of a tail has no reference');
  yield* atomicInc(Page._count(head));
  return true;
}

/** Pins in the count of the tail, as in 2.6.38 to 3.1. *Source*: mm/swap.c, include/linux/mm.h, mm/huge_memory.c, 3.1. */
export const pinsInTailCount: TailPins = {
  name: 'tail-count',
  note: (tail) => atomicInc(Page._count(tail)) as unknown as Op<void>,
  *forget(tail) {
    vmBugOn((yield* atomicRead(Page._count(tail))) <= 0, 'put_page: a tail has no reference');
    yield* atomicDec(Page._count(tail));
  },
  get: getTailCounted,
  enter: nothing,
  leave: nothing,
  *settle(_head, tail, mappings) {
    const pins = yield* atomicRead(Page._count(tail));
    yield* atomicAdd(mappings + 1, Page._count(tail));
    return pins;
  },
  // Which of them its head counts (already, or at all) cannot be told from outside.
  inspect: () => ({ noted: 0, stray: 0 }),
};

/**
 * __get_page_tail(): a reference on the head first, unless it is gone; then the compound lock, under which the page is a tail or is not.
 *
 * *Source*: mm/swap.c, 3.2 (70b50f94f1).
 */
function* getPageTail(page: Ptr<Page>): Op<boolean> {
  const head = yield* compoundTransHead(page);
  if (head === page || !(yield* getPageUnlessZeroExempt(head, 'headOfTail'))) return false;
  const flags = yield* compoundLock(head);
  const isTail = yield* pageTail(page);
  if (isTail) yield* tailPins().note(page);
  yield* compoundUnlock(head, flags);
  // The reference on the head stays: it belongs to the pin.
  if (!isTail) yield* putHeadReference(head);
  return isTail;
}

/** Pins in the _mapcount of the tail, which as long as it is one nobody maps. *Source*: 70b50f94f1 (3.2): "thp: tail page refcounting fix". */
const pinsInTailMapcount: TailPins = {
  name: 'tail-mapcount',
  note: (tail) => atomicInc(Page._mapcount(tail)) as unknown as Op<void>,
  *forget(tail) {
    vmBugOn((yield* atomicRead(Page._mapcount(tail))) < 0, 'put_page: a tail has no pin');
    yield* atomicDec(Page._mapcount(tail));
  },
  get: getPageTail,
  enter: nothing,
  leave: nothing,
  *settle(_head, tail, mappings) {
    const pins = (yield* atomicRead(Page._mapcount(tail))) + 1;
    bugOn((yield* atomicRead(Page._count(tail))) !== 0, 'split: a tail has a count of its own');
    yield* atomicAdd(mappings + pins + 1, Page._count(tail));
    return pins;
  },
  inspect: (tail) => ({ noted: peek(Page._mapcount(tail)) + 1, stray: peek(Page._count(tail)) }),
};

/** The designs that need nothing but this package. */
export type TailPinsDesign = 'tail-count' | 'tail-mapcount';
const designs: Readonly<Record<TailPinsDesign, FunctionPointer<TailPins>>> = {
  'tail-count': functionPointer('pins_in_tail_count', pinsInTailCount),
  'tail-mapcount': functionPointer('pins_in_tail_mapcount', pinsInTailMapcount),
};

/** Boots compound pages, whose pinned tails are counted by one of these designs, or another. *Context*: boot, one CPU. */
export function compoundPagesInit(design: TailPinsDesign | FunctionPointer<TailPins>): void {
  useCompoundPages();
  selectTailPins(typeof design === 'string' ? designs[design] : design);
}

/**
 * get_page_foll(): a reference to a page that a page table maps, in a huge entry too.
 *
 * *Context*: the page table lock, under which the entry was read: no split is at the page's counts, because it would first have to mark the entry.
 * *Source*: include/linux/mm.h, mm/internal.h, 3.2 (70b50f94f1).
 */
export function* getPageFoll(page: Ptr<Page>): Op<void> {
  if (!compoundPagesInUse() || !(yield* pageTail(page))) {
    vmBugOn((yield* atomicRead(Page._count(page))) <= 0, 'get_page_foll: page_count(page) <= 0');
    yield* atomicInc(Page._count(page));
    return;
  }
  const head = yield* readOnce(firstPage(page));
  vmBugOn((yield* atomicRead(Page._count(head))) <= 0, 'get_page_foll: the head of a tail has no reference');
  yield* atomicInc(Page._count(head));
  yield* tailPins().note(page);
}
