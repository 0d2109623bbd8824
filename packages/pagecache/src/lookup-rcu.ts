// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, defineGuard, NULL, readOnce } from '@lockless/cpu';
import { AddressSpace, type Page } from '@lockless/mm-types';
import { countVmEvent, putPage, SPECULATIVE_SLOT_MOVED } from '@lockless/page';
import {
  RADIX_TREE_RETRY,
  radixTreeDerefSlot,
  radixTreeGangLookupSlot,
  radixTreeGangLookupTagSlot,
  radixTreeLookupSlot,
} from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import type { LookupProtocol } from './lookup-protocol.js';

/*
 * Lookups that find a page under RCU, take a reference and look again at the place where they found it. What they share in the generations
 * 'freeze-refs' and 'nonewrefs', whose proofs are in lookup-lockless.ts and lookup-no-new-refs.ts. They differ in what is between.
 */

/** Kernel-facts A7. */
const slotRecheck = defineGuard(
  'findGetPage.slotRecheck',
  'find_get_page does not look at the slot again after it got its reference',
);
const putOnRetry = defineGuard('findGetPage.putOnRetry', 'find_get_page keeps the reference when the page has moved');

/** A slot that has become part of the tree's own structure: the lookup must start again. */
const RESTART = -1;

/** Takes a reference to a page that was found in a slot, and sees to it that it is still there. False: it is not. */
type GetPageInSlot = (page: Ptr<Page>, slot: Ref<number>) => Op<boolean>;

/** The last step: whether the page is still in that slot. If not, its reference is given back. */
export function* pageStillInSlot(page: Ptr<Page>, slot: Ref<number>): Op<boolean> {
  if (!slotRecheck() || page === (yield* readOnce(slot))) return true;
  yield* countVmEvent(SPECULATIVE_SLOT_MOVED);
  if (putOnRetry()) yield* putPage(page);
  return false;
}

/** *Source*: `find_get_page`, mm/filemap.c, a60637c858 (2.6.27). */
function* findGetPage(getPageInSlot: GetPageInSlot, mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page> | Null> {
  let found: Ptr<Page> | Null = NULL;
  yield* rcuReadLock();
  for (;;) {
    const slot = yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), index);
    if (slot === NULL) break;
    const item = yield* radixTreeDerefSlot(slot); // 1. find the page in the radix tree
    if (item === NULL || item === RADIX_TREE_RETRY) continue;
    const page = item as Ptr<Page>;
    if (yield* getPageInSlot(page, slot)) {
      found = page; // reference taken, and still there
      break;
    }
  }
  yield* rcuReadUnlock();
  return found;
}

/** One slot of a gang lookup: retried by itself, not from the root. NULL: emptied meanwhile. */
function* pinSlot(getPageInSlot: GetPageInSlot, slot: Ref<number>): Op<Ptr<Page> | Null | typeof RESTART> {
  for (;;) {
    const item = yield* radixTreeDerefSlot(slot);
    if (item === NULL) return NULL;
    if (item === RADIX_TREE_RETRY) return RESTART;
    const page = item as Ptr<Page>;
    if (yield* getPageInSlot(page, slot)) return page;
  }
}

/** Pins what a gang lookup found. *Context*: the RCU read section of the lookup. Returns RESTART when the lookup must be repeated. */
function* pinSlots(getPageInSlot: GetPageInSlot, slots: readonly Ref<number>[]): Op<Ptr<Page>[] | typeof RESTART> {
  const pages: Ptr<Page>[] = [];
  for (const slot of slots) {
    const page = yield* pinSlot(getPageInSlot, slot);
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
function* findGetPages(
  getPageInSlot: GetPageInSlot,
  mapping: Ptr<AddressSpace>,
  first: number,
  max: number,
): Op<Ptr<Page>[]> {
  yield* rcuReadLock();
  for (;;) {
    const slots = yield* radixTreeGangLookupSlot(AddressSpace.pageTree(mapping), first, max);
    const pages = yield* pinSlots(getPageInSlot, slots);
    if (pages === RESTART || foundNone(pages, slots)) continue;
    yield* rcuReadUnlock();
    return pages;
  }
}

/** *Source*: `find_get_pages_tag`, mm/filemap.c, 2.6.27. */
function* findGetPagesTag(
  getPageInSlot: GetPageInSlot,
  mapping: Ptr<AddressSpace>,
  first: number,
  tag: number,
  max: number,
): Op<Ptr<Page>[]> {
  yield* rcuReadLock();
  for (;;) {
    const slots = yield* radixTreeGangLookupTagSlot(AddressSpace.pageTree(mapping), first, max, tag);
    const pages = yield* pinSlots(getPageInSlot, slots);
    if (pages === RESTART || foundNone(pages, slots)) continue;
    yield* rcuReadUnlock();
    return pages;
  }
}

/** The lookups of a generation whose lookups take a reference in this way. */
export const rcuLookups = (
  getPageInSlot: GetPageInSlot,
): Pick<LookupProtocol, 'findGetPage' | 'findGetPages' | 'findGetPagesTag'> => ({
  findGetPage: (mapping, index) => findGetPage(getPageInSlot, mapping, index),
  findGetPages: (mapping, first, max) => findGetPages(getPageInSlot, mapping, first, max),
  findGetPagesTag: (mapping, first, tag, max) => findGetPagesTag(getPageInSlot, mapping, first, tag, max),
});
