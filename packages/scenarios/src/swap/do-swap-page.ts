// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { NULL, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { putPage, unlockPage } from '@lockless/page';
import { freeSwapAndCache, lockSwapCachePage, lookupSwapCache, swapFree } from '@lockless/pagecache';
import {
  isSwapPte,
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_USER,
  type Pte,
  pteClear,
  pteLockptr,
  ptePresent,
  ptepGetAndClear,
  pteSame,
  pteToSwpEntry,
  setPteAt,
  vmNormalPage,
} from '@lockless/rmap';
import { ADDRESS, type Process } from './boot.js';

/* The steps of a fault on a swapped page, and of its being unmapped, that the swap cache takes part in. */

const READ_ONLY = (PTE_PRESENT | PTE_USER) as Pgprot;

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

/**
 * do_swap_page(), second part: maps it.
 * *Returns* what it mapped, or NULL: the fault is repeated.
 * *Source*: `do_swap_page`, mm/memory.c, 2.6.27 with 4969c1192d15. *Differs*: does not read the page; mapping counts are left out.
 */
export function* mapSwapPage({ mm, ptep }: Process, { orig, page }: FoundPage): Op<Ptr<Page> | Null> {
  const entry = pteToSwpEntry(orig);
  if (!(yield* lockSwapCachePage(page, entry))) {
    yield* putPage(page);
    return NULL;
  }
  yield* spinLock(pteLockptr(mm, ptep));
  const same = pteSame(yield* readOnce(ptep), orig);
  if (same) {
    yield* setPteAt(mm, ADDRESS, ptep, mkPte(page, READ_ONLY));
    yield* swapFree(entry);
  }
  yield* spinUnlock(pteLockptr(mm, ptep));
  yield* unlockPage(page);
  // The reference is the page table's now.
  if (same) return page;
  yield* putPage(page);
  return NULL;
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
