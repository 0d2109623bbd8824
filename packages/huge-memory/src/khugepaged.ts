// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  condResched,
  containerOf,
  defineStatic,
  defineWord,
  downRead,
  initWaitqueueHead,
  ListHead,
  listDelEntry,
  load,
  NULL,
  peek,
  poke,
  readOnce,
  smpLoadAcquire,
  smpStoreRelease,
  spinLock,
  spinUnlock,
  store,
  upRead,
  WaitQueueHead,
  waitEvent,
  wakeUpAll,
  writeOnce,
} from '@lockless/cpu';
import { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { lruAddDrain } from '@lockless/page';
import { findVma } from '@lockless/rmap';
import { collapseHugePage, hugePagesAllowed, isExiting } from './collapse-huge-page.js';
import { type CollapseControl, hpageCollapseScanPmd } from './collapse-scan.js';
import { hpagePmdNr } from './config.js';
import { hugePageFits } from './huge-memory.js';
import {
  freeMmSlot,
  khugepagedMmLock,
  khugepagedSlotsInit,
  MmSlot,
  scanAddress,
  scanHead,
  scanSlot,
} from './khugepaged-slots.js';

/* khugepaged: goes round through all address spaces that may have huge pages, some pages at a time, and collapses what is worth it. */

/** khugepaged_pages_to_scan: eight huge pages on x86. An area counts as one page, and so does an address space. */
const PAGES_TO_SCAN = 4096;
const khugepagedWait: Ptr<WaitQueueHead> = defineStatic(WaitQueueHead, 'khugepaged_wait');
const started: Ref<number> = defineWord('khugepaged_started');
const work: Ref<number> = defineWord('khugepaged_work');
const stopping: Ref<number> = defineWord('khugepaged_should_stop');

/** hugepage_init(), its part for khugepaged: from now on address spaces join. Boot. */
export function* khugepagedInit(): Op<void> {
  yield* khugepagedSlotsInit();
  yield* initWaitqueueHead(khugepagedWait);
  poke(started, 1);
}

/** Whether there is a khugepaged. Constant after boot. */
export const khugepagedRuns = (): boolean => peek(started) !== 0;

/**
 * Time passes: khugepaged has slept enough.
 *
 * *Context*: the tick of one CPU. *Source*: schedule_timeout() in khugepaged_wait_work(), mm/huge_memory.c, 3.1. *Differs*: sleeps one tick, not the ten
 * seconds of khugepaged_scan_sleep_millisecs.
 */
export function* khugepagedTick(): Op<void> {
  yield* writeOnce(work, 1);
  yield* wakeUpAll(khugepagedWait);
}

/**
 * khugepaged(): body of the kernel thread. Ends when {@link stopKhugepaged} says so.
 *
 * *Source*: mm/huge_memory.c, 3.1; limits as in 6.x: khugepaged_max_ptes_none, _swap and _shared.
 */
export function* khugepaged(swapIn: CollapseControl['swapIn']): Op<void> {
  const nr = hpagePmdNr();
  const cc: CollapseControl = {
    isKhugepaged: true,
    maxPtesNone: nr - 1,
    maxPtesSwap: Math.floor(nr / 8),
    maxPtesShared: Math.floor(nr / 2),
    swapIn,
  };
  while ((yield* readOnce(stopping)) === 0) {
    yield* waitEvent(khugepagedWait, function* () {
      return (yield* readOnce(work)) !== 0 || (yield* readOnce(stopping)) !== 0;
    });
    yield* writeOnce(work, 0);
    yield* lruAddDrain();
    yield* khugepagedDoScan(cc);
  }
  yield* spinLock(khugepagedMmLock);
  const slot = yield* load(scanSlot);
  yield* store(scanSlot, NULL);
  const dead = slot !== NULL && (yield* takeDead(slot));
  yield* spinUnlock(khugepagedMmLock);
  if (dead) yield* freeMmSlot(slot);
  yield* smpStoreRelease(stopping, STOPPED);
}
const STOP = 1;
const STOPPED = 2;

/** kthread_stop(): khugepaged is done, and at no address space, when this returns. *Context*: may sleep. */
export function* stopKhugepaged(): Op<void> {
  if (!khugepagedRuns() || (yield* readOnce(stopping)) !== 0) return;
  yield* writeOnce(stopping, STOP);
  yield* wakeUpAll(khugepagedWait);
  while ((yield* smpLoadAcquire(stopping)) !== STOPPED) yield* condResched();
}

/** khugepaged_do_scan(): one portion. *Source*: mm/huge_memory.c, 3.1. */
function* khugepagedDoScan(cc: CollapseControl): Op<void> {
  let rounds = 0;
  for (let left = PAGES_TO_SCAN; left > 0 && rounds < 2; ) {
    yield* condResched();
    if ((yield* readOnce(stopping)) !== 0) return;
    yield* spinLock(khugepagedMmLock);
    if ((yield* load(scanSlot)) === NULL) rounds++;
    const first = yield* load(ListHead.next(scanHead));
    const slot = (yield* load(scanSlot)) || (first === scanHead ? NULL : containerOf(first, MmSlot, 'mmNode'));
    if ((yield* load(scanSlot)) === NULL) yield* store(scanAddress, 0);
    yield* store(scanSlot, slot);
    yield* spinUnlock(khugepagedMmLock);
    if (slot === NULL) return;
    left -= yield* khugepagedScanMmSlot(slot, left, cc);
  }
}

/**
 * khugepaged_scan_mm_slot(): so many pages of one address space, and then, if that was its last, on to the next one.
 *
 * *Context*: it is the slot's turn, so it is freed by nobody else. *Returns* how many it looked at.
 * *Source*: mm/huge_memory.c, 3.1.
 */
export function* khugepagedScanMmSlot(slot: Ptr<MmSlot>, pages: number, cc: CollapseControl): Op<number> {
  const mm = yield* load(MmSlot.mm(slot));
  let progress = 1;
  yield* downRead(MmStruct.mmapSem(mm));
  let vma: Ptr<VmAreaStruct> | Null = (yield* isExiting(mm)) ? NULL : yield* findVma(mm, yield* load(scanAddress));
  let held = true;
  while (vma !== NULL && held && progress < pages) {
    const room = yield* nextRoom(vma, yield* load(scanAddress));
    if (room === NULL || (yield* isExiting(mm))) {
      progress++;
      vma = (yield* isExiting(mm)) ? NULL : yield* load(VmAreaStruct.vmNext(vma));
      continue;
    }
    progress += hpagePmdNr();
    yield* store(scanAddress, room - 1 + hpagePmdNr());
    const { result, unmapped } = yield* hpageCollapseScanPmd(mm, room - 1, cc);
    held = result !== 'succeed';
    if (!held) yield* collapseHugePage(mm, room - 1, unmapped, cc);
  }
  if (held) yield* upRead(MmStruct.mmapSem(mm));
  yield* leaveSlot(slot, vma === NULL);
  return progress;
}

/** The first room for a huge page of the area, at or behind an address, plus one; NULL: none. *Context*: mmap_sem. */
function* nextRoom(vma: Ptr<VmAreaStruct>, address: number): Op<number> {
  const nr = hpagePmdNr();
  const room = Math.ceil(Math.max(address, yield* load(VmAreaStruct.vmStart(vma))) / nr) * nr;
  const fits = (yield* hugePagesAllowed(vma)) && (yield* hugePageFits(vma, room));
  return fits ? room + 1 : NULL;
}

/** The end of khugepaged_scan_mm_slot(): the next one's turn when all of this was looked through, or it is going away; collect_mm_slot(). */
function* leaveSlot(slot: Ptr<MmSlot>, through: boolean): Op<void> {
  const mm = yield* load(MmSlot.mm(slot));
  yield* spinLock(khugepagedMmLock);
  let dead = false;
  if (through || (yield* isExiting(mm))) {
    const next = yield* load(ListHead.next(MmSlot.mmNode(slot)));
    yield* store(scanSlot, next === scanHead ? NULL : containerOf(next, MmSlot, 'mmNode'));
    yield* store(scanAddress, 0);
    dead = yield* takeDead(slot);
  }
  yield* spinUnlock(khugepagedMmLock);
  if (dead) yield* freeMmSlot(slot);
}

/** Off the list, if its last user is gone: he has left that to us. *Context*: khugepaged_mm_lock. */
function* takeDead(slot: Ptr<MmSlot>): Op<boolean> {
  if (!(yield* isExiting(yield* load(MmSlot.mm(slot))))) return false;
  yield* listDelEntry(MmSlot.mmNode(slot));
  return true;
}
