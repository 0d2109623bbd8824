// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref, SpinLock } from '@lockless/cpu';
import { condResched, load, NULL, readOnce, spinLock, spinUnlock, store } from '@lockless/cpu';
import type { AddressSpace } from '@lockless/mm-types';
import { MmStruct, Page, VmAreaStruct } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { pageAnon, pageIndex, setPageReferenced } from '@lockless/page';
import { leaveFileOffset } from './file-offset.js';
import { hugePmdOps } from './huge-pmd.js';
import type { MmuGather } from './mmu-gather.js';
import { tlbFinishMmu, tlbGatherMmu, tlbRemovePage } from './mmu-gather.js';
import { pteLockptr } from './pgtable.js';
import type { Pte } from './pte.js';
import { pteDirty, pteNone, ptePresent, pteYoung } from './pte.js';
import { pteClear, ptepGetAndClear, readPte, vmNormalPage } from './pte-access.js';
import type { PteRange } from './pte-range.js';
import { nextPteRange } from './pte-range.js';
import { pageRemoveRmap } from './reverse-mapping.js';
import { dirtyPageOfPte } from './set-page-dirty.js';
import { freeSwapEntry } from './swap-hooks.js';
import { isSwapPte, nonSwapEntry, pteToSwpEntry } from './swapops.js';

/** struct zap_details: a zap on behalf of a file, that must leave some entries. */
export interface ZapDetails {
  /** Only pages of this mapping: private copies stay (even_cows = 0). NULL: all. */
  readonly checkMapping: Ptr<AddressSpace> | Null;
  /** The area shows pages in any order: only those from `firstIndex` to `lastIndex` go, and leave their file offset. */
  readonly nonlinear: boolean;
  /** Pages of the file: first and last. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Held by the caller, who wants it to be dropped now and then. */
  readonly iMmapLock: Ref<SpinLock> | Null;
  /** What a finished area is marked with. */
  readonly truncateCount: number;
}

/** ZAP_BLOCK_SIZE: pages that are zapped before others get the i_mmap_lock or the CPU. */
const ZAP_BLOCK_PAGES = 1024;

/** Resident pages removed, for the counters. */
interface RssChange {
  file: number;
  anon: number;
  swap: number;
}

/**
 * zap_pte_range(): removes the entries of one run.
 *
 * *Context*: mmap_sem or i_mmap_lock; takes the page table lock.
 * The page of a removed entry keeps the entry's reference until the TLB is flushed (mmu_gather): until then another CPU may write it.
 * *Source*: zap_pte_range(), mm/memory.c, 2.6.27. In an area that is not linear, file offsets stay, with `details`.
 */
function* zapPteRange(tlb: MmuGather, vma: Ptr<VmAreaStruct>, range: PteRange, details: ZapDetails | null): Op<void> {
  const { mm } = tlb;
  const lock = pteLockptr(mm, range.ptes);
  const rss: RssChange = { file: 0, anon: 0, swap: 0 };
  // Private copies of a file's pages that were swapped out go with even_cows, and stay without; file offsets stay.
  const keepSwapped = details !== null && (details.checkMapping !== NULL || details.nonlinear);
  yield* spinLock(lock);
  for (let address = range.address; address < range.end; address++) {
    const ptep = (range.ptes + (address - range.address)) as Ref<Pte>;
    const pte = yield* readPte(ptep);
    if (pteNone(pte)) continue;
    if (ptePresent(pte)) yield* zapPresent(tlb, vma, address, ptep, pte, details, rss);
    else if (!keepSwapped) yield* zapAbsent(mm, address, ptep, pte, rss);
  }
  if (rss.file !== 0) yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) + rss.file);
  if (rss.anon !== 0) yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + rss.anon);
  if (rss.swap !== 0) yield* store(MmStruct.swapents(mm), (yield* load(MmStruct.swapents(mm))) + rss.swap);
  yield* spinUnlock(lock);
}

/** An entry that is neither empty nor present: a swapped page goes, a migrating one and a file offset are forgotten. */
function* zapAbsent(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>, pte: Pte, rss: RssChange): Op<void> {
  if (isSwapPte(pte) && !nonSwapEntry(pteToSwpEntry(pte))) {
    rss.swap--;
    yield* freeSwapEntry(pteToSwpEntry(pte));
  }
  yield* pteClear(mm, address, ptep);
}

function* zapPresent(
  tlb: MmuGather,
  vma: Ptr<VmAreaStruct>,
  address: number,
  ptep: Ref<Pte>,
  seen: Pte,
  details: ZapDetails | null,
  rss: RssChange,
): Op<void> {
  const page = vmNormalPage(vma, address, seen);
  if (details !== null && details.checkMapping !== NULL && page !== NULL) {
    if ((yield* readOnce(Page.mapping(page))) !== details.checkMapping) return;
  }
  const index = details?.nonlinear === true && page !== NULL ? yield* pageIndex(page) : -1;
  if (index >= 0 && details !== null && (index < details.firstIndex || index > details.lastIndex)) return;
  const pte = yield* ptepGetAndClear(tlb.mm, address, ptep);
  tlb.needFlush = true;
  if (page === NULL) return;
  if (index >= 0) yield* leaveFileOffset(page, vma, address, ptep);
  if (yield* pageAnon(page)) {
    rss.anon--;
  } else {
    if (pteDirty(pte)) yield* dirtyPageOfPte(page);
    if (pteYoung(pte)) yield* setPageReferenced(page);
    rss.file--;
  }
  yield* pageRemoveRmap(page, ptep);
  yield* tlbRemovePage(tlb, page);
}

/**
 * unmap_vmas(): zaps [start, end) of `vma` and of the areas linked behind it.
 *
 * *Context*: mmap_sem for write or the last user of the mm; or, with `details`, i_mmap_lock. Lets others run every
 * {@link ZAP_BLOCK_PAGES} pages, unless a lock forbids it; with `details.iMmapLock` it returns there instead.
 * *Returns* the page up to which it came: `end`, or a place to go on from.
 * *Source*: unmap_vmas(), mm/memory.c, 2.6.27. *Differs*: counts table entries, empty or not, as work.
 */
export function* unmapVmas(
  tlb: MmuGather,
  vma: Ptr<VmAreaStruct> | Null,
  start: number,
  end: number,
  details: ZapDetails | null = null,
): Op<number> {
  yield* mmuNotifierInvalidateRangeStart(tlb.mm, start, end);
  const reached = yield* zapAreas(tlb, vma, start, end, details);
  yield* mmuNotifierInvalidateRangeEnd(tlb.mm, start, end);
  return reached;
}

function* zapAreas(
  tlb: MmuGather,
  vma: Ptr<VmAreaStruct> | Null,
  start: number,
  end: number,
  details: ZapDetails | null,
): Op<number> {
  let work = 0;
  for (let at = vma; at !== NULL; at = yield* load(VmAreaStruct.vmNext(at))) {
    const from = Math.max(start, yield* load(VmAreaStruct.vmStart(at)));
    const to = Math.min(end, yield* load(VmAreaStruct.vmEnd(at)));
    if (from >= end) break;
    const area = at;
    for (let address = from; address < to; ) {
      const range: PteRange | Null = yield* nextPteRange(tlb.mm, address, to, (huge, pmd, whole) =>
        zapWhole(tlb, area, huge, pmd, whole),
      );
      if (range === NULL) break;
      yield* zapPteRange(tlb, at, range, details);
      address = range.end;
      work += range.end - range.address;
      if (work < ZAP_BLOCK_PAGES || address >= to) continue;
      if (details !== null && details.iMmapLock !== NULL) return address;
      if (details === null) yield* condResched();
      work = 0;
    }
  }
  return end;
}

function* zapWhole(tlb: MmuGather, vma: Ptr<VmAreaStruct>, at: number, pmd: Ref<Pte>, whole: boolean): Op<boolean> {
  return whole && (yield* hugePmdOps().zapHugePmd(tlb, vma, at, pmd));
}

/**
 * zap_page_range(): removes the user pages of [start, end), which lies in one area.
 *
 * *Context*: mmap_sem, read is enough (madvise), or i_mmap_lock (truncation).
 * *Returns* the page up to which it came, see {@link unmapVmas}.
 * *Source*: zap_page_range(), mm/memory.c, 2.6.27. *Differs*: takes an end, not a size.
 */
export function* zapPageRange(
  vma: Ptr<VmAreaStruct>,
  start: number,
  end: number,
  details: ZapDetails | null = null,
): Op<number> {
  const tlb = tlbGatherMmu(yield* load(VmAreaStruct.vmMm(vma)), false);
  const reached = yield* unmapVmas(tlb, vma, start, end, details);
  yield* tlbFinishMmu(tlb);
  return reached;
}

/** Drops a lock for a moment so that who waits for it, or for the CPU, gets it. */
export function* breakLock(lock: Ref<SpinLock>): Op<void> {
  yield* spinUnlock(lock);
  yield* condResched();
  yield* spinLock(lock);
}
