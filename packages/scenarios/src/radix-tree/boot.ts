// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineStatic, GFP_ATOMIC, ListHead, NULL, poke, writeOnce } from '@lockless/cpu';
import { AddressSpace, Page } from '@lockless/mm-types';
import { freeAreaInit, putPageTestzero } from '@lockless/page';
import { lockTreeIrq, unlockTreeIrq } from '@lockless/pagecache';
import { radixTreeDelete, radixTreeInit, radixTreeInsert } from '@lockless/radix-tree';
import { bootRcuEvents, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';

/* One address_space with a tree of a few pages. The pages are static: what frees or reuses one says so by its count and index. */

export const mapping: Ptr<AddressSpace> = defineStatic(AddressSpace, 'mapping');
export const tree: ReturnType<typeof AddressSpace.pageTree> = AddressSpace.pageTree(mapping);
export const P: Ptr<Page> = defineStatic(Page, 'P');
export const Q: Ptr<Page> = defineStatic(Page, 'Q');
export const R: Ptr<Page> = defineStatic(Page, 'R');

/** A page of the mapping with the cache's reference only. */
function initPage(page: Ptr<Page>, index: number): void {
  poke(Page._count(page), 1);
  poke(Page._mapcount(page), -1);
  poke(Page.mapping(page), mapping);
  poke(Page.index(page), index);
  poke(ListHead.next(Page.lru(page)), Page.lru(page));
  poke(ListHead.prev(Page.lru(page)), Page.lru(page));
}

/** A page and its index. */
export type Item = readonly [index: number, page: Ptr<Page>];

/** Boots a machine whose grace periods are events, with a tree of these pages. */
export function* bootTree(items: readonly Item[]): Op<void> {
  bootRcuEvents();
  yield* freeAreaInit({ pages: 8, nrCpus: 4 });
  yield* radixTreeInit(tree, GFP_ATOMIC);
  for (const [index, page] of items) {
    initPage(page, index);
    yield* radixTreeInsert(tree, index, page);
  }
}

/** Writer: puts a page in under tree_lock. Returns what radix_tree_insert() does. */
export function* insertPage([index, page]: Item): Op<number> {
  yield* lockTreeIrq(mapping);
  const error = yield* radixTreeInsert(tree, index, page);
  yield* unlockTreeIrq(mapping);
  return error;
}

/** Writer: takes a page out under tree_lock. */
export function* deletePage(index: number): Op<void> {
  yield* lockTreeIrq(mapping);
  yield* radixTreeDelete(tree, index);
  yield* unlockTreeIrq(mapping);
}

/** Takes a page out and drops the cache's reference, as truncation does. Returns whether that was the last. */
export function* truncatePage([index, page]: Item): Op<boolean> {
  yield* deletePage(index);
  yield* writeOnce(Page.mapping(page), NULL);
  return yield* putPageTestzero(page);
}

/** Reader: a lookup under rcu_read_lock() alone. */
export function* underRcu<T>(lookup: () => Op<T>): Op<T> {
  yield* rcuReadLock();
  const found = yield* lookup();
  yield* rcuReadUnlock();
  return found;
}
