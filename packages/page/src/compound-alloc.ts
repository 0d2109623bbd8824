// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import { functionPointer, localIrqRestore, localIrqSave, store } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import type { CompoundPageDtor } from './compound-page.js';
import {
  compoundOrder,
  compoundPagesInUse,
  cookieOf,
  destroyCompoundPage,
  pageHead,
  prepCompoundPage,
  setCompoundPageDtor,
} from './compound-page.js';
import { freeBlock } from './page-buddy.js';
import { freePagesCheck } from './page-check.js';
import { pageAnon } from './page-flags.js';
import { countVmEvents, PGFREE } from './vmstat.js';

/* Blocks of pages, on their way out of the allocator and back. */

/**
 * __free_pages_ok(): frees a block.
 *
 * *Context*: any; the count of the first page is 0. *Source*: mm/page_alloc.c, 3.1.
 */
export function* freePagesOk(page: Ptr<Page>, order: number): Op<void> {
  if (compoundPagesInUse() && (yield* pageHead(page))) yield* destroyCompoundPage(page, order);
  if (yield* pageAnon(page)) yield* store(Page.mapping(page), 0);
  for (let i = 0; i < 1 << order; i++) yield* freePagesCheck((page + i * Page.$size) as Ptr<Page>);
  const flags = localIrqSave();
  yield* countVmEvents(PGFREE, 1 << order);
  yield* freeBlock(page, order);
  localIrqRestore(flags);
}

/**
 * free_compound_page(): the destructor of a compound page that has none of its own.
 *
 * *Source*: mm/page_alloc.c, 3.1; the cookie goes as in Michel Lespinasse, 2011-08-19, [PATCH 8/9], page_clear_gp_cookie().
 */
const freeCompoundPage: FunctionPointer<CompoundPageDtor> = functionPointer(
  'free_compound_page',
  function* (page: Ptr<Page>): Op<void> {
    yield* store(cookieOf(page), 0);
    yield* freePagesOk(page, yield* compoundOrder(page));
  },
);

/** What __GFP_COMP asks of a new block. */
export function* prepNewCompoundPage(page: Ptr<Page>, order: number): Op<void> {
  yield* setCompoundPageDtor(page, freeCompoundPage);
  yield* prepCompoundPage(page, order);
}
