// SPDX-License-Identifier: GPL-2.0-only
import { defineGuard, load, type Op, type Ptr, type Ref, smpMb, smpRmb, store } from '@lockless/cpu';
import { MmStruct, type Page } from '@lockless/mm-types';
import { pageCount, pageDirty, pageMapcount, setPageSwapBacked } from '@lockless/page';
import type { Pte } from './pte.js';
import { pteDirty } from './pte.js';
import { setPteAt } from './pte-access.js';
import { ptepClearFlushNotify } from './pte-notify.js';
import { dirtyPageOfPte } from './set-page-dirty.js';

const looksAtDirty = defineGuard(
  'discardLazyfree.dirty',
  'a page that MADV_FREE gave up is dropped although somebody wrote to it since',
);
const looksAtCount = defineGuard(
  'discardLazyfree.count',
  'a page that MADV_FREE gave up is dropped although somebody else holds a reference, and may write through it',
);

const countBeforeDirty = defineGuard(
  'discardLazyfree.rmb',
  'whether a page that MADV_FREE gave up is dirty is looked at before its count',
);

/**
 * Takes away an entry of a page that MADV_FREE gave up, with nothing in its place: the next touch finds zeros. If the page was written to since, or
 * somebody else has a reference and may write, the entry stays; a page that was written to is like any other again.
 *
 * 1. The entry is cleared and flushed: nobody writes through it any more. 2. smp_mb: pairs with get_user_pages_fast(), which takes its reference and
 * then looks at the entry again: either it sees the entry gone, or 3 sees the reference. 3. The count. 4. smp_rmb: pairs with whoever dirties the page
 * through a reference and then drops it: who is missed at 3 has left the mark. 5. The mark.
 *
 * *Context*: page table lock; the page is locked, and the caller has a reference. *Returns* false: the entry stays.
 * *Source*: try_to_unmap_one(), mm/rmap.c, 802a3a92ad7a (4.12), 6c8e2a256915 (5.18).
 */
export function* discardLazyfree(page: Ptr<Page>, mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>): Op<boolean> {
  const pte = yield* ptepClearFlushNotify(mm, address, ptep); // 1
  if (pteDirty(pte)) yield* dirtyPageOfPte(page);
  yield* smpMb(); // 2
  const held = looksAtCount() && (yield* pageCount(page)) !== (yield* pageMapcount(page)) + 1; // 3
  if (countBeforeDirty()) yield* smpRmb(); // 4
  const written = looksAtDirty() && (yield* pageDirty(page)); // 5
  if (written) yield* setPageSwapBacked(page);
  if (written || held) yield* setPteAt(mm, address, ptep, pte);
  else yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) - 1);
  return !(written || held);
}
