// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { countVmEvent, pageCacheGetSpeculative, pageFreezeRefs, SPECULATIVE_GET_FAILED } from '@lockless/page';
import type { LookupProtocol } from './lookup-protocol.js';
import { pageStillInSlot, rcuLookups } from './lookup-rcu.js';
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

/** Step A (kernel-facts A12, A16). */
const freezeRefs = defineGuard(
  'removeMapping.freezeRefs',
  'page_count(page) == 2 instead of page_freeze_refs(page, 2) before a page is removed',
);

/**
 * 2 and 3 on one slot after 1. False: the count was 0 or the page has moved.
 * *Ordering*: a successful 2 is a full barrier, so the load of 3 comes after it. Pairs with page_freeze_refs() and the tree's store.
 */
function* getPageInSlot(page: Ptr<Page>, slot: Ref<number>): Op<boolean> {
  if (yield* pageCacheGetSpeculative(page)) return yield* pageStillInSlot(page, slot); // 2., 3.
  yield* countVmEvent(SPECULATIVE_GET_FAILED);
  return false;
}

/** A. *Source*: `page_freeze_refs` in `__remove_mapping`, mm/vmscan.c, e286781d5f (2.6.27). */
function* freezeReferences(page: Ptr<Page>, expected: number): Op<boolean> {
  return yield* freezeRefs() ? pageFreezeRefs(page, expected) : plainCheckFreeze(page, expected);
}

export const LOCKLESS: LookupProtocol = { name: 'freeze-refs', ...rcuLookups(getPageInSlot), freezeReferences };
