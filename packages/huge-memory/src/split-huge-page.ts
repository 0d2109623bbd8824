// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  bugOn,
  containerOf,
  defineGuard,
  ListHead,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
  writeOnce,
} from '@lockless/cpu';
import { AnonVma, MmStruct, type Page, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import {
  compoundTransHead,
  countVmEvent,
  getPage,
  getPageUnlessZero,
  pageAnon,
  pageCompound,
  pageMapcount,
  pageToPfn,
  pfnToPage,
  putHeadReference,
  putPage,
  THP_SPLIT,
} from '@lockless/page';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import {
  mkPte,
  NOT_IN_VMA,
  type Pte,
  pageLockAnonVma,
  pageUnlockAnonVma,
  pmdOffset,
  pmdpInvalidate,
  pmdpSplittingFlushNotify,
  pmdTransHuge,
  pmdTransSplitting,
  pteDirty,
  pteMkdirty,
  pteMkold,
  pteMkwrite,
  ptePfn,
  pteWrite,
  pteYoung,
  vmaAddress,
  vmGetPageProt,
} from '@lockless/rmap';
import { hpagePmdNr } from './config.js';
import { installTable, withdraw } from './deposit.js';
import { isHugeZeroPmd, splitHugeZeroPmd } from './huge-zero-page.js';
import { nthPage, splitHugePageRefcount } from './split-refcount.js';
import { tailCountsStable } from './tail-counts-stable.js';

/*
 * split_huge_page(): a huge page that any number of address spaces map becomes as many ordinary pages, in place. Under the lock of its anon_vma, so
 * the list of areas that may map it stays:
 *
 *  1. every huge entry that maps it is marked as splitting: whoever wants to copy, move or break it waits for the anon_vma's lock;
 *  2. the page itself is split: counts, flags, places in the reverse mapping (split-refcount.ts);
 *  3. every such entry is replaced by a table of entries, with the right to write and the marks that it had.
 *
 * The areas that 1 and 3 meet are as many as map the page. A fork may add one while 1 is under way: its area is behind the parent's on the list, so 1
 * has either marked the parent's entry, and the fork waits, or comes to the child's later (F6).
 */

/** page_check_address_pmd(): the huge entry at `address`, if it maps the page. *Context*: page table lock. *Source*: mm/huge_memory.c, 3.1. */
function* pageCheckAddressPmd(page: Ptr<Page>, mm: Ptr<MmStruct>, address: number): Op<Ref<Pte> | 0> {
  const pmd = yield* pmdOffset(mm, address);
  if (pmd === NULL) return NULL;
  const entry = yield* readOnce(pmd);
  return pmdTransHuge(entry) && ptePfn(entry) === pageToPfn(page) ? pmd : NULL;
}

type OnEntry = (vma: Ptr<VmAreaStruct>, mm: Ptr<MmStruct>, pmd: Ref<Pte>, address: number) => Op<void>;

/** Does something at each huge entry that maps the page, its page table lock held. *Returns* how many there are. *Context*: anon_vma->lock. */
function* atEachEntry(page: Ptr<Page>, anonVma: Ptr<AnonVma>, visit: OnEntry): Op<number> {
  const head = AnonVma.head(anonVma);
  let entries = 0;
  for (let at = yield* load(ListHead.next(head)); at !== head; at = yield* load(ListHead.next(at))) {
    const vma = containerOf<VmAreaStruct>(at, VmAreaStruct, 'anonVmaNode');
    const address = yield* vmaAddress(page, vma);
    if (address === NOT_IN_VMA) continue;
    const mm = yield* load(VmAreaStruct.vmMm(vma));
    yield* spinLock(MmStruct.pageTableLock(mm));
    const pmd = yield* pageCheckAddressPmd(page, mm, address);
    if (pmd !== NULL) {
      yield* visit(vma, mm, pmd, address);
      entries++;
    }
    yield* spinUnlock(MmStruct.pageTableLock(mm));
  }
  return entries;
}

/** __split_huge_page_splitting(). *Source*: mm/huge_memory.c, 3.1. */
const markSplitting: OnEntry = function* (_vma, mm, pmd, address) {
  bugOn(pmdTransSplitting(yield* readOnce(pmd)), 'split: the page is being split by somebody else');
  yield* pmdpSplittingFlushNotify(mm, address, pmd);
};

/**
 * __split_huge_page_map(): in the place of one huge entry, a table.
 *
 * No translation by the huge entry is in use any more when the table is filled: what the hardware noted in it is in the entries. Until the table is there
 * it stays one of a huge page that is being split, and is never empty: who meets it waits.
 * *Source*: mm/huge_memory.c, 3.1.
 */
const replaceByTable: OnEntry = function* (vma, mm, pmd) {
  const table = yield* withdraw(mm);
  const huge = yield* pmdpInvalidate(mm, pmd);
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const prot = vmGetPageProt(flags);
  const first = pfnToPage(ptePfn(huge));
  bugOn(pteWrite(huge) && (yield* pageMapcount(first)) !== 1, 'split: a page that several may write');
  for (let i = 0; i < hpagePmdNr(); i++) {
    let entry = mkPte(nthPage(first, i), prot);
    if (pteDirty(huge)) entry = pteMkdirty(entry);
    if (pteWrite(huge) && (flags & VM_WRITE) !== 0) entry = pteMkwrite(entry);
    if (!pteYoung(huge)) entry = pteMkold(entry);
    yield* writeOnce((table + i) as Ref<Pte>, entry);
  }
  yield* installTable(mm, pmd, table);
};

/**
 * __split_huge_page().
 *
 * *Context*: anon_vma->lock; a reference on the head. *Returns* false when nobody maps the page any more: zapping does not take that lock.
 * *Source*: mm/huge_memory.c, 3.1, which goes on then.
 */
function* splitMapped(page: Ptr<Page>, anonVma: Ptr<AnonVma>): Op<boolean> {
  const marked = yield* atEachEntry(page, anonVma, markSplitting); // 1
  const mapcount = yield* pageMapcount(page);
  bugOn(marked !== mapcount, 'split: areas on the list of the anon_vma map the page less often than its mapcount says');
  if (marked === 0) return false;
  yield* splitHugePageRefcount(page); // 2
  const replaced = yield* atEachEntry(page, anonVma, replaceByTable); // 3
  bugOn(replaced !== marked, 'split: an entry was added or taken away while the page was split');
  return true;
}

/**
 * split_huge_page(): ordinary pages in the place of a huge one.
 *
 * *Context*: a reference on the head; may sleep, no spin lock held. *Returns* 0: it is no huge page any more; 1: nobody maps it, so it cannot be found.
 * *Source*: mm/huge_memory.c, 3.1; the loop around the grace period as in Michel Lespinasse, 2011-08-19, [PATCH 9/9].
 */
export function* splitHugePage(page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageAnon(page)), 'split_huge_page: !PageAnon(page)');
  for (;;) {
    const anonVma = yield* pageLockAnonVma(page);
    if (anonVma === NULL) return 1;
    const compound = yield* pageCompound(page);
    const stable = compound && (yield* tailCountsStable(page));
    const split = stable && (yield* splitMapped(page, anonVma));
    if (split) yield* countVmEvent(THP_SPLIT);
    yield* pageUnlockAnonVma(anonVma);
    if (!compound || stable) return compound && !split ? 1 : 0;
    yield* synchronizeRcu();
  }
}

const anotherIsPossible = defineGuard(
  'splitHugePagePmd.anotherHugePage',
  'who splits the huge page of an entry takes it for impossible that another one is there afterwards (before 3.12)',
);

/**
 * split_huge_page_pmd(): there is a pte table behind an entry afterwards, if there was a huge page; or nothing.
 *
 * Unless mmap_sem is held for writing, another huge page may have come in the place of the one that was about to be split: a fault copied it, or came
 * after a zap. So the caller looks at the entry again, as the walk does.
 *
 * *Context*: mmap_sem; no spin lock. *Source*: mm/huge_memory.c, 3.1, without the BUG_ON of before 3.12. *Differs*: that is a loop since.
 */
export function* splitHugePagePmd(mm: Ptr<MmStruct>, address: number, pmd: Ref<Pte>): Op<void> {
  const page = yield* hugePageOfEntry(mm, pmd);
  if (page === NULL) return yield* splitHugeZeroPmd(mm, address, pmd);
  yield* splitHugePage(page);
  yield* putPage(page);
  if (!anotherIsPossible())
    bugOn(pmdTransHuge(yield* readOnce(pmd)), 'split_huge_page_pmd: a huge page is mapped still');
}

/** The huge page that an entry maps, but for that of zeros, with a reference. */
function* hugePageOfEntry(mm: Ptr<MmStruct>, pmd: Ref<Pte>): Op<Ptr<Page> | Null> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* readOnce(pmd);
  const page = pmdTransHuge(entry) && !isHugeZeroPmd(entry) ? pfnToPage(ptePfn(entry)) : NULL;
  if (page !== NULL) yield* getPage(page);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return page;
}

/** wait_split_huge_page(): until who splits the page of a marked entry is done. *Context*: an area whose anon_vma the page has; no spin lock. */
export function* waitSplitHugePage(vma: Ptr<VmAreaStruct>): Op<void> {
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  bugOn(anonVma === NULL, 'a huge page in an area without anon_vma');
  yield* spinLock(AnonVma.lock(anonVma as Ptr<AnonVma>));
  yield* spinUnlock(AnonVma.lock(anonVma as Ptr<AnonVma>));
}

const ksmReads = defineGuard(
  'pageTransCompoundAnonSplit.rcuReadLock',
  'ksm is no RCU reader from where it reads the head of a tail until it has its reference (before patch 3 of 9, 2011)',
);
const ksmRechecks = defineGuard(
  'pageTransCompoundAnonSplit.recheckUnderRcu',
  'ksm does not look in its RCU read section whether what it has a reference to is still the head, as in patch 3 of 9, 2011',
);

/** The head of a page with a reference to it; NULL: it was split meanwhile, and who has the frame now has lost the reference by the end of the section. */
function* headReference(page: Ptr<Page>): Op<Ptr<Page> | Null> {
  const head = yield* compoundTransHead(page);
  if (!(yield* getPageUnlessZero(head))) return NULL;
  if (!ksmRechecks() || (yield* compoundTransHead(page)) === head) return head;
  yield* putHeadReference(head);
  return NULL;
}

/**
 * page_trans_compound_anon_split(): splits the huge page that a page may be part of.
 *
 * *Context*: a reference on `page`; may sleep. *Returns* 0: it is an ordinary page now; else try again later.
 * *Source*: mm/ksm.c, 3.1; RCU from the reading of the head to the reference on it as in Michel Lespinasse, 2011-08-19, [PATCH 3/9]. *Differs*: there
 * that is all; a reference to a stranger is then given back after the section, when a grace period does not wait for it any more.
 */
export function* pageTransCompoundAnonSplit(page: Ptr<Page>): Op<number> {
  if (!(yield* pageCompound(page))) return 0;
  if (ksmReads()) yield* rcuReadLock();
  const head = yield* headReference(page);
  if (ksmReads()) yield* rcuReadUnlock();
  if (head === NULL) return 1;
  // With the reference it stays what it is: split meanwhile, or the head of a huge page.
  const result = (yield* pageAnon(head)) ? yield* splitHugePage(head) : 1;
  yield* putPage(head);
  return result;
}
