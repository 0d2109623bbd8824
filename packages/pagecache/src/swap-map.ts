// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, Ref, SpinLock, StructOf } from '@lockless/cpu';
import {
  bootReserve,
  bugOn,
  defineStatic,
  defineWord,
  load,
  NULL,
  peek,
  poke,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  struct,
} from '@lockless/cpu';
import { EBUSY, EINVAL } from '@lockless/mm-types';
import type { SwpEntry } from '@lockless/rmap';
import { MAX_SWAPFILES, nonSwapEntry, swpEntry, swpOffset, swpType } from '@lockless/rmap';

/*
 * The part of mm/swapfile.c, 2.6.27, that counts users of places in swap areas: one for each page-table entry that names the place, and one for
 * the swap cache. At 0 the place is free. All under swap_lock, which is taken inside the page lock and outside swapper_space.tree_lock.
 */

/** The area is in use; and places of it are given out. */
const SWP_USED = 1;
const SWP_WRITEOK = 2;

/** struct swap_info_struct: one area. */
interface SwapInfo {
  /** SWP_USED, SWP_WRITEOK. */
  flags: number;
  /** Places, the header included; 0: no such area. */
  max: number;
  inusePages: number;
  /** Where the search for a free place begins: behind the last that was given out, so that pages that go together lie together. */
  clusterNext: number;
  /** swap_map: a word for each place. */
  swapMap: Ref<number>;
}
const SwapInfo: StructOf<SwapInfo> = struct<SwapInfo>('swap_info', {
  flags: 1,
  max: 1,
  inusePages: 1,
  clusterNext: 1,
  swapMap: 1,
});
const areas: readonly Ptr<SwapInfo>[] = Array.from({ length: MAX_SWAPFILES }, (_, type) =>
  defineStatic(SwapInfo, `swap_info[${type}]`),
);
const swapLockWord: Ref<SpinLock> = defineWord('swap_lock');
const nrSwapPages: Ref<number> = defineWord('nr_swap_pages');
const totalSwapPages: Ref<number> = defineWord('total_swap_pages');

/** More users than this are not counted, and the place is never freed: SWAP_MAP_MAX. */
const SWAP_MAP_MAX = 0x7fff;

/** Makes an area of so many places, which {@link sysSwapon} puts into use. Boot. */
export function swapAreaMake(type: number, places: number): void {
  const area = areas[type];
  poke(SwapInfo.swapMap(area), bootReserve(places + 1) as Ref<number>);
  poke(SwapInfo.max(area), places + 1);
}

/** {@link swapAreaMake} and {@link sysSwapon}. Boot. */
export function* swapAreaInit(type: number, places: number): Op<void> {
  swapAreaMake(type, places);
  yield* sysSwapon(type);
}

/** Places of an area, the header not counted. Constant after boot. */
const placesOf = (type: number): number => peek(SwapInfo.max(areas[type])) - 1;

function* addPlaces(places: number): Op<void> {
  yield* store(nrSwapPages, (yield* load(nrSwapPages)) + places);
  yield* store(totalSwapPages, (yield* load(totalSwapPages)) + places);
}

/**
 * swapon(2): places of an area are given out from now on. *Returns* 0; -EINVAL: no such area; -EBUSY: in use already.
 * *Source*: `sys_swapon`, mm/swapfile.c, 2.6.27. *Differs*: areas exist from boot, and have no priorities.
 */
export function* sysSwapon(type: number): Op<number> {
  if (type < 0 || type >= MAX_SWAPFILES || placesOf(type) < 0) return -EINVAL;
  const flags = SwapInfo.flags(areas[type]);
  yield* lockSwap();
  const used = ((yield* load(flags)) & SWP_USED) !== 0;
  if (!used) {
    yield* store(flags, SWP_USED | SWP_WRITEOK);
    yield* store(SwapInfo.clusterNext(areas[type]), 1);
    yield* addPlaces(placesOf(type));
  }
  yield* unlockSwap();
  return used ? -EBUSY : 0;
}

/**
 * No place of an area is given out any more; and again. *Returns* 0, or -EINVAL: it is not in use, or somebody else is at it.
 * *Source*: the first part of `sys_swapoff`, and its end after an error, mm/swapfile.c, 2.6.27.
 */
export function* swapAreaClose(type: number): Op<number> {
  if (type < 0 || type >= MAX_SWAPFILES) return -EINVAL;
  const flags = SwapInfo.flags(areas[type]);
  yield* lockSwap();
  const open = ((yield* load(flags)) & SWP_WRITEOK) !== 0;
  if (open) {
    yield* store(flags, SWP_USED);
    yield* addPlaces(-placesOf(type));
  }
  yield* unlockSwap();
  return open ? 0 : -EINVAL;
}
export function* swapAreaReopen(type: number): Op<void> {
  yield* lockSwap();
  yield* store(SwapInfo.flags(areas[type]), SWP_USED | SWP_WRITEOK);
  yield* addPlaces(placesOf(type));
  yield* unlockSwap();
}

/** The area is out of use. *Context*: closed, and no place is in use: BUG otherwise. *Source*: the end of `sys_swapoff`, mm/swapfile.c, 2.6.27. */
export function* swapAreaRelease(type: number): Op<void> {
  yield* lockSwap();
  bugOn((yield* load(SwapInfo.inusePages(areas[type]))) !== 0, 'swapoff: places are in use');
  yield* store(SwapInfo.flags(areas[type]), 0);
  yield* unlockSwap();
}

export const lockSwap = (): Op<void> => spinLock(swapLockWord);
export const unlockSwap = (): Op<void> => spinUnlock(swapLockWord);

function* countRef(entry: SwpEntry): Op<Ref<number>> {
  const area = areas[swpType(entry)];
  bugOn(area === undefined || swpOffset(entry) >= (yield* load(SwapInfo.max(area))), 'bad swap entry');
  return ((yield* load(SwapInfo.swapMap(area))) + swpOffset(entry)) as Ref<number>;
}

/** Whether an entry names a place of an area that is in use. *Context*: swap_lock. */
function* isUsable(entry: SwpEntry): Op<boolean> {
  const area = areas[swpType(entry)];
  return ((yield* load(SwapInfo.flags(area))) & SWP_USED) !== 0 && swpOffset(entry) <= placesOf(swpType(entry));
}

/** Users of a place. *Context*: swap_lock. */
export function* swapUsers(entry: SwpEntry): Op<number> {
  return yield* load(yield* countRef(entry));
}

/** A free place of an area, or 0. *Context*: swap_lock. *Source*: `scan_swap_map`, mm/swapfile.c, 2.6.27. *Differs*: looks for no empty clusters. */
function* scanSwapMap(type: number): Op<SwpEntry | 0> {
  const places = placesOf(type);
  if ((yield* load(SwapInfo.inusePages(areas[type]))) >= places) return NULL;
  const clusterNext = SwapInfo.clusterNext(areas[type]);
  let offset = yield* load(clusterNext);
  for (let looked = 0; looked < places; looked++, offset++) {
    if (offset > places) offset = 1;
    const entry = swpEntry(type, offset);
    if ((yield* swapUsers(entry)) !== 0) continue;
    yield* store(clusterNext, offset + 1);
    return entry;
  }
  return NULL;
}

/**
 * get_swap_page(): a free place, with one user, who is to be the swap cache. *Returns* 0 when there is none.
 * *Source*: mm/swapfile.c, 2.6.27. *Differs*: areas have no priorities.
 */
export function* getSwapPage(): Op<SwpEntry | 0> {
  yield* lockSwap();
  let found: SwpEntry | 0 = NULL;
  for (let type = 0; type < MAX_SWAPFILES && placesOf(type) > 0 && found === NULL; type++) {
    if (((yield* load(SwapInfo.flags(areas[type]))) & SWP_WRITEOK) !== 0) found = yield* scanSwapMap(type);
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
  if (nonSwapEntry(entry)) return true;
  yield* lockSwap();
  // Who read the entry without a lock may come after swapoff.
  const usable = yield* isUsable(entry);
  const count = usable ? yield* countRef(entry) : NULL;
  const users = count === NULL ? 0 : yield* load(count);
  if (count !== NULL && users > 0 && users < SWAP_MAP_MAX) yield* store(count, users + 1);
  yield* unlockSwap();
  return users > 0;
}

/** nr_swap_pages: free places; not more than 0 when there are none. A hint. */
export const freeSwapPlaces = (): Access<number> => readOnce(nrSwapPages);

/** vm_swap_full(): more than half of the places are in use: free those that only the cache uses. A hint. *Source*: include/linux/swap.h, 2.6.27. */
export function* vmSwapFull(): Op<boolean> {
  return (yield* load(nrSwapPages)) * 2 < (yield* load(totalSwapPages));
}

/** Places of an area that one request reads. */
export interface SwapCluster {
  readonly first: number;
  readonly count: number;
}

/**
 * valid_swaphandles(): the places in use on both sides of one, without a gap, in the aligned block of 2^order around it: what is worth reading with
 * it. *Returns* a count of 0 when there is none but the place itself. *Source*: mm/swapfile.c, 2.6.27.
 */
export function* validSwaphandles(entry: SwpEntry, order: number): Op<SwapCluster> {
  const type = swpType(entry);
  const target = swpOffset(entry);
  const base = (target >> order) << order;
  const end = Math.min(base + (1 << order), placesOf(type) + 1);
  let first = target;
  let last = target;
  yield* lockSwap();
  if (yield* isUsable(entry)) {
    while (last + 1 < end && (yield* swapUsers(swpEntry(type, last + 1))) > 0) last++;
    while (first > Math.max(base, 1) && (yield* swapUsers(swpEntry(type, first - 1))) > 0) first--;
  }
  yield* unlockSwap();
  return { first, count: last > first ? last - first + 1 : 0 };
}

/** find_next_to_unuse(): the next place in use behind `offset`, from the start again after the end; 0: none. *Source*: mm/swapfile.c, 2.6.27. */
export function* findNextToUnuse(type: number, offset: number): Op<number> {
  const places = placesOf(type);
  for (let looked = 0, at = offset; looked < places; looked++) {
    at = at >= places ? 1 : at + 1;
    if ((yield* readOnce((yield* countRef(swpEntry(type, at))) as Ref<number>)) > 0) return at;
  }
  return 0;
}

/** One area as a tool sees it. */
export interface SwapAreaView {
  readonly type: number;
  readonly active: boolean;
  readonly places: number;
  /** Users of each place in use, by its entry. */
  readonly users: ReadonlyMap<SwpEntry, number>;
}

/** All areas, looked at from outside. */
export function swapAreas(): SwapAreaView[] {
  return areas.flatMap((area, type) => {
    const places = placesOf(type);
    if (places < 0) return [];
    const users = new Map<SwpEntry, number>();
    for (let offset = 1; offset <= places; offset++) {
      const count = peek((peek(SwapInfo.swapMap(area)) + offset) as Ref<number>);
      if (count > 0) users.set(swpEntry(type, offset), count);
    }
    return [{ type, active: (peek(SwapInfo.flags(area)) & SWP_USED) !== 0, places, users }];
  });
}

/** nr_swap_pages and total_swap_pages, looked at from outside. */
export const swapPlaces = (): { readonly free: number; readonly total: number } => ({
  free: peek(nrSwapPages),
  total: peek(totalSwapPages),
});
