// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  defineGuard,
  GFP_WAIT,
  kmemCacheAlloc,
  kmemCacheFree,
  listAdd,
  listDelEntry,
  load,
  NULL,
  pointedFunction,
  spinLockIrqsave,
  spinUnlockIrqrestore,
  store,
} from '@lockless/cpu';
import { ENOMEM, type MmStruct, Page } from '@lockless/mm-types';
import { pageAnon, pageMapped } from '@lockless/page';
import { getMemCgroupOf, MemCgroup, memCgroupInUse, memCgroupReclaim, putMemCgroup } from './mem-cgroup.js';
import {
  lockPageCgroup,
  PAGE_CGROUP_FLAG_CACHE,
  PageCgroup,
  pageAssignPageCgroup,
  pageCgroupCachep,
  pageGetPageCgroup,
  unlockPageCgroup,
} from './page-cgroup.js';
import { resCounterCharge, resCounterCheckUnderLimit, resCounterUncharge } from './res-counter.js';

/*
 * mm/memcontrol.c, 2.6.27: a page is charged to the group of the process that is the first to use it: in the page cache as long as it is there, in
 * anonymous memory as long as it is mapped. Who charges:
 *
 *   1. take a page_cgroup, and a reference to the group;
 *   2. count the page, within the limit; over it, free pages of the group, and try again;
 *   3. under the page's lock: if another task has charged it meanwhile, take 1 and 2 back; else it is ours, and on the list of the group.
 */

const recheck = defineGuard(
  'memCgroupChargeCommon.recheck',
  'a page is charged without a look whether another task has done so meanwhile',
);

const MEM_CGROUP_RECLAIM_RETRIES = 5;

/** Counts one page. *Returns* false when the group has no room, and none can be made. */
function* makeRoom(mem: Ptr<MemCgroup>, gfp: number): Op<boolean> {
  for (let retries = MEM_CGROUP_RECLAIM_RETRIES; (yield* resCounterCharge(MemCgroup.res(mem), 1)) !== 0; ) {
    const reclaim = memCgroupReclaim();
    if ((gfp & GFP_WAIT) === 0 || reclaim === 0) return false;
    if ((yield* pointedFunction(reclaim)(mem, gfp)) > 0) continue;
    // Reclaim may have waited for somebody else who made room.
    if (yield* resCounterCheckUnderLimit(MemCgroup.res(mem))) continue;
    if (retries-- === 0) return false;
  }
  return true;
}

/** *Source*: `mem_cgroup_charge_common`, mm/memcontrol.c, 2.6.27. *Differs*: over the limit nobody is killed, the charge fails. */
function* chargeCommon(page: Ptr<Page>, mm: Ptr<MmStruct> | Null, gfp: number, flags: number): Op<number> {
  const pc = yield* kmemCacheAlloc(pageCgroupCachep, gfp);
  if (pc === NULL) return -ENOMEM;
  const mem = yield* getMemCgroupOf(mm); // 1
  if (!(yield* makeRoom(mem, gfp))) {
    yield* putMemCgroup(mem);
    yield* kmemCacheFree(pageCgroupCachep, pc);
    return -ENOMEM;
  }
  yield* store(PageCgroup.page(pc), page);
  yield* store(PageCgroup.memCgroup(pc), mem);
  yield* store(PageCgroup.flags(pc), flags);
  yield* lockPageCgroup(page); // 3
  const taken = recheck() && (yield* pageGetPageCgroup(page)) !== NULL;
  if (!taken) {
    yield* pageAssignPageCgroup(page, pc);
    yield* addToGroup(mem, pc);
  }
  yield* unlockPageCgroup(page);
  if (taken) yield* release(mem, pc);
  return 0;
}

function* release(mem: Ptr<MemCgroup>, pc: Ptr<PageCgroup>): Op<void> {
  yield* resCounterUncharge(MemCgroup.res(mem), 1);
  yield* putMemCgroup(mem);
  yield* kmemCacheFree(pageCgroupCachep, pc);
}

/** __mem_cgroup_add_list(). *Context*: the page's page_cgroup lock. */
export function* addToGroup(mem: Ptr<MemCgroup>, pc: Ptr<PageCgroup>): Op<void> {
  const flags = yield* spinLockIrqsave(MemCgroup.lruLock(mem));
  yield* listAdd(PageCgroup.lru(pc), MemCgroup.lru(mem));
  yield* spinUnlockIrqrestore(MemCgroup.lruLock(mem), flags);
}

/** __mem_cgroup_remove_list(). *Context*: the page's page_cgroup lock. */
export function* removeFromGroup(mem: Ptr<MemCgroup>, pc: Ptr<PageCgroup>): Op<void> {
  const flags = yield* spinLockIrqsave(MemCgroup.lruLock(mem));
  yield* listDelEntry(PageCgroup.lru(pc));
  yield* spinUnlockIrqrestore(MemCgroup.lruLock(mem), flags);
}

/** Ends a charge, if `wanted` says so of the page_cgroup. *Source*: `__mem_cgroup_uncharge_common`, mm/memcontrol.c, 2.6.27. */
export function* unchargeCommon(page: Ptr<Page>, wanted: (flags: number) => Op<boolean>): Op<void> {
  yield* lockPageCgroup(page);
  const pc = yield* pageGetPageCgroup(page);
  const ends = pc !== NULL && (yield* wanted(yield* load(PageCgroup.flags(pc))));
  const mem = ends && pc !== NULL ? yield* load(PageCgroup.memCgroup(pc)) : NULL;
  if (mem !== NULL && pc !== NULL) {
    yield* removeFromGroup(mem, pc);
    yield* pageAssignPageCgroup(page, NULL);
  }
  yield* unlockPageCgroup(page);
  if (mem !== NULL && pc !== NULL) yield* release(mem, pc);
}

/**
 * mem_cgroup_charge(): of a page that is about to be mapped, to the group of `mm`. A page that is in a cache, or mapped already, is charged.
 * *Context*: may sleep; a reference. *Returns* 0, or -ENOMEM. *Source*: mm/memcontrol.c, 2.6.27.
 */
export function* memCgroupCharge(page: Ptr<Page>, mm: Ptr<MmStruct> | Null, gfp: number): Op<number> {
  if (!memCgroupInUse() || (yield* pageMapped(page))) return 0;
  if ((yield* load(Page.mapping(page))) !== 0 && !(yield* pageAnon(page))) return 0;
  return yield* chargeCommon(page, mm, gfp, 0);
}

/**
 * mem_cgroup_cache_charge(): of a page that is about to be in the page cache. *Context*: as `gfp` allows; a reference.
 * *Returns* 0, or -ENOMEM. *Source*: mm/memcontrol.c, 2.6.27.
 */
export function* memCgroupCacheCharge(page: Ptr<Page>, mm: Ptr<MmStruct> | Null, gfp: number): Op<number> {
  return memCgroupInUse() ? yield* chargeCommon(page, mm, gfp, PAGE_CGROUP_FLAG_CACHE) : 0;
}

/** mem_cgroup_uncharge_page(): of a page that may be mapped no more; one of a cache stays charged. *Context*: any. */
export function* memCgroupUnchargePage(page: Ptr<Page>): Op<void> {
  if (!memCgroupInUse()) return;
  yield* unchargeCommon(page, function* (flags) {
    return (flags & PAGE_CGROUP_FLAG_CACHE) === 0 && !(yield* pageMapped(page));
  });
}

/** mem_cgroup_uncharge_cache_page(): of a page that leaves the page cache. *Context*: any. */
export function* memCgroupUnchargeCachePage(page: Ptr<Page>): Op<void> {
  if (memCgroupInUse()) yield* unchargeCommon(page, always);
}

/** Whatever the page is. */
export function* always(): Op<boolean> {
  return true;
}
