// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { load, peek, spinLockIrq, spinUnlockIrq, store } from '@lockless/cpu';
import {
  globalPageState,
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  lruStat,
  nrFreePages,
  Zone,
  zone,
} from '@lockless/page';
import { swappiness } from './config.js';
import { freeSwapPlaces } from './swap-map.js';

const ANON = 0;
const FILE = 1;

/** Of what is due to be scanned, so many percent of the anonymous lists and so many of the file lists. */
export interface ScanRatio {
  readonly anon: number;
  readonly file: number;
}

const FILE_ONLY: ScanRatio = { anon: 0, file: 100 };
const ANON_ONLY: ScanRatio = { anon: 100, file: 0 };

/** Pages of both lists of a kind. */
export function* lruPages(inactive: number, active: number): Op<number> {
  return (yield* globalPageState(lruStat(inactive))) + (yield* globalPageState(lruStat(active)));
}

/**
 * get_scan_ratio(): how hard each kind of page is scanned.
 *
 * The pressure on a kind is its priority (swappiness, and what is left of 200), times how many scanned pages of the kind were *not* in use:
 * scanning what is in use costs and frees nothing. Without a free place in a swap area anonymous pages are not scanned; when there are
 * hardly any file pages left, they alone are.
 *
 * *Context*: interrupts on. *Source*: `get_scan_ratio`, mm/vmscan.c, 2.6.28, where the lists were split. (2.6.27 has one list, and swappiness decides
 * from which share of mapped pages on reclaim begins to unmap.)
 */
export function* getScanRatio(): Op<ScanRatio> {
  if ((yield* freeSwapPlaces()) <= 0) return FILE_ONLY;
  const anon = yield* lruPages(LRU_INACTIVE_ANON, LRU_ACTIVE_ANON);
  const file = yield* lruPages(LRU_INACTIVE_FILE, LRU_ACTIVE_FILE);
  if (file + (yield* nrFreePages()) <= peek(Zone.pagesHigh(zone))) return ANON_ONLY;
  yield* forget(ANON, anon);
  yield* forget(FILE, file);
  const anonPressure = (swappiness() + 1) * (yield* unusedShare(ANON));
  const filePressure = (200 - swappiness() + 1) * (yield* unusedShare(FILE));
  const percent = Math.floor((100 * anonPressure) / (anonPressure + filePressure));
  return { anon: percent, file: 100 - percent };
}

/** What was long ago counts less. */
function* forget(kind: number, pages: number): Op<void> {
  const scanned = Zone.recentScanned(zone, kind);
  if ((yield* load(scanned)) <= pages / 4) return;
  const rotated = Zone.recentRotated(zone, kind);
  yield* spinLockIrq(Zone.lruLock(zone));
  yield* store(scanned, (yield* load(scanned)) >> 1);
  yield* store(rotated, (yield* load(rotated)) >> 1);
  yield* spinUnlockIrq(Zone.lruLock(zone));
}

/** Pages scanned for each that was in use. */
function* unusedShare(kind: number): Op<number> {
  return ((yield* load(Zone.recentScanned(zone, kind))) + 1) / ((yield* load(Zone.recentRotated(zone, kind))) + 1);
}

/** inactive_anon_is_low(): more anonymous pages are active than not. Up to 1 GiB of memory. *Source*: mm/vmscan.c, 2.6.28. */
export function* inactiveAnonIsLow(): Op<boolean> {
  const active = yield* globalPageState(lruStat(LRU_ACTIVE_ANON));
  return active > (yield* globalPageState(lruStat(LRU_INACTIVE_ANON)));
}
