// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Op,
  type Ptr,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { MmStruct, Page, VM_NONLINEAR, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import {
  allocPage,
  getPage,
  lockPage,
  lruCacheAddActiveAnon,
  putPage,
  setPageUptodate,
  unlockPage,
} from '@lockless/page';
import { type FaultResult, filemapFault, VM_FAULT_MAJOR, VM_FAULT_OOM, VM_FAULT_SIGBUS } from '@lockless/pagecache';
import {
  anonVmaPrepare,
  linearPageIndex,
  mkPte,
  pageAddFileRmap,
  pageAddNewAnonRmap,
  pageConvertNonlinear,
  pageFromFault,
  pteMkdirty,
  pteToPgoff,
  type RmapSpare,
  rmapPrepare,
  rmapRelease,
  setPteAt,
  vmaMapping,
} from '@lockless/rmap';
import { copyContent } from './content.js';
import { doFilePage } from './do-file-page.js';
import { doNoPage } from './do-no-page.js';
import { mapCachedAround } from './fault-around.js';
import { chargedPage, putChargedPage } from './memcontrol.js';
import { mmOption } from './mm-options.js';
import { pageMkwrite, setPageDirtyBalance } from './page-mkwrite.js';
import { maybeMkwrite, vmaPageProt } from './page-prot.js';
import { shmemFault, shmemMapping } from './shmem.js';
import { specialMappingFault } from './special-mapping.js';
import { countFault, type Fault, VM_FAULT_ERROR } from './vm-fault.js';

/**
 * do_linear_fault(): an empty entry in an area of a file: read, private write, or shared write.
 *
 * *Context*: mmap_sem for reading; sleeps. *Returns* VM_FAULT_* bits.
 * *Ordering*: the page stays locked from the check that it belongs to the file until its entry is set (d00806b183). Truncation locks each
 * page before it takes it from the cache and unmaps it under that lock, so an entry never points to a page that left the cache (C1, C3).
 * *Source*: `do_linear_fault`, `__do_fault`, mm/memory.c, 2.6.27; split by kind as in 3.15 (`do_read_fault`, `do_cow_fault`, `do_shared_fault`).
 */
export function* doLinearFault(fault: Fault): Op<number> {
  if (mmOption('truncateCountFaults') !== 0 && (yield* onDisk(fault.vma))) return yield* doNoPage(fault);
  // Special mappings have no map_pages.
  const around = !fault.write && mmOption('faultAroundPages') > 1 && (yield* vmaMapping(fault.vma)) !== NULL;
  if (around && (yield* mapCachedAround(fault))) return yield* mappedAround(fault, 0);
  return yield* doFault(fault, yield* linearPageIndex(fault.vma, fault.address), around);
}

/**
 * __do_fault(): the entry gets page `pgoff` of the file. `around`: those beside it too, when the disk had to be waited for.
 *
 * *Context*: as {@link doLinearFault}. *Source*: `__do_fault`, mm/memory.c, 2.6.27.
 */
function* doFault(fault: Fault, pgoff: number, around: boolean): Op<number> {
  const { vma } = fault;
  const shared = ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) !== 0;
  // Before the page is asked for, as since 3.15: also when the access then fails, fork finds an area that had a private page.
  if (fault.write && !shared && (yield* anonVmaPrepare(vma)) !== 0) return VM_FAULT_OOM;
  const { page, fault: code } = yield* vmOpsFault(vma, pgoff);
  if ((code & VM_FAULT_ERROR) !== 0 || page === NULL) return code;
  const major = code & VM_FAULT_MAJOR;
  if (major !== 0) countFault(MmStruct.faultsMajor(fault.mm));
  if (major !== 0 && around) {
    // Newer kernels wait for the disk without mmap_sem and begin the fault anew (FAULT_FLAG_ALLOW_RETRY), now with the pages cached.
    yield* unlockPage(page);
    const mapped = yield* mapCachedAround(fault);
    if (mapped) yield* putPage(page);
    if (mapped) return yield* mappedAround(fault, major);
    yield* lockPage(page);
    if ((yield* load(Page.mapping(page))) === 0) return yield* truncatedMeanwhile(fault, page);
  }
  yield* pageFromFault(page);
  if ((yield* pageConvertNonlinear(vma, fault.address, page)) !== 0) {
    yield* unlockPage(page);
    yield* putPage(page);
    return VM_FAULT_OOM;
  }
  if (!fault.write) return major | (yield* doReadFault(fault, page));
  return major | (yield* shared ? doSharedFault(fault, page) : doCowFault(fault, page));
}

/**
 * do_nonlinear_fault(): the entry says which page of the file belongs there.
 *
 * *Context*, *Returns*, *Ordering*: as {@link doLinearFault}. The entry is looked at again under the page-table lock before it is replaced, not at
 * the beginning, where 2.6.27 does it because a 64-bit entry may have been read in two halves.
 * *Source*: `do_nonlinear_fault`, mm/memory.c, 2.6.27; by option as 2.6.6. *Differs*: such an entry in a linear area is a BUG.
 */
export function* doNonlinearFault(fault: Fault): Op<number> {
  const flags = yield* load(VmAreaStruct.vmFlags(fault.vma));
  bugOn((flags & VM_NONLINEAR) === 0, 'a page table entry with a file offset in a linear area');
  if (mmOption('truncateCountFaults') !== 0 && (yield* onDisk(fault.vma))) return yield* doFilePage(fault);
  return yield* doFault(fault, pteToPgoff(fault.origPte), false);
}

function* mappedAround(fault: Fault, major: number): Op<number> {
  countFault(MmStruct.faultsFile(fault.mm));
  return major;
}

/** The page left the file while it was not locked: the access is tried again and finds out. Page locked, our reference. */
function* truncatedMeanwhile({ mm }: Fault, page: Ptr<Page>): Op<number> {
  yield* unlockPage(page);
  yield* putPage(page);
  countFault(MmStruct.faultsSpurious(mm));
  return 0;
}

/** The file is of a file system on a disk. */
export function* onDisk(vma: Ptr<VmAreaStruct>): Op<boolean> {
  const mapping = yield* vmaMapping(vma);
  return mapping !== NULL && !(yield* shmemMapping(mapping));
}

/** vma->vm_ops->fault(): the page, locked and with a reference, or why not. */
function* vmOpsFault(vma: Ptr<VmAreaStruct>, pgoff: number): Op<FaultResult> {
  const mapping = yield* vmaMapping(vma);
  if (mapping === NULL) return yield* specialMappingFault(vma, pgoff);
  const inMemory = yield* shmemMapping(mapping);
  return yield* inMemory ? shmemFault(mapping, pgoff) : filemapFault(vma, pgoff);
}

/** Maps the file's page as it is. The locked page and one reference come in; the reference goes into the entry. */
function* doReadFault(fault: Fault, page: Ptr<Page>): Op<number> {
  const spare = yield* rmapPrepare();
  const mapped = spare !== null && (yield* setFilePte(fault, page, false, spare));
  yield* unlockPage(page);
  if (!mapped) yield* putPage(page);
  if (spare === null) return VM_FAULT_OOM;
  countFault(mapped ? MmStruct.faultsFile(fault.mm) : MmStruct.faultsSpurious(fault.mm));
  return 0;
}

/** A write to a private mapping of a page that is not mapped yet: the copy is mapped at once, the file's page never. The area is prepared. */
export function* doCowFault(fault: Fault, filePage: Ptr<Page>): Op<number> {
  const { mm, vma, address, pte, origPte } = fault;
  const spare = yield* rmapPrepare();
  const copy = spare === null ? NULL : yield* chargedPage(yield* allocPage(GFP_HIGHUSER_MOVABLE), mm);
  if (spare === null || copy === NULL) {
    if (spare !== null) yield* rmapRelease(spare);
    yield* unlockPage(filePage);
    yield* putPage(filePage);
    return VM_FAULT_OOM;
  }
  yield* copyContent(copy, filePage);
  yield* setPageUptodate(copy);

  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const entry = maybeMkwrite(pteMkdirty(mkPte(copy, yield* vmaPageProt(vma))), flags);
  yield* spinLock(MmStruct.pageTableLock(mm));
  const mapped = (yield* readOnce(pte)) === origPte;
  if (mapped) {
    yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + 1);
    yield* lruCacheAddActiveAnon(copy);
    yield* pageAddNewAnonRmap(copy, vma, address, pte, spare);
    yield* setPteAt(mm, address, pte, entry);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);
  yield* unlockPage(filePage);
  yield* putPage(filePage);
  if (!mapped) yield* putChargedPage(copy);
  countFault(mapped ? MmStruct.faultsCow(mm) : MmStruct.faultsSpurious(mm));
  return 0;
}

/** A write to a shared mapping: the file system is asked (page_mkwrite), the page becomes dirty. */
function* doSharedFault(fault: Fault, page: Ptr<Page>): Op<number> {
  const { mm } = fault;
  // page_mkwrite locks the page itself. Our reference keeps it the same page; being in the file must be checked anew.
  yield* unlockPage(page);
  if ((yield* pageMkwrite(fault.vma, page)) < 0) {
    yield* putPage(page);
    return VM_FAULT_SIGBUS;
  }
  yield* lockPage(page);
  if ((yield* load(Page.mapping(page))) === 0) {
    return yield* truncatedMeanwhile(fault, page);
  }
  const spare = yield* rmapPrepare();
  const mapped = spare !== null && (yield* setFilePte(fault, page, true, spare));
  if (mapped) yield* getPage(page);
  yield* unlockPage(page);
  if (mapped) yield* setPageDirtyBalance(page);
  yield* putPage(page);
  if (spare === null) return VM_FAULT_OOM;
  countFault(mapped ? MmStruct.faultsFile(mm) : MmStruct.faultsSpurious(mm));
  return 0;
}

/** Sets the entry to a page of the file if nobody did so before; takes over the caller's reference when it returns true, and `spare` always. */
function* setFilePte(
  { mm, vma, address, pte, origPte }: Fault,
  page: Ptr<Page>,
  write: boolean,
  spare: RmapSpare,
): Op<boolean> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const entry = mkPte(page, yield* vmaPageProt(vma));
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = (yield* readOnce(pte)) === origPte;
  if (same) {
    yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) + 1);
    yield* pageAddFileRmap(page, pte, spare);
    yield* setPteAt(mm, address, pte, write ? maybeMkwrite(pteMkdirty(entry), flags) : entry);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);
  return same;
}
