// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, SpinLock, StructOf } from '@lockless/cpu';
import {
  bootReserve,
  bugOn,
  defineStatic,
  defineWord,
  load,
  NULL,
  poke,
  spinLock,
  spinUnlock,
  store,
  struct,
} from '@lockless/cpu';
import type { SwpEntry } from '@lockless/rmap';
import { isMigrationEntry, MAX_SWAPFILES, swpEntry, swpOffset, swpType } from '@lockless/rmap';

/*
 * The part of mm/swapfile.c, 2.6.27, that counts users of places in swap areas: one for each page-table entry that names the place, and one for
 * the swap cache. At 0 the place is free. All under swap_lock, which is taken inside the page lock and outside swapper_space.tree_lock.
 */

/** struct swap_info_struct: one area. */
interface SwapInfo {
  /** Places, the header included; 0: no such area. */
  max: number;
  inusePages: number;
  /** swap_map: a word for each place. */
  swapMap: Ref<number>;
}
const SwapInfo: StructOf<SwapInfo> = struct<SwapInfo>('swap_info', { max: 1, inusePages: 1, swapMap: 1 });
const areas: readonly Ptr<SwapInfo>[] = Array.from({ length: MAX_SWAPFILES }, (_, type) =>
  defineStatic(SwapInfo, `swap_info[${type}]`),
);
const swapLockWord: Ref<SpinLock> = defineWord('swap_lock');
const nrSwapPages: Ref<number> = defineWord('nr_swap_pages');
const totalSwapPages: Ref<number> = defineWord('total_swap_pages');

/** More users than this are not counted, and the place is never freed: SWAP_MAP_MAX. */
const SWAP_MAP_MAX = 0x7fff;

/** Adds an area of so many places. Boot. *Source*: `sys_swapon`, mm/swapfile.c, 2.6.27. *Differs*: no file behind it. */
export function* swapAreaInit(type: number, places: number): Op<void> {
  const area = areas[type];
  const map = bootReserve(places + 1) as Ref<number>;
  poke(SwapInfo.swapMap(area), map);
  poke(SwapInfo.max(area), places + 1);
  yield* store(nrSwapPages, (yield* load(nrSwapPages)) + places);
  yield* store(totalSwapPages, (yield* load(totalSwapPages)) + places);
}

export const lockSwap = (): Op<void> => spinLock(swapLockWord);
export const unlockSwap = (): Op<void> => spinUnlock(swapLockWord);

function* countRef(entry: SwpEntry): Op<Ref<number>> {
  const area = areas[swpType(entry)];
  bugOn(area === undefined || swpOffset(entry) >= (yield* load(SwapInfo.max(area))), 'bad swap entry');
  return ((yield* load(SwapInfo.swapMap(area))) + swpOffset(entry)) as Ref<number>;
}

/** Users of a place. *Context*: swap_lock. */
export function* swapUsers(entry: SwpEntry): Op<number> {
  return yield* load(yield* countRef(entry));
}

/** The first free place of an area, or 0. *Context*: swap_lock. */
function* scanSwapMap(type: number): Op<SwpEntry | 0> {
  const max = yield* load(SwapInfo.max(areas[type]));
  for (let offset = 1; offset < max; offset++) {
    const entry = swpEntry(type, offset);
    if ((yield* swapUsers(entry)) === 0) return entry;
  }
  return NULL;
}

/**
 * get_swap_page(): a free place, with one user, who is to be the swap cache. *Returns* 0 when there is none.
 * *Source*: mm/swapfile.c, 2.6.27. *Differs*: takes the first place, where the kernel looks for clusters; areas have no priorities.
 */
export function* getSwapPage(): Op<SwpEntry | 0> {
  yield* lockSwap();
  let found: SwpEntry | 0 = NULL;
  for (let type = 0; type < MAX_SWAPFILES && found === NULL; type++) {
    if ((yield* load(SwapInfo.max(areas[type]))) === 0) break;
    found = yield* scanSwapMap(type);
  }
  if (found !== NULL) {
    yield* store(yield* countRef(found), 1);
    yield* changeInUse(found, 1);
  }
  yield* unlockSwap();
  return found;
}

function* changeInUse(entry: SwpEntry, delta: number): Op<void> {
  const inUse = SwapInfo.inusePages(areas[swpType(entry)]);
  yield* store(inUse, (yield* load(inUse)) + delta);
  yield* store(nrSwapPages, (yield* load(nrSwapPages)) - delta);
}

/** swap_entry_free(): one user less. *Context*: swap_lock. *Returns* how many are left. BUG when there was none. */
export function* swapEntryFree(entry: SwpEntry): Op<number> {
  const count = yield* countRef(entry);
  const users = yield* load(count);
  bugOn(users === 0, 'swap_free of a place that is free');
  if (users >= SWAP_MAP_MAX) return users;
  yield* store(count, users - 1);
  if (users === 1) yield* changeInUse(entry, -1);
  return users - 1;
}

/** swap_free(): one user less; the last frees the place. *Source*: mm/swapfile.c, 2.6.27. */
export function* swapFree(entry: SwpEntry): Op<void> {
  yield* lockSwap();
  yield* swapEntryFree(entry);
  yield* unlockSwap();
}

/**
 * swap_duplicate(): one user more, of a place that has some. *Returns* false when the place is free, which a caller who does not hold what
 * names it must expect. A migration entry counts nothing. *Source*: mm/swapfile.c, 2.6.27.
 */
export function* swapDuplicate(entry: SwpEntry): Op<boolean> {
  if (isMigrationEntry(entry)) return true;
  yield* lockSwap();
  const count = yield* countRef(entry);
  const users = yield* load(count);
  if (users > 0 && users < SWAP_MAP_MAX) yield* store(count, users + 1);
  yield* unlockSwap();
  return users > 0;
}

/** vm_swap_full(): more than half of the places are in use: free those that only the cache uses. A hint. *Source*: include/linux/swap.h, 2.6.27. */
export function* vmSwapFull(): Op<boolean> {
  return (yield* load(nrSwapPages)) * 2 < (yield* load(totalSwapPages));
}
