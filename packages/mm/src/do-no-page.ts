// SPDX-License-Identifier: GPL-2.0-only
import {
  condResched,
  defineGuard,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Op,
  type Ptr,
  readOnce,
  smpRmb,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { AddressSpace, MmStruct, type Page, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import { allocPage, lruCacheAddActiveAnon, putPage, setPageUptodate } from '@lockless/page';
import { filemapNopage, VM_FAULT_OOM } from '@lockless/pagecache';
import {
  anonVmaPrepare,
  linearPageIndex,
  mkPte,
  pageAddFileRmap,
  pageAddNewAnonRmap,
  pteMkdirty,
  pteNone,
  type RmapSpare,
  rmapPrepare,
  rmapRelease,
  setPteAt,
  vmaMapping,
} from '@lockless/rmap';
import { copyContent } from './content.js';
import { maybeMkwrite, vmaPageProt } from './page-prot.js';
import { countFault, type Fault } from './vm-fault.js';

/** Kernel-facts C1. */
const truncateCountRecheck = defineGuard(
  'doNoPage.truncateCountRecheck',
  'do_no_page does not look under the page-table lock whether the file was truncated since it began',
);

/**
 * do_no_page(): an empty entry in an area of a file, in the design before the page lock kept truncation out.
 *
 *   1. read truncate_count; 2. find the page, if i_size has it; 3. lock the page table; 4. truncate_count as it was? Else 1; 5. the entry.
 *   A. i_size becomes smaller; B. truncate_count goes up; C. entries go, each under the lock of 3; D. the pages leave the cache.
 *
 * 3 before C: C finds the entry. C before 3: B comes before 4, so it goes back to 1, and then, 2 after A, there is no such page.
 *
 * *Context*: mmap_sem for reading; sleeps. *Returns* VM_FAULT_* bits.
 * *Ordering*: smp_rmb between 1 and 2; when it starts over, the put of the page that it gave up is a full barrier already. Partner:
 * {@link unmapMappingRange}, smp_wmb between A and B. Between 2 and 4 no barrier is needed, whatever find_get_page does: 4 is under the lock.
 * *Source*: `do_no_page`, mm/memory.c, 2.6.6; smp_rmb when it starts over as in 2.6.18, where 2.6.6 has none.
 * *Differs*: anon_vma as since 2.6.7.
 */
export function* doNoPage(fault: Fault): Op<number> {
  const { mm, vma, address, write } = fault;
  const count = AddressSpace.truncateCount((yield* vmaMapping(vma)) as Ptr<AddressSpace>);
  const pgoff = yield* linearPageIndex(vma, address);
  const early = write && ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) === 0;
  if (early && (yield* anonVmaPrepare(vma)) !== 0) return VM_FAULT_OOM;
  let sequence = yield* readOnce(count); // 1
  yield* smpRmb();
  for (;;) {
    const { page: found, fault: code } = yield* filemapNopage(vma, pgoff); // 2
    if (found === NULL) return code;
    const page = early ? yield* earlyCopy(found) : found;
    const spare = page === NULL ? null : yield* rmapPrepare();
    if (page === NULL || spare === null) {
      if (page !== NULL) yield* putPage(page);
      return VM_FAULT_OOM;
    }
    yield* spinLock(MmStruct.pageTableLock(mm)); // 3
    const now = yield* readOnce(count); // 4
    const truncated = truncateCountRecheck() && now !== sequence;
    const mapped = !truncated && (yield* setPte(fault, page, early, spare)); // 5
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    yield* rmapRelease(spare);
    if (!mapped) yield* putPage(page);
    if (!truncated) {
      countFault(mapped ? MmStruct[early ? 'faultsCow' : 'faultsFile'](mm) : MmStruct.faultsSpurious(mm));
      return 0;
    }
    yield* condResched();
    sequence = now; // 1
    yield* smpRmb();
  }
}

/** A private copy of the file's page, whose reference it takes over. NULL: no memory. */
function* earlyCopy(page: Ptr<Page>): Op<Ptr<Page> | 0> {
  const copy = yield* allocPage(GFP_HIGHUSER_MOVABLE);
  if (copy !== NULL) {
    yield* copyContent(copy, page);
    yield* setPageUptodate(copy);
  }
  yield* putPage(page);
  return copy;
}

/** The entry, unless there is one. *Context*: page-table lock. *Returns* whether the page's reference is the entry's now. */
function* setPte(fault: Fault, page: Ptr<Page>, anon: boolean, spare: RmapSpare): Op<boolean> {
  const { mm, vma, address, write, pte } = fault;
  if (!pteNone(yield* readOnce(pte))) return false;
  const rss = anon ? MmStruct.anonRss(mm) : MmStruct.fileRss(mm);
  yield* store(rss, (yield* load(rss)) + 1);
  const clean = mkPte(page, yield* vmaPageProt(vma));
  const entry = write ? maybeMkwrite(pteMkdirty(clean), yield* load(VmAreaStruct.vmFlags(vma))) : clean;
  if (anon) {
    yield* lruCacheAddActiveAnon(page);
    yield* pageAddNewAnonRmap(page, vma, address, pte, spare);
  } else yield* pageAddFileRmap(page, pte, spare);
  yield* setPteAt(mm, address, pte, entry);
  return true;
}
