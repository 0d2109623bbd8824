// SPDX-License-Identifier: GPL-2.0-only
import {
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  load,
  NULL,
  type Op,
  type Ptr,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { memCgroupCharge } from '@lockless/memcontrol';
import { MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { countVmEvent, markPageAccessed, PGMAJFAULT, pageUptodate, putPage, unlockPage } from '@lockless/page';
import {
  canShareSwapPage,
  lockSwapCachePage,
  lookupSwapCache,
  migrationEntryWait,
  removeExclusiveSwapPage,
  swapFree,
  swapinReadahead,
  tryToFreeSwap,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  vmSwapFull,
} from '@lockless/pagecache';
import {
  isHwpoisonEntry,
  isMigrationEntry,
  mkPte,
  pageAddAnonRmap,
  pteMkdirty,
  pteToSwpEntry,
  type RmapSpare,
  rmapPrepare,
  rmapRelease,
  type SwpEntry,
  setPteAt,
} from '@lockless/rmap';
import { putChargedPage } from './memcontrol.js';
import { doWpPage } from './memory-cow.js';
import { maybeMkwrite, vmaPageProt } from './page-prot.js';
import { willStayInMemory } from './swap-locked.js';
import { countFault, type Fault, VM_FAULT_ERROR, VM_FAULT_WRITE } from './vm-fault.js';

/**
 * do_swap_page(): the entry names a place in a swap area, or a page that is being migrated.
 *
 * 1. the page of the place, from the swap cache or from the disk: a major fault then; 2. its lock, which waits for the read; 3. under the
 * lock: is it in the swap cache still, under this place? 4. the page table lock: is the entry still the same? 5. map it; 6. the entry's use
 * of the place goes, and with more than half of the places in use the cache's too.
 *
 * 3 is needed although 4 is done: the place may have been freed and given to another page of this address, which was swapped out in turn; then
 * the entry is the same, and the page is not (A18).
 *
 * *Context*: mmap_sem for reading. Sleeps. *Returns* VM_FAULT_* bits; VM_FAULT_SIGBUS when the page could not be read.
 * *Ordering*: PG_uptodate, tested under the page lock, orders the content before the entry.
 * *Source*: `do_swap_page`, mm/memory.c, 2.6.27, with 4969c1192d15 and its amendment (2.6.36) for 3.
 */
export function* doSwapPage(fault: Fault): Op<number> {
  const { mm } = fault;
  const entry = pteToSwpEntry(fault.origPte);
  if (isMigrationEntry(entry)) {
    yield* migrationEntryWait(mm, fault.address);
    countFault(MmStruct.faultsSpurious(mm));
    return 0;
  }
  if (isHwpoisonEntry(entry)) return VM_FAULT_SIGBUS;
  let major = 0;
  let page = yield* lookupSwapCache(entry); // 1
  if (page === NULL) {
    page = yield* swapinReadahead(entry, GFP_HIGHUSER_MOVABLE);
    if (page === NULL) return yield* notRead(fault);
    major = VM_FAULT_MAJOR;
    yield* countVmEvent(PGMAJFAULT);
    countFault(MmStruct.faultsMajor(mm));
  }
  if ((yield* memCgroupCharge(page, mm, GFP_KERNEL)) !== 0) {
    yield* putPage(page);
    return VM_FAULT_OOM;
  }
  yield* markPageAccessed(page);
  const result = yield* doFoundSwapPage(fault, entry, page);
  return (result & VM_FAULT_OOM) !== 0 ? result : major | result;
}

/** 2 to 6 of {@link doSwapPage}, with the page of 1 and a reference to it, which goes into the entry or is given back. */
export function* doFoundSwapPage(fault: Fault, entry: SwpEntry, page: Ptr<Page>): Op<number> {
  const spare = yield* rmapPrepare();
  const locked = spare !== null && (yield* lockSwapCachePage(page, entry)); // 2, 3
  if (spare !== null && locked) return yield* mapSwapPage(fault, entry, page, spare);
  if (spare !== null) yield* rmapRelease(spare);
  yield* putChargedPage(page);
  if (spare === null) return VM_FAULT_OOM;
  countFault(MmStruct.faultsSpurious(fault.mm));
  return 0;
}

/** No memory for the page; or another thread has mapped it meanwhile and freed the place. */
function* notRead({ mm, pte, origPte }: Fault): Op<number> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = (yield* readOnce(pte)) === origPte;
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (same) return VM_FAULT_OOM;
  countFault(MmStruct.faultsSpurious(mm));
  return 0;
}

/** 4, 5 and 6. *Context*: page locked, in the swap cache under `entry`; takes over its lock, its reference, and `spare`. */
function* mapSwapPage(fault: Fault, entry: SwpEntry, page: Ptr<Page>, spare: RmapSpare): Op<number> {
  const { mm, vma, pte, origPte } = fault;
  const stays = yield* willStayInMemory(page, vma);
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = (yield* readOnce(pte)) === origPte; // 4
  const readable = yield* pageUptodate(page);
  let result = same && !readable ? VM_FAULT_SIGBUS : 0;
  if (same && readable) {
    const mapped = yield* setSwapPte(fault, page, spare); // 5
    yield* swapFree(entry); // 6
    if (stays) yield* tryToFreeSwap(page);
    else if (yield* vmSwapFull()) yield* removeExclusiveSwapPage(page);
    yield* unlockPage(page);
    if (mapped.write) {
      result = yield* doWpPage({ ...fault, origPte: mapped.entry });
      if ((result & VM_FAULT_ERROR) !== 0) result &= VM_FAULT_ERROR;
    } else {
      yield* spinUnlock(MmStruct.pageTableLock(mm));
      countFault(MmStruct.faultsSwap(mm));
      if (fault.write) result = VM_FAULT_WRITE;
    }
    yield* rmapRelease(spare);
    return result;
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);
  yield* unlockPage(page);
  yield* putChargedPage(page);
  if (!same) countFault(MmStruct.faultsSpurious(mm));
  return result;
}

/** 5: the entry, writable at once if the page is nobody else's. *Returns* it, and whether the write must still copy the page. */
function* setSwapPte(
  { mm, vma, address, write, pte }: Fault,
  page: Ptr<Page>,
  spare: RmapSpare,
): Op<{ entry: Fault['origPte']; write: boolean }> {
  yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + 1);
  yield* store(MmStruct.swapents(mm), (yield* load(MmStruct.swapents(mm))) - 1);
  const readOnly = mkPte(page, yield* vmaPageProt(vma));
  const ours = write && (yield* canShareSwapPage(page));
  const entry = ours ? maybeMkwrite(pteMkdirty(readOnly), yield* load(VmAreaStruct.vmFlags(vma))) : readOnly;
  yield* setPteAt(mm, address, pte, entry);
  yield* pageAddAnonRmap(page, vma, address, pte, spare);
  return { entry, write: write && !ours };
}
