// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { smpRmb } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { countVmEvent, pageCacheGetSpeculative, SPECULATIVE_GET_FAILED, waitOnNewRefs } from '@lockless/page';
import type { LookupProtocol } from './lookup-protocol.js';
import { pageStillInSlot, rcuLookups } from './lookup-rcu.js';
import { checkReferences } from './lookup-tree-lock.js';

/*
 * The first lockless generation, of 2006: lookups under RCU with a speculative reference; a remover tells them by PG_nonewrefs to wait while
 * it looks at the count. Never merged; freezing the count replaced it.
 *
 * Lookup                                        Removal, page locked
 *   1. find the page in the radix tree            A. set PG_nonewrefs, full barrier; then tree_lock
 *   2. take a reference unless there is none      B. check that the count is the expected one
 *   3. wait until PG_nonewrefs is clear           C. remove the page from the tree, release tree_lock, write barrier
 *   4. is the page still in that slot?            D. clear PG_nonewrefs
 *                                                 E. drop the references, one by one; who drops the last frees the page
 *
 * B counts 2's reference: B gives up, and the page stays. The next removal counts it again, so 4 finds the page, or somebody put another one
 *   there who did not care for references, as truncation does.
 * B does not count it: then 3 comes after A. (A, barrier, B reads the count; 2 writes the count, barrier, 3 reads the flag. Not both can
 *   miss what the other wrote, if both barriers are full. 2 is one by itself; the patch has smp_wmb in A: docs/first-protocol.md.) So 3 waits
 *   for D, or sees it at once, and after D, by C's barrier and the one between 3 and 4, 4 sees what C did: the reference is put back.
 * 2 does not make E's count wrong: E drops with put_page_testzero(), so if the remover is not the last, the lookup's put_page() frees the page.
 *   Never may a remover store a count here, as page_unfreeze_refs() does.
 * The frame is free, or used again, between 1 and 2: as in lookup-lockless.ts. Whoever inserts it in a mapping sets PG_nonewrefs meanwhile too,
 *   since it publishes the page before the page knows where it is.
 * Nobody who waits in 3 can be waited for in A to D: the setter sleeps for nothing, cannot be preempted, and the lookup holds no lock.
 */

/**
 * 2 to 4 on one slot after 1. False: the count was 0 or the page has moved.
 * *Ordering*: a successful 2 is a full barrier, so the flag is read after it; pairs with {@link setPageNoNewRefs}'s. smp_rmb between the flag
 * and the slot; pairs with smp_wmb in {@link endPageNoNewRefs} (kernel-facts A3).
 * *Source*: `page_cache_get_speculative(struct page **)`, include/linux/pagemap.h, Nick Piggin's patches (2006), the form for SMP.
 * *Differs*: its caller repeats the whole lookup, not the slot's.
 */
function* getPageInSlot(page: Ptr<Page>, slot: Ref<number>): Op<boolean> {
  if (!(yield* pageCacheGetSpeculative(page))) {
    yield* countVmEvent(SPECULATIVE_GET_FAILED);
    return false;
  }
  yield* waitOnNewRefs(page); // 3.
  yield* smpRmb();
  return yield* pageStillInSlot(page, slot); // 4.
}

export const NO_NEW_REFS: LookupProtocol = {
  name: 'nonewrefs',
  ...rcuLookups(getPageInSlot),
  freezeReferences: checkReferences,
};
