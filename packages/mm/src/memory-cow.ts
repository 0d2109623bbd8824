// SPDX-License-Identifier: GPL-2.0-only
import {
  defineGuard,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { EINVAL, MmStruct, type Page, VM_SHARED, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import {
  allocPage,
  allocZeroedPage,
  getPage,
  lruCacheAddActiveAnon,
  pageAnon,
  pfnToPage,
  putPage,
  setPageUptodate,
  trylockPage,
  unlockPage,
  waitOnPageLocked,
} from '@lockless/page';
import { canShareSwapPage, VM_FAULT_OOM, VM_FAULT_SIGBUS } from '@lockless/pagecache';
import {
  anonVmaPrepare,
  mkPte,
  pageAddNewAnonRmap,
  pageRemoveRmap,
  pteMkdirty,
  pteMkyoung,
  ptePfn,
  ptepClearFlushNotify,
  ptepSetAccessFlags,
  type RmapSpare,
  rmapPrepare,
  rmapRelease,
  setPteAt,
  showsDevice,
  vmNormalPage,
} from '@lockless/rmap';
import { copyContent } from './content.js';
import { chargedPage, putChargedPage } from './memcontrol.js';
import { pageMkwrite, setPageDirtyBalance } from './page-mkwrite.js';
import { maybeMkwrite, vmaPageProt } from './page-prot.js';
import { countFault, type Fault, VM_FAULT_WRITE } from './vm-fault.js';

const removeRmapLast = defineGuard(
  'doWpPage.removeRmapLast',
  'copy-on-write takes the old page off the reverse mapping before its entry is cleared, as up to 2.6.26',
);

const SHARED_WRITABLE = VM_SHARED | VM_WRITE;

/** Kernel-facts C9. */
const referenceUntilLock = defineGuard(
  'doWpPage.referenceUntilLock',
  'do_wp_page drops its reference when page_mkwrite is done, before it has the page-table lock again (before c3704ceb4a)',
);
/** Kernel-facts C11. */
const waitForWriteback = defineGuard(
  'doWpPage.waitOnPageLocked',
  'do_wp_page marks the page dirty although somebody holds it locked, to clear that mark (before 79352894b2)',
);

/**
 * do_wp_page(): a write to an entry that is present and read-only.
 *
 * *Context*: entered with the page-table lock held and the entry checked under it; returns without the lock. Sleeps after dropping it.
 * *Returns* VM_FAULT_WRITE when the page may be written now; 0 when somebody else changed the entry; VM_FAULT_OOM, VM_FAULT_SIGBUS.
 * *Source*: `do_wp_page`, mm/memory.c, 2.6.27.
 */
export function* doWpPage(fault: Fault): Op<number> {
  const { mm, vma, address, origPte } = fault;
  const oldPage = vmNormalPage(vma, address, origPte);
  if (oldPage === NULL) return yield* writeSpecial(fault);
  if (yield* pageAnon(oldPage)) {
    if (yield* exclusivelyOurs(oldPage)) {
      yield* makeWritable(fault);
      yield* spinUnlock(MmStruct.pageTableLock(mm));
      countFault(MmStruct.faultsReuse(mm));
      return VM_FAULT_WRITE;
    }
  } else if (((yield* load(VmAreaStruct.vmFlags(vma))) & SHARED_WRITABLE) === SHARED_WRITABLE) {
    return yield* writeSharedPage(fault, oldPage);
  }
  return yield* copyPage(fault, oldPage);
}

/**
 * A write to what has no page: the page of zeros, or the memory of a device, whose shared mapping becomes writable (again), and of whose private one
 * the page is copied. *Source*: `do_wp_page`, mm/memory.c, 2.6.27.
 */
function* writeSpecial(fault: Fault): Op<number> {
  if (!showsDevice(fault.origPte)) return yield* copyPage(fault, NULL);
  if (((yield* load(VmAreaStruct.vmFlags(fault.vma))) & SHARED_WRITABLE) !== SHARED_WRITABLE)
    return yield* copyPage(fault, NULL, pfnToPage(ptePfn(fault.origPte)));
  yield* makeWritable(fault);
  yield* spinUnlock(MmStruct.pageTableLock(fault.mm));
  countFault(MmStruct.faultsReuse(fault.mm));
  return VM_FAULT_WRITE;
}

/**
 * Whether an anonymous page has no other owner, so that it can be written in place. Tried under the page lock: who holds it may be about to
 * add an owner. When it is busy the page is copied, which is always right.
 */
export function* exclusivelyOurs(page: Ptr<Page>): Op<boolean> {
  if (!(yield* trylockPage(page))) return false;
  const reuse = yield* canShareSwapPage(page);
  yield* unlockPage(page);
  return reuse;
}

/** The entry becomes young, dirty and, if the area allows it, writable. *Context*: page-table lock held, entry unchanged. */
function* makeWritable({ mm, vma, address, pte, origPte }: Fault): Op<void> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  yield* ptepSetAccessFlags(mm, address, pte, maybeMkwrite(pteMkdirty(pteMkyoung(origPte)), flags));
}

/**
 * The first write to a page of a shared mapping since it was clean.
 *
 * 1. a reference, then the lock is dropped: page_mkwrite sleeps; 2. the lock again; 3. only then the reference goes (C9): while we held
 * it the frame could not become another page, so an unchanged entry means an unchanged page.
 * Before dirtying: wait_on_page_locked, so that a writeback that has already cleaned the entries of this page (under the page lock) has
 * also cleared the page's dirty flag, or sees ours (C11, 79352894b2).
 */
function* writeSharedPage(fault: Fault, page: Ptr<Page>): Op<number> {
  const { mm, pte, origPte } = fault;
  yield* getPage(page);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  const error = yield* pageMkwrite(fault.vma, page);
  if (error < 0) {
    yield* putPage(page);
    if (error === -EINVAL) return VM_FAULT_SIGBUS;
    countFault(MmStruct.faultsSpurious(mm));
    return 0;
  }
  const held = referenceUntilLock();
  if (!held) yield* putPage(page);
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = (yield* readOnce(pte)) === origPte;
  if (same) yield* makeWritable(fault);
  if (same && !held) yield* getPage(page);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (same) {
    if (waitForWriteback()) yield* waitOnPageLocked(page);
    yield* setPageDirtyBalance(page);
  }
  if (same || held) yield* putPage(page);
  countFault(same ? MmStruct.faultsMkwrite(mm) : MmStruct.faultsSpurious(mm));
  return same ? VM_FAULT_WRITE : 0;
}

/**
 * Breaks the sharing. Entered with the page-table lock held. `oldPage` NULL: the zero page, a fresh zeroed page takes its place, or one with what is in
 * `source`, which nobody counts.
 */
function* copyPage(fault: Fault, oldPage: Ptr<Page> | Null, source: Ptr<Page> | Null = oldPage): Op<number> {
  const { mm, vma } = fault;
  if (oldPage !== NULL) yield* getPage(oldPage);
  yield* spinUnlock(MmStruct.pageTableLock(mm));

  const spare = (yield* anonVmaPrepare(vma)) === 0 ? yield* rmapPrepare() : null;
  const newPage = spare === null ? NULL : yield* allocateCopy(mm, source);
  if (spare === null || newPage === NULL) {
    if (spare !== null) yield* rmapRelease(spare);
    if (oldPage !== NULL) yield* putPage(oldPage);
    return VM_FAULT_OOM;
  }
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = (yield* readOnce(fault.pte)) === fault.origPte;
  if (same) yield* replacePage(fault, oldPage, newPage, spare);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);

  if (same) {
    // The entry's reference to the old page, and ours.
    if (oldPage !== NULL) yield* putPage(oldPage);
  } else {
    yield* putChargedPage(newPage);
  }
  if (oldPage !== NULL) yield* putPage(oldPage);
  countFault(same ? MmStruct.faultsCow(mm) : MmStruct.faultsSpurious(mm));
  return same ? VM_FAULT_WRITE : 0;
}

function* allocateCopy(mm: Ptr<MmStruct>, oldPage: Ptr<Page> | Null): Op<Ptr<Page> | Null> {
  const alloc = oldPage === NULL ? allocZeroedPage : allocPage;
  const page = yield* chargedPage(yield* alloc(GFP_HIGHUSER_MOVABLE), mm);
  if (page === NULL) return NULL;
  if (oldPage !== NULL) yield* copyContent(page, oldPage);
  yield* setPageUptodate(page);
  return page;
}

/**
 * Puts the copy in the old page's place. *Context*: page-table lock held, entry unchanged.
 *
 * The old page loses its mapping count last (C8, 945754a175): another mm that sees it fall to 1 writes to the page in place, and until the
 * entry is cleared and flushed the threads of this mm still read that page.
 */
export function* replacePage(fault: Fault, oldPage: Ptr<Page> | Null, newPage: Ptr<Page>, spare: RmapSpare): Op<void> {
  const { mm, vma, address, pte } = fault;
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const prot = yield* vmaPageProt(vma);
  const anonBefore = oldPage !== NULL && (yield* pageAnon(oldPage));
  if (oldPage !== NULL && !anonBefore) yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) - 1);
  if (!anonBefore) yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + 1);

  const uncountLast = removeRmapLast();
  if (oldPage !== NULL && !uncountLast) yield* pageRemoveRmap(oldPage, pte);
  yield* ptepClearFlushNotify(mm, address, pte);
  yield* lruCacheAddActiveAnon(newPage);
  yield* pageAddNewAnonRmap(newPage, vma, address, pte, spare);
  yield* setPteAt(mm, address, pte, maybeMkwrite(pteMkdirty(mkPte(newPage, prot)), flags));
  if (oldPage !== NULL && uncountLast) yield* pageRemoveRmap(oldPage, pte);
}
