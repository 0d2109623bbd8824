// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import {
  containerOf,
  functionPointer,
  ListHead,
  listDelEntry,
  listMove,
  load,
  spinLock,
  spinLockIrq,
  spinUnlock,
  spinUnlockIrq,
} from '@lockless/cpu';
import { MemCgroup, PageCgroup, setMemCgroupReclaim, type TryToFreeMemCgroupPages } from '@lockless/memcontrol';
import { Page } from '@lockless/mm-types';
import {
  clearPageActive,
  DEF_PRIORITY,
  lruAddDrain,
  lruOf,
  lruStat,
  modZonePageState,
  pageActive,
  Zone,
  zone,
} from '@lockless/page';
import { SWAP_CLUSTER_MAX, scanControl } from './scan-control.js';
import { beginIsolation, isolateLruPage, putbackLruPages } from './vmscan-isolate.js';
import { shrinkPageList } from './vmscan-page-list.js';
import { handleWriteErrors } from './vmscan-pageout.js';

/* Reclaim of one memory cgroup that has reached its limit: as that of the zone, over the group's own list of pages. */

const lruLock = Zone.lruLock(zone);

/**
 * mem_cgroup_isolate_pages(): takes up to `most` pages of a group off their LRU lists, those first that were charged first.
 * *Context*: interrupts on. *Returns* them, each with a reference.
 * *Source*: mm/memcontrol.c, 2.6.27. *Differs*: active pages too, which count as inactive from then on; the caller takes no second list.
 */
function* memCgroupIsolatePages(mem: Ptr<MemCgroup>, most: number): Op<Ptr<Page>[]> {
  const list = MemCgroup.lru(mem);
  const pages: Ptr<Page>[] = [];
  yield* spinLockIrq(lruLock);
  yield* spinLock(MemCgroup.lruLock(mem));
  for (let scanned = 0; scanned < most; scanned++) {
    const entry = yield* load(ListHead.prev(list));
    if (entry === list) break;
    // To the other end, so that the next scan begins with others.
    yield* listMove(entry, list);
    const page = yield* load(PageCgroup.page(containerOf(entry, PageCgroup, 'lru')));
    if (!pages.includes(page) && (yield* takeOffLru(page))) pages.push(page);
  }
  yield* spinUnlock(MemCgroup.lruLock(mem));
  if (pages.length > 0) yield* beginIsolation();
  yield* spinUnlockIrq(lruLock);
  return pages;
}

/** *Context*: lru_lock. */
function* takeOffLru(page: Ptr<Page>): Op<boolean> {
  const lru = yield* lruOf(page);
  if ((yield* isolateLruPage(page, yield* pageActive(page))) !== 0) return false;
  yield* listDelEntry(Page.lru(page));
  yield* modZonePageState(lruStat(lru), -1);
  yield* clearPageActive(page);
  return true;
}

/**
 * try_to_free_mem_cgroup_pages(): frees pages of a group, harder and harder. *Context*: may sleep. *Returns* how many.
 * *Source*: mm/vmscan.c, 2.6.27. *Differs*: one list, and no share of it by priority: a batch each time.
 */
function* tryToFreeMemCgroupPages(mem: Ptr<MemCgroup>, gfp: number): Op<number> {
  const sc = scanControl(gfp, 0, false);
  let freed = 0;
  yield* lruAddDrain();
  for (let priority = DEF_PRIORITY; priority >= 0 && freed === 0; priority--) {
    const pages = yield* memCgroupIsolatePages(mem, SWAP_CLUSTER_MAX);
    if (pages.length === 0) break;
    sc.waitForWriteback = priority < DEF_PRIORITY - 2;
    freed += yield* shrinkPageList(pages, sc, sc.waitForWriteback);
    yield* putbackLruPages(pages);
    yield* handleWriteErrors(sc);
  }
  return freed;
}

const RECLAIM: FunctionPointer<TryToFreeMemCgroupPages> = functionPointer<TryToFreeMemCgroupPages>(
  'try_to_free_mem_cgroup_pages',
  tryToFreeMemCgroupPages,
);

/** Boot. */
export const memCgroupReclaimInit = (): void => setMemCgroupReclaim(RECLAIM);
