// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, defineGuard, NULL, readOnce } from '@lockless/cpu';
import { AddressSpace, type Page } from '@lockless/mm-types';
import {
  countVmEvent,
  pageCacheGetSpeculative,
  pageFreezeRefs,
  putPage,
  SPECULATIVE_GET_FAILED,
  SPECULATIVE_SLOT_MOVED,
} from '@lockless/page';
import {
  RADIX_TREE_RETRY,
  radixTreeDerefSlot,
  radixTreeGangLookupSlot,
  radixTreeGangLookupTagSlot,
  radixTreeLookupSlot,
} from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import type { LookupProtocol } from './lookup-protocol.js';
import { plainCheckFreeze } from './lookup-tree-lock.js';

/*
 * The generation of 2.6.27: lookups under RCU with a speculative reference, removal by freezing the count.
 *
 * Lookup                                        Removal, tree_lock held, page locked
 *   1. find the page in the radix tree            A. check that the count is the expected one and make it 0, in one atomic step
 *   2. take a reference unless there is none      B. remove the page from the tree
 *   3. is the page still in that slot?            C. free the page
 *
 * 2 before A: A finds one reference too many and gives up; the lookup's page stays in the cache.
 * A before 2: 2 finds the count 0 and the lookup starts again; when B has happened, 1 finds nothing. Between A and B it spins, as briefly
 *   as the remover needs: it holds a spin lock, so it runs.
 * 1, then A, B, C and the frame is used for something else, then 2: the reference is one on a stranger. 3 sees another item in the slot (B
 *   precedes C precedes any reuse, and 2 is a full barrier), so it is put back. Whoever owns the stranger frees it with put_page and not
 *   by looking at the count; if this was the last reference, the put frees it.
 * 1, then removal and insertion of the same page in the same slot, then 2, 3: accepted. A lookup under a lock could have run after both.
 * Truncation does not do A: it takes the page out with references outstanding. Whoever got his before B holds a page without a mapping,
 *   and finds that out under the page lock.
 */

/** Step 3 (kernel-facts A7). */
const slotRecheck = defineGuard(
  'findGetPage.slotRecheck',
  'find_get_page does not look at the slot again after it got its reference',
);
/** Step 3 failed. */
const putOnRetry = defineGuard('findGetPage.putOnRetry', 'find_get_page keeps the reference when the page has moved');
/** Step A (kernel-facts A12, A16). */
const freezeRefs = defineGuard(
  'removeMapping.freezeRefs',
  'page_count(page) == 2 instead of page_freeze_refs(page, 2) before a page is removed',
);

/** A slot that has become part of the tree's own structure: the lookup must start again. */
const RESTART = -1;

/**
 * 2 and 3 on one slot after 1. NULL: the count was 0 or the page has moved.
 * *Ordering*: a successful 2 is a full barrier, so the load of 3 comes after it. Pairs with page_freeze_refs() and the tree's store.
 */
function* getPageInSlot(page: Ptr<Page>, slot: Ref<number>): Op<boolean> {
  if (!(yield* pageCacheGetSpeculative(page))) {
    yield* countVmEvent(SPECULATIVE_GET_FAILED);
    return false;
  }
  if (!slotRecheck() || page === (yield* readOnce(slot))) return true;
  yield* countVmEvent(SPECULATIVE_SLOT_MOVED);
  if (putOnRetry()) yield* putPage(page);
  return false;
}

/** *Source*: `find_get_page`, mm/filemap.c, a60637c858 (2.6.27). */
function* findGetPage(mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page> | Null> {
  let found: Ptr<Page> | Null = NULL;
  yield* rcuReadLock();
  for (;;) {
    const slot = yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), index);
    if (slot === NULL) break;
    const item = yield* radixTreeDerefSlot(slot); // 1. find the page in the radix tree
    if (item === NULL || item === RADIX_TREE_RETRY) continue;
    const page = item as Ptr<Page>;
    if (yield* getPageInSlot(page, slot)) {
      found = page; // 2. reference taken, 3. still there
      break;
    }
  }
  yield* rcuReadUnlock();
  return found;
}

/** One slot of a gang lookup: retried by itself, not from the root. NULL: emptied meanwhile. */
function* pinSlot(slot: Ref<number>): Op<Ptr<Page> | Null | typeof RESTART> {
  for (;;) {
    const item = yield* radixTreeDerefSlot(slot); // 1.
    if (item === NULL) return NULL;
    if (item === RADIX_TREE_RETRY) return RESTART;
    const page = item as Ptr<Page>;
    if (yield* getPageInSlot(page, slot)) return page; // 2., 3.
  }
}

/** Pins what a gang lookup found. *Context*: the RCU read section of the lookup. Returns RESTART when the lookup must be repeated. */
function* pinSlots(slots: readonly Ref<number>[]): Op<Ptr<Page>[] | typeof RESTART> {
  const pages: Ptr<Page>[] = [];
  for (const slot of slots) {
    const page = yield* pinSlot(slot);
    if (page === RESTART) {
      // Only index 0 does that, when it moves into the root or out of it; it is the first of a gang, so nothing is pinned yet. The next
      // lookup finds it where it moved to, so nobody restarts for ever.
      bugOn(pages.length > 0, 'RADIX_TREE_RETRY behind the first page of a gang lookup');
      return RESTART;
    }
    if (page !== NULL) pages.push(page as Ptr<Page>);
  }
  return pages;
}

/**
 * All slots that the gang lookup found were emptied before they were read. That is not the end of the file: pages may follow, and a caller
 * that scans for them, as truncation does, would stop. *Source*: "don't return 0 too early from find_get_pages", 2.6.39.
 */
const foundNone = (pages: readonly Ptr<Page>[], slots: readonly Ref<number>[]): boolean =>
  pages.length === 0 && slots.length > 0;

/** *Source*: `find_get_pages`, mm/filemap.c, 2.6.27. */
function* findGetPages(mapping: Ptr<AddressSpace>, first: number, max: number): Op<Ptr<Page>[]> {
  yield* rcuReadLock();
  for (;;) {
    const slots = yield* radixTreeGangLookupSlot(AddressSpace.pageTree(mapping), first, max);
    const pages = yield* pinSlots(slots);
    if (pages === RESTART || foundNone(pages, slots)) continue;
    yield* rcuReadUnlock();
    return pages;
  }
}

/** *Source*: `find_get_pages_tag`, mm/filemap.c, 2.6.27. */
function* findGetPagesTag(mapping: Ptr<AddressSpace>, first: number, tag: number, max: number): Op<Ptr<Page>[]> {
  yield* rcuReadLock();
  for (;;) {
    const slots = yield* radixTreeGangLookupTagSlot(AddressSpace.pageTree(mapping), first, max, tag);
    const pages = yield* pinSlots(slots);
    if (pages === RESTART || foundNone(pages, slots)) continue;
    yield* rcuReadUnlock();
    return pages;
  }
}

/** A. *Source*: `page_freeze_refs` in `__remove_mapping`, mm/vmscan.c, e286781d5f (2.6.27). */
function* freezeReferences(page: Ptr<Page>, expected: number): Op<boolean> {
  return yield* freezeRefs() ? pageFreezeRefs(page, expected) : plainCheckFreeze(page, expected);
}

export const LOCKLESS: LookupProtocol = {
  name: 'freeze-refs',
  findGetPage,
  findGetPages,
  findGetPagesTag,
  freezeReferences,
};
