// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, load, NULL, readOnce, spinLock, spinUnlock, writeOnce } from '@lockless/cpu';
import { EAGAIN, ENOMEM, MmStruct, type Page, type VmAreaStruct, VmAreaStruct as Vma } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import {
  getPageUnlessZero,
  pageCount,
  pageFreezeRefs,
  pageMapcount,
  pageToPfn,
  pageUnfreezeRefs,
  pfnToPage,
  putPage,
} from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import {
  movedHugePmd,
  type Pte,
  pageAddNewAnonRmap,
  pageRemoveRmap,
  pmdpInvalidate,
  pmdTransHuge,
  pmdTransSplitting,
  ptePfn,
  ptePresent,
  rmapPrepare,
  rmapRelease,
} from '@lockless/rmap';
import { hpagePmdNr } from './config.js';
import { copyUserHugePage } from './copy-user-huge-page.js';

/*
 * A huge page moves to another block while it is mapped: there are no migration entries of this size before 4.14, so nobody can be kept from the page by its
 * entry, and who finds it by a walk without a lock takes a reference. To have looked at the count says nothing of a moment later: freeze it (C16).
 *
 *   1. the page table lock; 2. the entry is the page's, and it is mapped once; 3. freeze: the mapping's reference and the caller's, no others;
 *   4. the entry is not present, and flush: no write by an old translation from here on; 5. copy; 6. the entry of the new block;
 *   7. unfreeze: the caller's reference is left.
 */

const freezes = defineGuard(
  'migrateHugePage.freezeRefs',
  'migration of a huge page looks at its count and does not freeze it',
);
const entryRecheck = defineGuard(
  'gupHugePmd.recheck',
  'a walk without a lock does not look at the entry again once it has its reference to the huge page',
);

const readsUnderRcu = defineGuard(
  'gupHugePmd.rcuReadLock',
  'a walk without a lock is no RCU reader while it takes its reference to the huge page',
);

/**
 * Moves a huge page of one mapping to another block.
 *
 * *Context*: `page` locked, a reference of the caller, on no list; `newpage` is fresh; may sleep. *Returns* 0: it is `newpage` that is mapped, by the
 * reference it came with, and the caller's reference to `page` is the last; -EAGAIN: somebody else refers to it, or the entry is another; -ENOMEM.
 * *Ordering*: 5 before 6, by the barrier of SetPageUptodate(), for who finds the new block by its entry; 6 before 7, by that of page_remove_rmap(), for who has the old one in hand and gets his reference after 7.
 * *Source*: `migrate_misplaced_transhuge_page`, mm/migrate.c, 3.8 and later, which looked at page_count() first; to freeze it is the fix that
 * kernel-facts C16 cites. *Differs*: the caller has isolated the page, and puts both back.
 */
export function* migrateHugePage(
  vma: Ptr<VmAreaStruct>,
  address: number,
  pmd: Ref<Pte>,
  page: Ptr<Page>,
  newpage: Ptr<Page>,
): Op<number> {
  const mm = yield* load(Vma.vmMm(vma));
  const spare = yield* rmapPrepare();
  if (spare === null) return -ENOMEM;
  yield* mmuNotifierInvalidateRangeStart(mm, address, address + hpagePmdNr());
  yield* spinLock(MmStruct.pageTableLock(mm)); // 1
  const ours = (yield* mapsPage(pmd, page)) && (yield* takesAll(page)); // 2, 3
  if (ours) {
    const entry = yield* pmdpInvalidate(mm, pmd); // 4
    yield* copyUserHugePage(newpage, page); // 5
    yield* pageAddNewAnonRmap(newpage, vma, address, pmd, spare);
    yield* writeOnce(pmd, movedHugePmd(entry, newpage)); // 6
    yield* pageRemoveRmap(page, pmd);
    if (freezes())
      yield* pageUnfreezeRefs(page, 1); // 7
    else yield* putPage(page);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* mmuNotifierInvalidateRangeEnd(mm, address, address + hpagePmdNr());
  yield* rmapRelease(spare);
  return ours ? 0 : -EAGAIN;
}

/** *Context*: page table lock. */
function* mapsPage(pmd: Ref<Pte>, page: Ptr<Page>): Op<boolean> {
  const entry = yield* readOnce(pmd);
  return isHugePageEntry(entry) && ptePfn(entry) === pageToPfn(page) && (yield* pageMapcount(page)) === 1;
}
/** It maps a huge page, and nobody is at it. */
const isHugePageEntry = (entry: Pte): boolean => pmdTransHuge(entry) && ptePresent(entry) && !pmdTransSplitting(entry);

function* takesAll(page: Ptr<Page>): Op<boolean> {
  return freezes() ? yield* pageFreezeRefs(page, 2) : (yield* pageCount(page)) === 2;
}

/**
 * gup_huge_pmd(): the huge page of an entry with a reference to its head, without a lock. The reference comes first, then the second look at the entry:
 * unchanged, it maps the page still, and who takes it away has to do with our reference.
 *
 * *Context*: any. *Returns* NULL: not there, or somebody is at it: to be had with the lock.
 * *Source*: `gup_huge_pmd`, mm/gup.c, 4.14 and later; before, interrupts were off instead, and the flush of 4 above waited.
 */
export function* gupHugePmd(pmd: Ref<Pte>): Op<Ptr<Page> | Null> {
  if (readsUnderRcu()) yield* rcuReadLock();
  const head = yield* gupHugeEntry(pmd);
  if (readsUnderRcu()) yield* rcuReadUnlock();
  return head;
}

function* gupHugeEntry(pmd: Ref<Pte>): Op<Ptr<Page> | Null> {
  const entry = yield* readOnce(pmd);
  if (!isHugePageEntry(entry)) return NULL;
  const head = pfnToPage(ptePfn(entry));
  if (!(yield* getPageUnlessZero(head))) return NULL;
  if (!entryRecheck() || (yield* readOnce(pmd)) === entry) return head;
  yield* putPage(head);
  return NULL;
}
