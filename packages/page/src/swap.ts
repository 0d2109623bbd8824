// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  defineGuard,
  listMoveTail,
  localIrqRestore,
  localIrqSave,
  preemptDisable,
  preemptEnable,
  smpProcessorId,
  smpRmb,
  spinLockIrq,
  spinLockIrqsave,
  spinUnlockIrq,
  spinUnlockIrqrestore,
  vmBugOn,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { compoundPagesInUse, pageCompound } from './compound-page.js';
import { putCompoundPage } from './compound-put.js';
import {
  addPageToLruList,
  delPageFromLruList,
  LRU_ACTIVE,
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  lruList,
  lruOf,
  NR_LRU_LISTS,
  Zone,
  zone,
} from './mmzone.js';
import { freeHotColdPage } from './page-alloc.js';
import {
  clearPageReferenced,
  pageActive,
  pageDirty,
  pageLocked,
  pageLru,
  pageReferenced,
  setPageActive,
  setPageLru,
  setPageReferenced,
  setPageSwapBacked,
} from './page-flags.js';
import { pageCacheFree, takeOffLru } from './page-free.js';
import { getPage, getPageUnlessZero, putPageTestzero } from './page-ref.js';
import { lruAddPagevec, type Pagevec, pagevecAdd, pagevecTakeAll, rotatePagevec } from './pagevec.js';
import { deactivatePagevec, lruDeactivate } from './swap-deactivate.js';
import { countVmEvent, countVmEvents, PGACTIVATE, PGROTATED } from './vmstat.js';

const lruLock = Zone.lruLock(zone);

const staysOnCpu = defineGuard(
  'lruCacheAdd.preemptDisable',
  'a task can be preempted, or moved to another CPU, while it puts a page on the pagevec of its CPU',
);

const callerReference = defineGuard(
  'deactivatePage.callerReference',
  'deactivate_page takes its reference with get_page_unless_zero(), and is no RCU reader (3.1)',
);

/**
 * put_page(): gives a reference back and frees the page if it was the last. Any holder may be the last, a lookup's speculative
 * reference too, so each must use this and none may free by looking at the count. *Context*: any.
 * *Source*: mm/swap.c, 2.6.27.
 */
export function* putPage(page: Ptr<Page>): Op<void> {
  if (compoundPagesInUse()) {
    if (yield* pageCompound(page)) return yield* putCompoundPage(page);
    // What was a tail a moment ago got its count before it lost the flag. Only the assertion on the count needs this; Linux has it not.
    yield* smpRmb();
  }
  if (yield* putPageTestzero(page)) yield* pageCacheFree(page);
}

/** page_cache_release(). */
export const pageCacheRelease = (page: Ptr<Page>): Op<void> => putPage(page);

/**
 * release_pages(): put_page() of many, with lru_lock taken once for a run of those that are the last reference. *Context*: any.
 * *Source*: mm/swap.c, 2.6.27. *Differs*: the lock is not dropped after each 14 pages, because there is no pagevec to empty.
 */
export function* releasePages(pages: readonly Ptr<Page>[], cold = false): Op<void> {
  const free: Ptr<Page>[] = [];
  let locked = false;
  let flags = false;
  for (const page of pages) {
    if (compoundPagesInUse() && (yield* pageCompound(page))) {
      if (locked) yield* spinUnlockIrqrestore(lruLock, flags);
      locked = false;
      yield* putCompoundPage(page);
      continue;
    }
    if (!(yield* putPageTestzero(page))) continue;
    if (yield* pageLru(page)) {
      if (!locked) flags = yield* spinLockIrqsave(lruLock);
      locked = true;
      yield* takeOffLru(page);
    }
    free.push(page);
  }
  if (locked) yield* spinUnlockIrqrestore(lruLock, flags);
  for (const page of free) yield* freeHotColdPage(page, cold);
}

/**
 * Puts a page on this CPU's pagevec for a list; 14 of them go to the list at once. The pagevec holds a reference.
 * *Context*: process context, interrupts on. *Source*: `__lru_cache_add`, mm/swap.c, 2.6.28.
 */
export function* lruCacheAddLru(page: Ptr<Page>, lru: number): Op<void> {
  yield* getPage(page);
  if (staysOnCpu()) preemptDisable();
  const pagevec = lruAddPagevec(smpProcessorId(), lru);
  if (!(yield* pagevecAdd(pagevec, page))) yield* pagevecLruAdd(yield* pagevecTakeAll(pagevec), lru);
  if (staysOnCpu()) preemptEnable();
}

/** lru_cache_add(): a page of a file, new and not yet used. */
export const lruCacheAdd = (page: Ptr<Page>): Op<void> => lruCacheAddLru(page, LRU_INACTIVE_FILE);
/** lru_cache_add_active(): a page of a file, in use. */
export const lruCacheAddActive = (page: Ptr<Page>): Op<void> => lruCacheAddLru(page, LRU_ACTIVE_FILE);

/** An anonymous page, for the inactive list. *Differs*: marks it PG_swapbacked, which the kernel does in page_add_new_anon_rmap(). */
export function* lruCacheAddAnon(page: Ptr<Page>): Op<void> {
  yield* setPageSwapBacked(page);
  yield* lruCacheAddLru(page, LRU_INACTIVE_ANON);
}

/** An anonymous page, for the active list; see {@link lruCacheAddAnon}. */
export function* lruCacheAddActiveAnon(page: Ptr<Page>): Op<void> {
  yield* setPageSwapBacked(page);
  yield* lruCacheAddLru(page, LRU_ACTIVE_ANON);
}

/** __pagevec_lru_add(): onto the list; the pagevec's references are given back. *Context*: interrupts on. */
function* pagevecLruAdd(pages: readonly Ptr<Page>[], lru: number): Op<void> {
  yield* spinLockIrq(lruLock);
  for (const page of pages) {
    vmBugOn(yield* pageLru(page), 'lru_cache_add of a page on a list already');
    yield* setPageLru(page);
    if ((lru & LRU_ACTIVE) !== 0) yield* setPageActive(page);
    yield* addPageToLruList(page, lru);
  }
  yield* spinUnlockIrq(lruLock);
  yield* releasePages(pages);
}

/** lru_add_drain(): puts what this CPU's pagevecs hold on the lists. *Context*: process context, interrupts on. */
export function* lruAddDrain(): Op<void> {
  preemptDisable();
  yield* drainCpuPagevecs(smpProcessorId());
  preemptEnable();
}

/**
 * drain_cpu_pagevecs(): of a given CPU, which must be this one or not running.
 * *Source*: mm/swap.c, 2.6.27.
 */
export function* drainCpuPagevecs(cpu: number): Op<void> {
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
    const pages = yield* pagevecTakeAll(lruAddPagevec(cpu, lru));
    if (pages.length > 0) yield* pagevecLruAdd(pages, lru);
  }
  const flags = localIrqSave();
  yield* pagevecMoveTail(yield* pagevecTakeAll(rotatePagevec(cpu)));
  localIrqRestore(flags);
  yield* drainDeactivated(deactivatePagevec(cpu));
}

/**
 * activate_page(): moves a page from the inactive to the active list, if it is on one. *Context*: interrupts on, reference held.
 * *Source*: mm/swap.c, 2.6.27.
 */
export function* activatePage(page: Ptr<Page>): Op<void> {
  yield* spinLockIrq(lruLock);
  if ((yield* pageLru(page)) && !(yield* pageActive(page))) {
    const lru = yield* lruOf(page);
    yield* delPageFromLruList(page, lru);
    yield* setPageActive(page);
    yield* addPageToLruList(page, lru + LRU_ACTIVE);
    yield* countVmEvent(PGACTIVATE);
  }
  yield* spinUnlockIrq(lruLock);
}

/**
 * mark_page_accessed(): inactive, unreferenced -> inactive, referenced -> active, unreferenced -> active, referenced.
 * *Context*: interrupts on, reference held. *Source*: mm/swap.c, 2.6.27.
 */
export function* markPageAccessed(page: Ptr<Page>): Op<void> {
  const referenced = yield* pageReferenced(page);
  if (referenced && !(yield* pageActive(page)) && (yield* pageLru(page))) {
    yield* activatePage(page);
    yield* clearPageReferenced(page);
  } else if (!referenced) {
    yield* setPageReferenced(page);
  }
}

/**
 * rotate_reclaimable_page(): writeback of a page that reclaim wants has ended: to the tail of the inactive list, where reclaim looks next.
 * *Context*: any, interrupts too. *Source*: mm/swap.c, 2.6.27.
 */
export function* rotateReclaimablePage(page: Ptr<Page>): Op<void> {
  if ((yield* pageLocked(page)) || (yield* pageDirty(page)) || (yield* pageActive(page)) || !(yield* pageLru(page)))
    return;
  yield* getPage(page);
  const flags = localIrqSave();
  const pagevec = rotatePagevec(smpProcessorId());
  if (!(yield* pagevecAdd(pagevec, page))) yield* pagevecMoveTail(yield* pagevecTakeAll(pagevec));
  localIrqRestore(flags);
}

/**
 * deactivate_page(): the page is not needed any more, and could not be freed at once: reclaim is to look at it first.
 * *Context*: interrupts on; the caller has a reference, which is why get_page() does.
 * *Source*: mm/swap.c, 3.1, with "mm: use get_page in deactivate_page()" (patch 4 of 9, 2011-08-19). *Differs*: no page is unevictable.
 */
export function* deactivatePage(page: Ptr<Page>): Op<void> {
  if (callerReference()) yield* getPage(page);
  else if (!(yield* getPageUnlessZero(page))) return;
  preemptDisable();
  const pagevec = deactivatePagevec(smpProcessorId());
  if (!(yield* pagevecAdd(pagevec, page))) yield* drainDeactivated(pagevec);
  preemptEnable();
}

function* drainDeactivated(pagevec: Ptr<Pagevec>): Op<void> {
  const pages = yield* pagevecTakeAll(pagevec);
  yield* lruDeactivate(pages);
  yield* releasePages(pages);
}

/** pagevec_move_tail(). *Context*: interrupts off. */
function* pagevecMoveTail(pages: readonly Ptr<Page>[]): Op<void> {
  if (pages.length === 0) return;
  const flags = yield* spinLockIrqsave(lruLock);
  let moved = 0;
  for (const page of pages) {
    if (!(yield* pageLru(page)) || (yield* pageActive(page))) continue;
    yield* listMoveTail(Page.lru(page), lruList(yield* lruOf(page)));
    moved++;
  }
  yield* spinUnlockIrqrestore(lruLock, flags);
  yield* countVmEvents(PGROTATED, moved);
  yield* releasePages(pages);
}
