// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { defineStatic, GFP_ATOMIC, NULL, readOnce } from '@lockless/cpu';
import { AddressSpace, Page } from '@lockless/mm-types';
import {
  allocPage,
  disableVmEventCounters,
  freeAreaInit,
  getPage,
  lockPage,
  pageCount,
  putPage,
  setPageUptodate,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { addToPageCache, configure, type Generation, removeMapping } from '@lockless/pagecache';
import { radixTreeInit, radixTreeLookup } from '@lockless/radix-tree';
import { assertThat } from '../assertion.js';
import { bootRcu } from './boot-rcu.js';

/*
 * The smallest page cache: eight frames, one address_space, and page 0 of it, so that the tree is its root alone. Frames are real ones of the
 * page allocator, which says so when a page is freed that should not be, or used when it is free.
 */

export const mapping: Ptr<AddressSpace> = defineStatic(AddressSpace, 'mapping');

/** A machine with an empty page cache. Grace periods are events of the memory model. */
export function* bootEmptyCache(generation: Generation = 'freeze-refs'): Op<void> {
  yield* bootRcu();
  disableVmEventCounters();
  yield* freeAreaInit({ pages: 8, nrCpus: 4, minFreeKbytes: 0 });
  configure({ generation, readahead: { model: '6.18' } });
  yield* radixTreeInit(AddressSpace.pageTree(mapping), GFP_ATOMIC);
}

/** A frame that the caller has the only reference to. */
export function* newPage(): Op<Ptr<Page>> {
  const page = yield* allocPage(GFP_ATOMIC);
  assertThat(page !== NULL, 'there is a free frame');
  return page as Ptr<Page>;
}

/** Adds page 0 to the cache, uptodate and unlocked. Returns it; only the cache refers to it. */
export function* cachePage(): Op<Ptr<Page>> {
  const page = yield* newPage();
  assertThat((yield* addToPageCache(page, mapping, 0, GFP_ATOMIC)) === 0, 'page 0 is added');
  yield* setPageUptodate(page);
  yield* unlockPage(page);
  yield* putPage(page);
  return page;
}

/** A machine with page 0 in the cache, which nobody else refers to. */
export function* bootCachedPage(generation: Generation = 'freeze-refs'): Op<Ptr<Page>> {
  yield* bootEmptyCache(generation);
  return yield* cachePage();
}

/** As {@link bootCachedPage}, and one who removes it, reclaim, has taken a reference and the page lock. */
export function* bootIsolatedPage(generation: Generation = 'freeze-refs'): Op<Ptr<Page>> {
  const page = yield* bootCachedPage(generation);
  yield* getPage(page);
  yield* lockPage(page);
  return page;
}

/**
 * Reclaim, of a page from {@link bootIsolatedPage}: takes it out of the cache if nobody uses it, and gives lock and reference back, which frees
 * it then. Returns whether it took it out.
 */
export function* reclaim(page: Ptr<Page>): Op<boolean> {
  const removed = yield* removeMapping(mapping, page);
  yield* unlockPage(page);
  yield* putPage(page);
  return removed;
}

/** I5: a page that a lookup returned is page 0 of the mapping. *Context*: the reference is held, and nobody truncates. */
export function* assertIdentity(page: Ptr<Page>): Op<void> {
  assertThat((yield* readOnce(Page.mapping(page))) === mapping, 'I5: the page that a lookup returns is of the mapping');
  assertThat((yield* readOnce(Page.index(page))) === 0, 'I5: the page that a lookup returns has the index asked for');
}

/** I3: the count of a page is the number of those who refer to it. */
export function* assertCount(page: Ptr<Page>, holders: number): Op<void> {
  const count = yield* pageCount(page);
  assertThat(count === holders, `I3: page_count is ${count}, and ${holders} refer to the page`);
}

/** What the tree has at index 0. */
export const cached = (): Op<Ptr<Page> | Null> =>
  radixTreeLookup(AddressSpace.pageTree(mapping), 0) as Op<Ptr<Page> | Null>;

/** I8: nobody left the page locked or frozen. */
export function* assertUnlocked(page: Ptr<Page>): Op<void> {
  assertThat(yield* trylockPage(page), 'I8: the page is left unlocked');
}
