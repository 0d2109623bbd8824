// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, KmemCache, Null, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  clearBitUnlock,
  cpuRelax,
  kmemCacheCreate,
  ListHead,
  load,
  preemptDisable,
  preemptEnable,
  store,
  struct,
  testAndSetBitLock,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import type { MemCgroup } from './mem-cgroup.js';

/** struct page_cgroup: to whom a page is charged. There is one while it is. */
export interface PageCgroup {
  /** On the list of its group, under its lru_lock. */
  lru: Embed<ListHead>;
  page: Ptr<Page>;
  memCgroup: Ptr<MemCgroup>;
  /** PAGE_CGROUP_FLAG_* */
  flags: number;
}
export const PageCgroup: StructOf<PageCgroup> = struct<PageCgroup>('page_cgroup', {
  lru: ListHead,
  page: 1,
  memCgroup: 1,
  flags: 1,
});
export const pageCgroupCachep: KmemCache<PageCgroup> = kmemCacheCreate(PageCgroup);

/** Charged as a page of the page cache. */
export const PAGE_CGROUP_FLAG_CACHE = 1;

/* page->page_cgroup: the page_cgroup, and in its low bit the lock under which it changes. */
const LOCK_BIT = 0;
const LOCKED: number = 1 << LOCK_BIT;

/** lock_page_cgroup(). *Context*: any; nests outside the group's lru_lock. *Ordering*: acquire. *Source*: mm/memcontrol.c, 2.6.27. */
export function* lockPageCgroup(page: Ptr<Page>): Op<void> {
  preemptDisable();
  while (yield* testAndSetBitLock(LOCK_BIT, Page.pageCgroup(page))) yield* cpuRelax();
}

/** unlock_page_cgroup(). *Ordering*: release. */
export function* unlockPageCgroup(page: Ptr<Page>): Op<void> {
  yield* clearBitUnlock(LOCK_BIT, Page.pageCgroup(page));
  preemptEnable();
}

/** page_get_page_cgroup(). *Context*: {@link lockPageCgroup}. */
export function* pageGetPageCgroup(page: Ptr<Page>): Op<Ptr<PageCgroup> | Null> {
  return ((yield* load(Page.pageCgroup(page))) & ~LOCKED) as Ptr<PageCgroup> | Null;
}

/** page_assign_page_cgroup(). *Context*: {@link lockPageCgroup}. */
export function* pageAssignPageCgroup(page: Ptr<Page>, pc: Ptr<PageCgroup> | Null): Op<void> {
  yield* store(Page.pageCgroup(page), pc | LOCKED);
}
