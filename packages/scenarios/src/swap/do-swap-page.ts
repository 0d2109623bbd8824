// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { NULL, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { freeSwapAndCache, lookupSwapCache } from '@lockless/pagecache';
import {
  isSwapPte,
  type Pte,
  pteClear,
  pteLockptr,
  ptePresent,
  ptepGetAndClear,
  pteToSwpEntry,
  vmNormalPage,
} from '@lockless/rmap';
import { ADDRESS, type Process } from './boot.js';

/* The steps of a fault on a swapped page, and of its being unmapped, that the swap cache takes part in. */

/** A fault that has found the page of its entry. */
export interface FoundPage {
  /** The entry as the fault read it, without a lock. */
  readonly orig: Pte;
  /** With a reference. */
  readonly page: Ptr<Page>;
}

/** do_swap_page(), first part: looks the page up. *Returns* NULL when there is none. */
export function* lookUpSwapPage({ ptep }: Process): Op<FoundPage | Null> {
  const orig = yield* readOnce(ptep);
  if (!isSwapPte(orig)) return NULL;
  const page = yield* lookupSwapCache(pteToSwpEntry(orig));
  return page === NULL ? NULL : { orig, page };
}

/** The step of zap_pte_range() at one entry. *Source*: mm/memory.c, 2.6.27. *Differs*: mapping counts are left out. */
export function* zapPte({ mm, ptep }: Process): Op<void> {
  yield* spinLock(pteLockptr(mm, ptep));
  const pte = yield* readOnce(ptep);
  let page: Ptr<Page> | Null = NULL;
  if (ptePresent(pte)) {
    page = vmNormalPage(0, ADDRESS, yield* ptepGetAndClear(mm, ADDRESS, ptep));
  } else if (isSwapPte(pte)) {
    yield* freeSwapAndCache(pteToSwpEntry(pte));
    yield* pteClear(mm, ADDRESS, ptep);
  }
  yield* spinUnlock(pteLockptr(mm, ptep));
  if (page !== NULL) yield* putPage(page);
}
