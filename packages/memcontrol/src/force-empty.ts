// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  condResched,
  containerOf,
  defineGuard,
  ListHead,
  load,
  NULL,
  spinLockIrqsave,
  spinUnlockIrqrestore,
} from '@lockless/cpu';
import { EBUSY, type Page } from '@lockless/mm-types';
import { getPage, getPageUnlessZeroExempt, lruAddDrain, pageLru, putPage } from '@lockless/page';
import { always, unchargeCommon } from './charge.js';
import { MemCgroup } from './mem-cgroup.js';
import { PageCgroup } from './page-cgroup.js';
import { resCounterUsage } from './res-counter.js';

/*
 * mem_cgroup_force_empty(): nobody is in a group any more, but pages are charged to it. Their charges end; the pages stay.
 *
 * Of the pages on its list one thing is known while lru_lock is held: they are charged, so their charge has not ended. That does not mean that
 * somebody has a reference: who reclaims a page freezes its count before he ends its charge. So the reference is taken unless there is none.
 * 2.6.27, and the series of 2011 for the form of 3.1 ("avoid calling get_page_unless_zero() when charging cgroups", patch 2 of 9), take it with
 * get_page(), which finds a count of 0 (scenario force-empty-vs-reclaim).
 */

const unlessZero = defineGuard(
  'memCgroupForceEmptyList.unlessZero',
  'the pages of a group are given references with get_page() under its lru_lock (2.6.27, and patch 2 of 9, 2011)',
);

/** Passes over the list without end of a charge after which somebody must be in the way. */
const PATIENCE = 100;

/** A reference to the page that was charged first. *Returns* NULL: no page is left; false: it has no reference at the moment. */
function* firstPage(mem: Ptr<MemCgroup>): Op<Ptr<Page> | Null | false> {
  const flags = yield* spinLockIrqsave(MemCgroup.lruLock(mem));
  const entry = yield* load(ListHead.prev(MemCgroup.lru(mem)));
  let page: Ptr<Page> | Null | false = NULL;
  if (entry !== MemCgroup.lru(mem)) {
    page = yield* load(PageCgroup.page(containerOf(entry, PageCgroup, 'lru')));
    if (!unlessZero()) yield* getPage(page);
    else if (!(yield* getPageUnlessZeroExempt(page, 'memCgroupForceEmptyList'))) page = false;
  }
  yield* spinUnlockIrqrestore(MemCgroup.lruLock(mem), flags);
  return page;
}

/** *Returns* whether a charge ended, or none was left. *Source*: `mem_cgroup_force_empty_list`, mm/memcontrol.c, 2.6.27. */
export function* memCgroupForceEmptyList(mem: Ptr<MemCgroup>): Op<boolean> {
  const page = yield* firstPage(mem);
  if (page === NULL) return true;
  if (page === false) return false;
  // Not on the LRU: it migrates, say. Its charge is somebody's business.
  const settled = yield* pageLru(page);
  if (settled) yield* unchargeCommon(page, always);
  yield* putPage(page);
  return settled;
}

/**
 * mem_cgroup_force_empty(): ends the charges of a group. *Context*: may sleep; no process is in it, so no page is charged to it any more.
 * *Returns* 0, or -EBUSY. *Source*: mm/memcontrol.c, 2.6.27. *Differs*: gives up after a time.
 */
export function* memCgroupForceEmpty(mem: Ptr<MemCgroup>): Op<number> {
  for (let waited = 0; (yield* resCounterUsage(MemCgroup.res(mem))) > 0; ) {
    if (yield* memCgroupForceEmptyList(mem)) continue;
    if (++waited > PATIENCE) return -EBUSY;
    yield* lruAddDrain();
    yield* condResched();
  }
  return 0;
}
