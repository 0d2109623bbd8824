// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { condResched, load, readOnce, spinLockIrq, spinUnlockIrq, store, vmBugOn, writeOnce } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import {
  ALLOCSTALL,
  clearPageActive,
  countVmEvent,
  countVmEvents,
  DEF_PRIORITY,
  globalPageState,
  KSWAPD_STEAL,
  LRU_ACTIVE,
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  lruAddDrain,
  lruStat,
  PAGE_ALLOC_COSTLY_ORDER,
  PGDEACTIVATE,
  PGREFILL,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSTEAL,
  pageActive,
  Zone,
  zone,
} from '@lockless/page';
import { pageReferenced } from '@lockless/rmap';
import { wakeupPdflush } from './pdflush.js';
import { mayEnterFs, type ScanControl, SWAP_CLUSTER_MAX, scanControl } from './scan-control.js';
import { getScanRatio, inactiveAnonIsLow, lruPages } from './scan-ratio.js';
import { freeSwapPlaces } from './swap-map.js';
import {
  countRotated,
  isolateLruPages,
  isolationEnds,
  type Lumpy,
  putbackLruPages,
  waitForIsolation,
} from './vmscan-isolate.js';
import { pageMappingInuse, shrinkPageList } from './vmscan-page-list.js';
import { handleWriteErrors } from './vmscan-pageout.js';

/*
 * Page reclaim, mm/vmscan.c. 2.6.27, with the split of the LRU lists into anonymous and file pages of 2.6.28 (4f98a2fee8).
 *
 * How much is scanned: priority p, from 12 down to 0, looks at 1/2^p of each list, in batches of 32 pages; what is less than a batch
 * is remembered. The active list is scanned in the same proportion as the inactive one, so a page needs two unused passes to go. How much of
 * that for anonymous pages and how much for those of files: scan-ratio.ts; without swap only those of files.
 * When a block of several pages is wanted, each page is taken with its neighbours (lumpy reclaim).
 * *Differs*: there is no slab to shrink, and one zone.
 */

/**
 * Frees pages from the tail of the inactive list. *Context*: may sleep. *Returns* pages freed.
 * *Source*: `shrink_inactive_list`, mm/vmscan.c, 2.6.27. *Differs*: where the kernel sleeps for a time (congestion_wait), this makes a second
 * pass over what is left and waits for its writeback, as the kernel does for large blocks: the wait ends when there is a reason. And
 * at the end of the list it stops, where the kernel scans again what it has just put back.
 */
export function* shrinkInactiveList(maxScan: number, sc: ScanControl, lru: number = LRU_INACTIVE_FILE): Op<number> {
  yield* lruAddDrain();
  let reclaimed = 0;
  let scanned = 0;
  do {
    const batch = yield* isolateLruPages(SWAP_CLUSTER_MAX, lru, lumpyFor(sc));
    const { pages } = batch;
    if (sc.order > 0) yield* clearActiveFlags(pages);
    const isolated = pages.length;
    scanned += batch.scanned;
    let freed = yield* shrinkPageList(pages, sc, false);
    if (pages.length > 0 && sc.waitForWriteback) {
      yield* clearActiveFlags(pages);
      freed += yield* shrinkPageList(pages, sc, true);
    }
    reclaimed += freed;
    yield* countVmEvents(sc.kswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, batch.scanned);
    if (sc.kswapd) yield* countVmEvents(KSWAPD_STEAL, freed);
    yield* countVmEvents(PGSTEAL, freed);
    if (isolated > 0) yield* putbackLruPages(pages);
    yield* handleWriteErrors(sc);
    if (batch.scanned < SWAP_CLUSTER_MAX) break;
  } while (scanned < maxScan);
  return reclaimed;
}

/** For a large block, neighbours are taken along: used ones too if it is very large, or when nothing else helps. *Source*: mm/vmscan.c, 2.6.27. */
const lumpyFor = ({ order, waitForWriteback }: ScanControl): Lumpy => ({
  order,
  both: order > PAGE_ALLOC_COSTLY_ORDER || (order > 0 && waitForWriteback),
});

/** clear_active_flags(): what the first pass marked active is looked at afresh by the second, which may free it. */
function* clearActiveFlags(pages: readonly Ptr<Page>[]): Op<void> {
  let deactivated = 0;
  for (const page of pages) {
    if (!(yield* pageActive(page))) continue;
    yield* clearPageActive(page);
    deactivated++;
  }
  yield* countVmEvents(PGDEACTIVATE, deactivated);
}

/**
 * Moves pages from the tail of the active to the inactive list, where they must be used again to stay: their marks of use are cleared.
 * *Context*: may sleep. *Source*: `shrink_active_list`, mm/vmscan.c, 2.6.28.
 */
export function* shrinkActiveList(nrToScan: number, lru: number = LRU_ACTIVE_FILE): Op<void> {
  yield* lruAddDrain();
  const { pages, scanned } = yield* isolateLruPages(nrToScan, lru);
  yield* countVmEvents(PGREFILL, scanned);
  if (pages.length === 0) return;
  let used = 0;
  for (const page of pages) {
    yield* condResched();
    if ((yield* pageMappingInuse(page)) && (yield* pageReferenced(page, false)) > 0) used++;
  }
  yield* spinLockIrq(Zone.lruLock(zone));
  yield* countRotated(lru, used);
  yield* spinUnlockIrq(Zone.lruLock(zone));
  for (const page of pages) {
    vmBugOn(!(yield* pageActive(page)), 'page of the active list is not active');
    // Nobody but us: lru_lock protects the flag of pages that have PG_lru, and this one has not.
    yield* clearPageActive(page);
  }
  yield* countVmEvents(PGDEACTIVATE, pages.length);
  yield* putbackLruPages(pages);
}

/** How much of a list is due at this priority; less than a batch waits for the next time, but not when nothing else is left to try. */
function* dueScan(lru: number, priority: number, percent: number): Op<number> {
  if (percent === 0) return 0;
  const nrScan = Zone.nrScan(zone, lru);
  const share = (yield* globalPageState(lruStat(lru))) >> priority;
  const due = (yield* load(nrScan)) + (priority > 0 ? Math.floor((share * percent) / 100) : share) + 1;
  const enough = due >= SWAP_CLUSTER_MAX || priority === 0;
  yield* store(nrScan, enough ? 0 : due);
  return enough ? due : 0;
}

/** A list, and how much of it is due. */
interface Due {
  readonly lru: number;
  left: number;
}

/**
 * Scans the lists as much as the priority demands. *Context*: may sleep. *Returns* pages freed.
 * *Source*: `shrink_zone`, mm/vmscan.c, 2.6.28.
 */
export function* shrinkZone(priority: number, sc: ScanControl): Op<number> {
  const { anon, file } = yield* getScanRatio();
  const dues: Due[] = [];
  for (const lru of [LRU_ACTIVE_ANON, LRU_INACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_FILE])
    dues.push({ lru, left: yield* dueScan(lru, priority, (lru & LRU_FILE) !== 0 ? file : anon) });
  let reclaimed = 0;
  while (dues.some(({ left }) => left > 0)) {
    for (const due of dues) {
      if (due.left <= 0) continue;
      reclaimed += yield* shrinkList(due.lru, Math.min(due.left, SWAP_CLUSTER_MAX), sc);
      due.left -= SWAP_CLUSTER_MAX;
    }
  }
  // Inactive anonymous pages are a stock for when they are needed at once.
  if (anon > 0 && (yield* inactiveAnonIsLow())) yield* shrinkActiveList(SWAP_CLUSTER_MAX, LRU_ACTIVE_ANON);
  return reclaimed;
}

/** shrink_list(). *Source*: mm/vmscan.c, 2.6.28. */
function* shrinkList(lru: number, nrToScan: number, sc: ScanControl): Op<number> {
  if ((lru & LRU_ACTIVE) === 0) return yield* shrinkInactiveList(nrToScan, sc, lru);
  if (lru === LRU_ACTIVE_FILE || (yield* inactiveAnonIsLow())) yield* shrinkActiveList(nrToScan, lru);
  return 0;
}

/**
 * Reclaims on behalf of an allocation, harder and harder, until a batch is free. *Context*: may sleep; PF_MEMALLOC set.
 * *Returns* pages freed; 0 when there was nothing that could be.
 * *Source*: `try_to_free_pages`, `do_try_to_free_pages`, mm/vmscan.c, 2.6.27.
 */
export function* tryToFreePages(order: number, gfp: number): Op<number> {
  yield* countVmEvent(ALLOCSTALL);
  const sc = scanControl(gfp, order, false);
  const endsBefore = yield* isolationEnds();
  let reclaimed = 0;
  let scanned = 0;
  let priority = DEF_PRIORITY;
  for (; priority >= 0; priority--) {
    sc.nrScanned = 0;
    sc.waitForWriteback = priority < DEF_PRIORITY - 2;
    reclaimed += yield* shrinkZone(priority, sc);
    scanned += sc.nrScanned;
    if (reclaimed >= SWAP_CLUSTER_MAX) break;
    // Scanning more than it frees: too much of the lists is dirty.
    if (scanned > SWAP_CLUSTER_MAX + SWAP_CLUSTER_MAX / 2) yield* wakeupPdflush();
  }
  yield* writeOnce(Zone.prevPriority(zone), Math.max(0, priority));
  // With the right to enter the file system the caller is not in the middle of a write that others wait for.
  if (reclaimed === 0 && mayEnterFs(sc)) yield* waitForIsolation(endsBefore);
  return reclaimed;
}

/** Pages that reclaim can look for. */
export function* reclaimablePages(): Op<number> {
  const file = yield* lruPages(LRU_ACTIVE_FILE, LRU_INACTIVE_FILE);
  return (yield* freeSwapPlaces()) > 0 ? file + (yield* lruPages(LRU_ACTIVE_ANON, LRU_INACTIVE_ANON)) : file;
}

/**
 * All pages were scanned six times and none was freed: not worth going on. *Source*: `zone_is_all_unreclaimable`, mm/vmscan.c, 2.6.27.
 */
export function* allUnreclaimable(): Op<boolean> {
  return (yield* readOnce(Zone.pagesScanned(zone))) >= (yield* reclaimablePages()) * 6;
}
