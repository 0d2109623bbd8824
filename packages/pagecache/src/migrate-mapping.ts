// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { atomicDec, defineGuard, NULL, readOnce, writeOnce } from '@lockless/cpu';
import { AddressSpace, EAGAIN, Page } from '@lockless/mm-types';
import {
  endPageNoNewRefs,
  getPage,
  pageCount,
  pageFreezeRefs,
  pageMapping,
  pagePrivate,
  pageSwapCache,
  pageUnfreezeRefs,
  setPageNoNewRefs,
  setPageSwapCache,
} from '@lockless/page';
import { radixTreeDerefSlot, radixTreeLookupSlot, radixTreeReplaceSlot } from '@lockless/radix-tree';
import { noNewRefsGeneration } from './config.js';
import { swapperSpace } from './swapper-space.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/* Steps 2 to 4 of migrate.ts: one page takes another's slot, in the final protocol and in the first one. */

const freezeRefs = defineGuard(
  'migratePageMoveMapping.freezeRefs',
  'migration compares page_count(page) with what it expects, and does not freeze it',
);
const noNewRefs = defineGuard(
  'migratePageRemoveReferences.noNewRefs',
  'migration compares page_count(page) with what it expects while lookups may take references to the page',
);

/** A page's place: its mapping, and where in the tree. */
interface Place {
  readonly mapping: Ptr<AddressSpace>;
  readonly index: number;
}

/** page_mapping() and page_index() of a page that is in a cache: the swap cache too. *Context*: page locked. */
function* placeOf(page: Ptr<Page>): Op<Place | Null> {
  if (yield* pageSwapCache(page)) return { mapping: swapperSpace, index: yield* readOnce(Page.private(page)) };
  const mapping = yield* pageMapping(page);
  return mapping === NULL ? NULL : { mapping, index: yield* readOnce(Page.index(page)) };
}

/** What refers to a page that nothing but its cache and the caller refer to: its buffers too if it has some. */
function* expectedCount(page: Ptr<Page>): Op<number> {
  return (yield* pagePrivate(page)) ? 3 : 2;
}

/** The page's slot, if it is still there. *Context*: tree locked. */
function* slotOf(page: Ptr<Page>, { mapping, index }: Place): Op<Ref<number> | Null> {
  const slot = yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), index);
  return slot !== NULL && (yield* radixTreeDerefSlot(slot)) === page ? slot : NULL;
}

/** The new page becomes the cache's, complete, but for the slot. */
function* becomeCached(newpage: Ptr<Page>, page: Ptr<Page>, { index }: Place): Op<void> {
  yield* getPage(newpage);
  if (!(yield* pageSwapCache(page))) return;
  yield* setPageSwapCache(newpage);
  yield* writeOnce(Page.private(newpage), index);
}

/** 2. The references of the caller and the cache become nobody's. */
function* freeze(page: Ptr<Page>): Op<boolean> {
  const expected = yield* expectedCount(page);
  if ((yield* pageCount(page)) !== expected) return false;
  return freezeRefs() ? yield* pageFreezeRefs(page, expected) : true;
}

/** 4. */
function* unfreeze(page: Ptr<Page>): Op<void> {
  if (freezeRefs()) yield* pageUnfreezeRefs(page, yield* expectedCount(page));
  // __put_page() of the cache's reference: the caller's is left, so this is not the last.
  yield* atomicDec(Page._count(page));
}

/**
 * Replaces a page by another in its mapping: 2, 3 and 4.
 * *Context*: both pages locked, a reference to each, the old one not mapped any more; mapping and index of the new one are set.
 * *Returns* 0; -EAGAIN when somebody else has a reference: nothing has changed. A page without a mapping must be the caller's alone.
 * *Ordering*: 2 is a full barrier, 3 a release (a lookup that finds the new page finds it complete), 4 a release (see above).
 * *Source*: `migrate_page_move_mapping`, mm/migrate.c, 2.6.27. *Differs*: one zone, so no counter moves from one to another; the
 * generation with PG_nonewrefs moves as its patch did.
 */
export function* migratePageMoveMapping(newpage: Ptr<Page>, page: Ptr<Page>): Op<number> {
  const place = yield* placeOf(page);
  if (place === NULL) return (yield* pageCount(page)) === 1 ? 0 : -EAGAIN;
  if (noNewRefsGeneration()) return yield* migratePageRemoveReferences(newpage, page, place);
  yield* lockTreeIrq(place.mapping);
  const slot = yield* slotOf(page, place);
  if (slot === NULL || !(yield* freeze(page))) {
    yield* unlockTreeIrq(place.mapping);
    return -EAGAIN;
  }
  yield* becomeCached(newpage, page, place);
  yield* radixTreeReplaceSlot(slot, newpage); // 3.
  yield* unfreeze(page);
  yield* unlockTreeIrq(place.mapping);
  return 0;
}

/**
 * The same with PG_nonewrefs: a lookup that has either page in hand waits until both are what they will be.
 * *Context* and *Returns* as {@link migratePageMoveMapping}.
 * *Ordering*: {@link setPageNoNewRefs} is a full barrier between the flag of the old page and the look at its count; {@link endPageNoNewRefs} keeps
 * the slot before the flag. Pairs with the lookup's smp_rmb between the flag and the slot.
 * *Source*: `migrate_page_remove_references` in Nick Piggin's "speculative get page" (2006).
 */
function* migratePageRemoveReferences(newpage: Ptr<Page>, page: Ptr<Page>, place: Place): Op<number> {
  if (noNewRefs()) yield* setPageNoNewRefs(page);
  yield* lockTreeIrq(place.mapping);
  const slot = yield* slotOf(page, place);
  const alone = slot !== NULL && (yield* pageCount(page)) === (yield* expectedCount(page));
  if (alone) {
    yield* becomeCached(newpage, page, place);
    yield* setPageNoNewRefs(newpage);
    yield* radixTreeReplaceSlot(slot, newpage);
  }
  yield* unlockTreeIrq(place.mapping);
  if (alone) {
    yield* atomicDec(Page._count(page)); // the cache's; the caller's is left
    yield* endPageNoNewRefs(newpage);
  }
  if (noNewRefs()) yield* endPageNoNewRefs(page);
  return alone ? 0 : -EAGAIN;
}
