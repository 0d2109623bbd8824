// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicDec, bugOn, defineGuard, readOnce } from '@lockless/cpu';
import { type AddressSpace, Page } from '@lockless/mm-types';
import { endPageNoNewRefs, pageDirty, pageLocked, pageUnfreezeRefs, setPageNoNewRefs } from '@lockless/page';
import { noNewRefsGeneration } from './config.js';
import { removeFromPageCacheLocked } from './filemap.js';
import { lookupProtocol } from './lookup-protocol.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/** Kernel-facts A9. */
const countBeforeDirty = defineGuard(
  'removeMapping.countBeforeDirty',
  'remove_mapping looks at PG_dirty first and at the count after it (before 3d80636a0d)',
);
/** Kernel-facts A8. */
const unfreezeDirty = defineGuard(
  'removeMapping.unfreezeDirty',
  'remove_mapping gives up on a page that became dirty without unfreezing its count',
);

/**
 * Takes a page out of its mapping if the caller and the cache are the only ones that refer to it: the remover's A and B (see
 * lookup-lockless.ts). In the generations that freeze: not in 'nonewrefs'.
 * *Context*: page locked, the caller holds one reference, private data is gone; interrupts on.
 * *Returns* true: removed, and the count still 0; the caller frees the page without touching the count, or unfreezes it. False: somebody
 * holds a reference, or the page is dirty; nothing has changed.
 * *Ordering*: A is a full barrier, so PG_dirty is tested after the count: whoever set it and then dropped his reference is seen (A9).
 * *Source*: `__remove_mapping`, mm/vmscan.c, e286781d5f (2.6.27). *Differs*: pages in the swap cache have a function of their own, removeFromSwapCacheFrozen().
 */
export function* removeMappingFrozen(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), '__remove_mapping of an unlocked page');
  bugOn((yield* readOnce(Page.mapping(page))) !== mapping, '__remove_mapping from a mapping the page is not in');
  yield* lockTreeIrq(mapping);
  const removed = yield* freezeClean(page);
  if (removed) yield* removeFromPageCacheLocked(page); // B.
  yield* unlockTreeIrq(mapping);
  return removed;
}

/** A. Exactly the cache and the caller refer to the page, and it is clean; its count is 0 then. */
function* freezeClean(page: Ptr<Page>): Op<boolean> {
  const { freezeReferences } = lookupProtocol();
  if (!countBeforeDirty()) return !(yield* pageDirty(page)) && (yield* freezeReferences(page, 2));
  if (!(yield* freezeReferences(page, 2))) return false;
  if (!(yield* pageDirty(page))) return true;
  if (unfreezeDirty()) yield* pageUnfreezeRefs(page, 2);
  return false;
}

/** B of lookup-no-new-refs.ts: nobody but the cache and the caller refers to the page, and it is clean. */
function* isUnusedClean(page: Ptr<Page>): Op<boolean> {
  const { freezeReferences } = lookupProtocol();
  if (!countBeforeDirty()) return !(yield* pageDirty(page)) && (yield* freezeReferences(page, 2));
  return (yield* freezeReferences(page, 2)) && !(yield* pageDirty(page));
}

/**
 * The remover of the 'nonewrefs' generation, A to E of lookup-no-new-refs.ts, but for the caller's own reference.
 * *Source*: `remove_mapping`, mm/vmscan.c, Nick Piggin's patches (2006).
 */
function* removeMappingNoNewRefs(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), 'remove_mapping of an unlocked page');
  bugOn((yield* readOnce(Page.mapping(page))) !== mapping, 'remove_mapping from a mapping the page is not in');
  yield* setPageNoNewRefs(page); // A.
  yield* lockTreeIrq(mapping);
  const removed = yield* isUnusedClean(page); // B.
  if (removed) yield* removeFromPageCacheLocked(page); // C.
  yield* unlockTreeIrq(mapping);
  yield* endPageNoNewRefs(page); // D.
  if (removed) yield* atomicDec(Page._count(page)); // E. __put_page: the caller has one, so this is not the last
  return removed;
}

/**
 * {@link removeMappingFrozen}, then gives the caller his reference back: dropping the cache's one costs no atomic operation
 * (in the 'nonewrefs' generation it does).
 * *Returns* true: removed, the caller's reference is the only one but for lookups that are about to give theirs back. *Source*: `remove_mapping`, mm/vmscan.c, 2.6.27.
 */
export function* removeMapping(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  if (noNewRefsGeneration()) return yield* removeMappingNoNewRefs(mapping, page);
  if (!(yield* removeMappingFrozen(mapping, page))) return false;
  yield* pageUnfreezeRefs(page, 1);
  return true;
}
