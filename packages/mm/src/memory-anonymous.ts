// SPDX-License-Identifier: GPL-2.0-only
import { GFP_HIGHUSER_MOVABLE, load, NULL, type Op, readOnce, spinLock, spinUnlock, store } from '@lockless/cpu';
import { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { allocZeroedPage, lruCacheAddActiveAnon, setPageUptodate, zeroPage } from '@lockless/page';
import { VM_FAULT_OOM } from '@lockless/pagecache';
import {
  anonVmaPrepare,
  mkPte,
  pageAddNewAnonRmap,
  pteMkdirty,
  pteMkspecial,
  pteNone,
  rmapPrepare,
  rmapRelease,
  setPteAt,
} from '@lockless/rmap';
import { chargedPage, putChargedPage } from './memcontrol.js';
import { mmOption } from './mm-options.js';
import { maybeMkwrite, vmaPageProt } from './page-prot.js';
import { countFault, type Fault } from './vm-fault.js';

/**
 * do_anonymous_page(): first touch of anonymous memory.
 *
 * *Context*: mmap_sem for reading; the entry was empty. Sleeps.
 * *Returns* 0, or VM_FAULT_OOM.
 * *Ordering*: the page is zeroed and marked uptodate (smp_wmb) before the entry is set; pairs with the address dependency of the
 * hardware's walk in `userAccess`.
 * *Source*: `do_anonymous_page`, mm/memory.c, 2.6.27; the zero page as in 2.6.32 (`a13ea5b75964`).
 */
export function* doAnonymousPage(fault: Fault): Op<number> {
  const { mm, vma, address, write, pte } = fault;
  if (!write && mmOption('zeroPageReads') !== 0) return yield* mapZeroPage(fault);
  if ((yield* anonVmaPrepare(vma)) !== 0) return VM_FAULT_OOM;
  const page = yield* chargedPage(yield* allocZeroedPage(GFP_HIGHUSER_MOVABLE), mm);
  if (page === NULL) return VM_FAULT_OOM;
  const spare = yield* rmapPrepare();
  if (spare === null) {
    yield* putChargedPage(page);
    return VM_FAULT_OOM;
  }
  yield* setPageUptodate(page);

  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const entry = maybeMkwrite(pteMkdirty(mkPte(page, yield* vmaPageProt(vma))), flags);
  yield* spinLock(MmStruct.pageTableLock(mm));
  if (!pteNone(yield* readOnce(pte))) {
    yield* spinUnlock(MmStruct.pageTableLock(mm));
    yield* rmapRelease(spare);
    yield* putChargedPage(page);
    countFault(MmStruct.faultsSpurious(mm));
    return 0;
  }
  yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + 1);
  yield* lruCacheAddActiveAnon(page);
  yield* pageAddNewAnonRmap(page, vma, address, pte, spare);
  yield* setPteAt(mm, address, pte, entry);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);
  countFault(MmStruct.faultsAnonymous(mm));
  return 0;
}

/** The zero page: neither counted in rss nor in its own mapcount. A later write copies. */
function* mapZeroPage({ mm, vma, address, pte }: Fault): Op<number> {
  const entry = pteMkspecial(mkPte(zeroPage(), yield* vmaPageProt(vma)));
  yield* spinLock(MmStruct.pageTableLock(mm));
  const empty = pteNone(yield* readOnce(pte));
  if (empty) yield* setPteAt(mm, address, pte, entry);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  countFault(empty ? MmStruct.faultsZero(mm) : MmStruct.faultsSpurious(mm));
  return 0;
}
