// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Null, Op, Ptr, Ref, SpinLock, StructOf } from '@lockless/cpu';
import {
  atomicDec,
  atomicInc,
  atomicRead,
  atomicSet,
  bugOn,
  defineStatic,
  defineWord,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  NULL,
  peek,
  poke,
  rcuAssignPointer,
  rcuDereference,
  store,
  struct,
} from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { ResCounter, resCounterInit, resCounterSetLimit } from './res-counter.js';

/**
 * struct mem_cgroup: processes whose memory is counted together. *Differs*: one list of pages, where 2.6.27 has two for each zone, of active and
 * inactive pages.
 */
export interface MemCgroup {
  res: Embed<ResCounter>;
  /** css.refcnt: one for each page that is charged, and for who is about to charge one. */
  css: number;
  /** Protects `lru`. Nests inside the page's page_cgroup lock and zone->lru_lock. */
  lruLock: SpinLock;
  /** page_cgroups, the latest first. */
  lru: Embed<ListHead>;
}
export const MemCgroup: StructOf<MemCgroup> = struct<MemCgroup>('mem_cgroup', {
  res: ResCounter,
  css: 1,
  lruLock: 1,
  lru: ListHead,
});
const memCgroupCachep: KmemCache<MemCgroup> = kmemCacheCreate(MemCgroup);

/** init_mem_cgroup: of processes that nobody has put elsewhere. */
export const rootMemCgroup: Ptr<MemCgroup> = defineStatic(MemCgroup, 'init_mem_cgroup');

/** Frees pages of a group. *Returns* how many. */
export type TryToFreeMemCgroupPages = (mem: Ptr<MemCgroup>, gfp: number) => Op<number>;
const tryToFree: Ref<FunctionPointer<TryToFreeMemCgroupPages>> = defineWord('try_to_free_mem_cgroup_pages');
/** Who reclaims. *Context*: boot. */
export const setMemCgroupReclaim = (reclaim: FunctionPointer<TryToFreeMemCgroupPages>): void =>
  poke(tryToFree, reclaim);
/** 0: nobody. */
export const memCgroupReclaim = (): FunctionPointer<TryToFreeMemCgroupPages> => peek(tryToFree);

const inUse: Ref<number> = defineWord('mem_cgroup_subsys');
/** Whether pages are charged: !mem_cgroup_subsys.disabled. Constant after boot. */
export const memCgroupInUse = (): boolean => peek(inUse) !== 0;

function* memCgroupInit(mem: Ptr<MemCgroup>): Op<void> {
  yield* resCounterInit(MemCgroup.res(mem));
  yield* atomicSet(MemCgroup.css(mem), 0);
  yield* store(MemCgroup.lruLock(mem), 0 as SpinLock);
  yield* initListHead(MemCgroup.lru(mem));
}

/** From now on pages are charged. *Context*: boot, before the first page is in use. */
export function* memCgroupBoot(): Op<void> {
  yield* memCgroupInit(rootMemCgroup);
  poke(inUse, 1);
}

/** mem_cgroup_create(): a group without processes. *Returns* NULL when memory is short. *Source*: mm/memcontrol.c, 2.6.27. */
export function* memCgroupCreate(limit: number): Op<Ptr<MemCgroup> | Null> {
  const mem = yield* kmemCacheAlloc(memCgroupCachep, GFP_KERNEL);
  if (mem === NULL) return NULL;
  yield* memCgroupInit(mem);
  yield* resCounterSetLimit(MemCgroup.res(mem), limit);
  return mem;
}

/**
 * mem_cgroup_destroy(). *Context*: may sleep; no process is in the group, no page charged to it.
 * A charge may have found the group just before: it is over after a grace period, or holds a reference.
 */
export function* memCgroupDestroy(mem: Ptr<MemCgroup>): Op<void> {
  yield* synchronizeRcu();
  bugOn((yield* atomicRead(MemCgroup.css(mem))) !== 0, 'mem_cgroup_destroy: in use');
  yield* kmemCacheFree(memCgroupCachep, mem);
}

const groupOf = (mm: Ptr<MmStruct>): Ref<Ptr<MemCgroup> | Null> =>
  MmStruct.memCgroup(mm) as number as Ref<Ptr<MemCgroup> | Null>;

/**
 * A process comes into a group: from now on its pages are charged to that; those that are charged stay, until they are moved.
 * *Source*: mem_cgroup_move_task(), 2.6.25. *Differs*: mm->mem_cgroup as there; since 2.6.26 it is found through mm->owner.
 */
export const memCgroupAttach = (mm: Ptr<MmStruct>, mem: Ptr<MemCgroup>): Op<void> =>
  (function* () {
    yield* rcuAssignPointer(groupOf(mm), mem);
  })();

/** The group of an address space, with a reference to it; without an address space, the root. */
export function* getMemCgroupOf(mm: Ptr<MmStruct> | Null): Op<Ptr<MemCgroup>> {
  yield* rcuReadLock();
  const own = mm === NULL ? NULL : yield* rcuDereference(groupOf(mm));
  const mem = own === NULL ? rootMemCgroup : own;
  yield* atomicInc(MemCgroup.css(mem));
  yield* rcuReadUnlock();
  return mem;
}

/** css_put(). */
export function* putMemCgroup(mem: Ptr<MemCgroup>): Op<void> {
  yield* atomicDec(MemCgroup.css(mem));
}
