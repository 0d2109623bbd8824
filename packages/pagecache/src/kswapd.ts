// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicXchg,
  condResched,
  current,
  defineStatic,
  defineWord,
  functionPointer,
  GFP_KERNEL,
  initWaitqueueHead,
  load,
  PF_KSWAPD,
  PF_MEMALLOC,
  peek,
  readOnce,
  smpLoadAcquire,
  smpStoreMb,
  smpStoreRelease,
  store,
  TaskStruct,
  WaitQueueHead,
  waitEvent,
  waitqueueActive,
  wakeUp,
  writeOnce,
} from '@lockless/cpu';
import {
  countVmEvent,
  DEF_PRIORITY,
  PAGEOUTRUN,
  setPageAllocHooks,
  type TryToFreePages,
  type WakeupKswapd,
  Zone,
  zone,
  zoneWatermarkOk,
} from '@lockless/page';
import { wakeupPdflush } from './pdflush.js';
import { SWAP_CLUSTER_MAX, scanControl } from './scan-control.js';
import { allUnreclaimable, shrinkZone, tryToFreePages } from './vmscan.js';
import { isolationInit } from './vmscan-isolate.js';

/*
 * The background half of reclaim, mm/vmscan.c, 2.6.27: woken when free memory falls below the low watermark, it reclaims until it is above
 * the high one, so that allocations seldom have to reclaim by themselves.
 */
const kswapdWait: Ptr<WaitQueueHead> = defineStatic(WaitQueueHead, 'kswapd_wait');
/** 0: nothing to do; else the largest order asked for, plus one. */
const kswapdMaxOrder: Ref<number> = defineWord('kswapd_max_order');
/** Not 0 while kswapd reclaims. */
const kswapdBusy: Ref<number> = defineWord('kswapd_busy');
/** Not 0 from when the task runs. */
const kswapdStarted: Ref<number> = defineWord('kswapd_started');

/**
 * Asks for background reclaim when memory is low. *Context*: any.
 * *Ordering*: the work is stored, full barrier, the queue looked at; kswapd queues itself, full barrier, looks for work. One sees the other.
 * *Source*: `wakeup_kswapd`, mm/vmscan.c, 2.6.27.
 */
export function* wakeupKswapd(order: number): Op<void> {
  if (yield* zoneWatermarkOk(order, peek(Zone.pagesLow(zone)))) return;
  if ((yield* readOnce(kswapdMaxOrder)) > order) return;
  yield* smpStoreMb(kswapdMaxOrder, order + 1);
  if (yield* waitqueueActive(kswapdWait)) yield* wakeUp(kswapdWait);
}

const memoryIsFine = (order: number): Op<boolean> => zoneWatermarkOk(order, peek(Zone.pagesHigh(zone)));

/** Descents without a page freed before kswapd gives up until it is woken again, as since 4.12. */
const MAX_RECLAIM_RETRIES = 16;

/**
 * Reclaims until free memory is above the high watermark, or until it is clear that there is nothing to reclaim. A large block that does
 * not come about is given up for single pages.
 * *Source*: `balance_pgdat`, mm/vmscan.c, 2.6.28. *Differs*: there kswapd goes on for ever when counters that lag say that pages are left.
 */
export function* balancePgdat(order: number): Op<void> {
  let failures = 0;
  while (failures < MAX_RECLAIM_RETRIES) {
    const result = yield* descend(order);
    if (result === 'done') return;
    if (result === 'no-progress') {
      order = 0;
      failures++;
    }
    yield* condResched();
  }
}

/** One descent through the priorities. */
function* descend(order: number): Op<'done' | 'progress' | 'no-progress'> {
  const sc = scanControl(GFP_KERNEL, order, true);
  let reclaimed = 0;
  yield* countVmEvent(PAGEOUTRUN);
  for (let priority = DEF_PRIORITY; priority >= 0; priority--) {
    if (yield* memoryIsFine(order)) return 'done';
    // At the first priority it looks all the same, so that kswapd notices when reclaim makes sense again.
    if (priority !== DEF_PRIORITY && (yield* allUnreclaimable())) return 'done';
    sc.waitForWriteback = priority < DEF_PRIORITY - 2;
    reclaimed += yield* shrinkZone(priority, sc);
    if (reclaimed >= SWAP_CLUSTER_MAX) return 'progress';
    if (sc.nrScanned > SWAP_CLUSTER_MAX * 2 && sc.nrScanned > reclaimed + reclaimed / 2) yield* wakeupPdflush();
  }
  return reclaimed > 0 ? 'progress' : 'no-progress';
}

/**
 * Body of the kswapd task; never returns. *Source*: `kswapd`, mm/vmscan.c, 2.6.27.
 */
export function* kswapd(): Op<void> {
  const flags = TaskStruct.flags(current());
  // It frees memory, so it may use the reserves; and an allocation of it must not start reclaim.
  yield* store(flags, (yield* load(flags)) | PF_MEMALLOC | PF_KSWAPD);
  yield* writeOnce(kswapdStarted, 1);
  for (;;) {
    yield* waitEvent(kswapdWait, function* () {
      return (yield* readOnce(kswapdMaxOrder)) !== 0;
    });
    yield* writeOnce(kswapdBusy, 1);
    const order = (yield* atomicXchg(kswapdMaxOrder, 0)) - 1;
    yield* balancePgdat(order);
    yield* smpStoreRelease(kswapdBusy, 0);
  }
}

/**
 * Waits until kswapd, if there is one, sleeps: from then on, if nobody allocates, reclaim changes nothing. For bringing a machine to rest; ours.
 * *Ordering*: kswapd is busy before it takes its work (the exchange is a full barrier), so who sees the work gone and then looks at busy
 * sees that; and who sees it not busy sees all it did (release).
 */
export function* waitForKswapd(): Op<void> {
  if ((yield* readOnce(kswapdStarted)) === 0) return;
  while ((yield* smpLoadAcquire(kswapdMaxOrder)) !== 0 || (yield* smpLoadAcquire(kswapdBusy)) !== 0)
    yield* condResched();
}

const TRY_TO_FREE_PAGES: FunctionPointer<TryToFreePages> = functionPointer<TryToFreePages>(
  'try_to_free_pages',
  tryToFreePages,
);
const WAKEUP_KSWAPD: FunctionPointer<WakeupKswapd> = functionPointer<WakeupKswapd>('wakeup_kswapd', wakeupKswapd);

/** Connects reclaim to the page allocator. Boot, after freeAreaInit(). */
export function* vmscanInit(): Op<void> {
  yield* initWaitqueueHead(kswapdWait);
  yield* isolationInit();
  setPageAllocHooks({ tryToFreePages: TRY_TO_FREE_PAGES, wakeupKswapd: WAKEUP_KSWAPD });
}
