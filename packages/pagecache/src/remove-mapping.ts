// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, readOnce } from '@lockless/cpu';
import { type AddressSpace, Page } from '@lockless/mm-types';
import { pageDirty, pageLocked, pageUnfreezeRefs } from '@lockless/page';
import { removeFromPageCacheLocked } from './filemap.js';
import { lookupProtocol } from './lookup-protocol.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/**
 * Takes a page out of its mapping if the caller and the cache are the only ones that refer to it: the remover's A and B (see
 * lookup-lockless.ts).
 * *Context*: page locked, the caller holds one reference, private data is gone; interrupts on.
 * *Returns* true: removed, and the count still 0; the caller frees the page without touching the count, or unfreezes it. False: somebody
 * holds a reference, or the page is dirty; nothing has changed.
 * *Ordering*: A is a full barrier, so PG_dirty is tested after the count: whoever set it and then dropped his reference is seen (A9).
 * *Source*: `__remove_mapping`, mm/vmscan.c, e286781d5f (2.6.27). *Differs*: no swap cache yet.
 */
export function* removeMappingFrozen(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), '__remove_mapping of an unlocked page');
  bugOn((yield* readOnce(Page.mapping(page))) !== mapping, '__remove_mapping from a mapping the page is not in');
  yield* lockTreeIrq(mapping);
  let removed = yield* lookupProtocol().freezeReferences(page, 2); // A.
  if (removed && (yield* pageDirty(page))) {
    yield* pageUnfreezeRefs(page, 2);
    removed = false;
  }
  if (removed) yield* removeFromPageCacheLocked(page); // B.
  yield* unlockTreeIrq(mapping);
  return removed;
}

/**
 * {@link removeMappingFrozen}, then gives the caller his reference back: dropping the cache's one costs no atomic operation.
 * *Returns* true: removed, the caller's reference is the only one. *Source*: `remove_mapping`, mm/vmscan.c, 2.6.27.
 */
export function* removeMapping(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  if (!(yield* removeMappingFrozen(mapping, page))) return false;
  yield* pageUnfreezeRefs(page, 1);
  return true;
}
