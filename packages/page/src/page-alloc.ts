// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  condResched,
  containerOf,
  current,
  defineWord,
  GFP_COLD,
  GFP_COMP,
  GFP_HIGH,
  GFP_NO_KSWAPD,
  GFP_NOFAIL,
  GFP_NOMEMALLOC,
  GFP_NORETRY,
  GFP_REPEAT,
  GFP_WAIT,
  GFP_ZERO,
  inInterrupt,
  ListHead,
  listAdd,
  listAddTail,
  listDelEntry,
  load,
  localIrqRestore,
  localIrqSave,
  mightSleep,
  NULL,
  PF_MEMALLOC,
  peek,
  pointedFunction,
  poke,
  readOnce,
  shouldFail,
  smpProcessorId,
  spinLock,
  spinUnlock,
  store,
  TaskStruct,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { freePagesOk, prepNewCompoundPage } from './compound-alloc.js';
import { FreeArea, freeArea, PerCpuPages, perCpuPages, Zone, zone } from './mmzone.js';
import { freePagesBulk, rmqueue } from './page-buddy.js';
import { freePagesCheck, newPageCheck } from './page-check.js';
import { pageAnon } from './page-flags.js';
import { mustNotBeUsed } from './page-hwpoison.js';
import { putPageTestzero, setPageRefcounted } from './page-ref.js';
import { countVmEvent, countVmEvents, globalPageState, NR_FREE_PAGES, PGALLOC, PGFREE } from './vmstat.js';

/*
 * __alloc_pages_internal() and what is under it, mm/page_alloc.c, 2.6.27. Memory comes, in this order, above the low watermark; then,
 * with kswapd awake, above the minimum; for who frees memory (PF_MEMALLOC) from the last reserve; after reclaim by ourselves.
 */

/** try_to_free_pages(): reclaims on behalf of an allocation; number of pages freed. */
export type TryToFreePages = (order: number, gfp: number) => Op<number>;
/** wakeup_kswapd(). */
export type WakeupKswapd = (order: number) => Op<void>;

export interface PageAllocHooks {
  readonly tryToFreePages: FunctionPointer<TryToFreePages>;
  readonly wakeupKswapd: FunctionPointer<WakeupKswapd>;
}

/* Reclaim is a layer above; without it an allocation that finds no memory fails. Constant after boot. */
const tryToFreePagesHook: Ref<FunctionPointer<TryToFreePages>> = defineWord('try_to_free_pages');
const wakeupKswapdHook: Ref<FunctionPointer<WakeupKswapd>> = defineWord('wakeup_kswapd');

/** Connects reclaim. Boot. */
export function setPageAllocHooks(hooks: PageAllocHooks): void {
  poke(tryToFreePagesHook, hooks.tryToFreePages);
  poke(wakeupKswapdHook, hooks.wakeupKswapd);
}

/** Larger blocks are not worth retrying for. */
export const PAGE_ALLOC_COSTLY_ORDER = 3;
/** Rounds of reclaim without progress before memory counts as exhausted, as since 4.7. */
const MAX_RECLAIM_RETRIES = 16;

const ALLOC_NO_WATERMARKS = 0x01;
const ALLOC_WMARK_MIN = 0x02;
const ALLOC_WMARK_LOW = 0x04;
const ALLOC_HARDER = 0x10;
const ALLOC_HIGH = 0x20;

/** zone_watermark_ok(): after taking 2^order pages there would be `mark` left, and enough in large blocks. *Source*: 2.6.27. */
export function* zoneWatermarkOk(order: number, mark: number, allocFlags = 0): Op<boolean> {
  let min = mark;
  if ((allocFlags & ALLOC_HIGH) !== 0) min -= min >> 1;
  if ((allocFlags & ALLOC_HARDER) !== 0) min -= min >> 2;
  let free = (yield* globalPageState(NR_FREE_PAGES)) - (1 << order) + 1;
  if (free <= min) return false;
  for (let o = 0; o < order; o++) {
    free -= (yield* readOnce(FreeArea.nrFree(freeArea(o)))) << o;
    min >>= 1;
    if (free <= min) return false;
  }
  return true;
}

/** rmqueue_bulk(): fills this CPU's list. *Context*: interrupts off. Returns how many. */
function* refillPcp(list: Ptr<ListHead>): Op<number> {
  const batch = peek(Zone.pcpBatch(zone));
  yield* spinLock(Zone.lock(zone));
  let taken = 0;
  for (; taken < batch; taken++) {
    const page = yield* rmqueue(0);
    if (page === NULL) break;
    yield* listAddTail(Page.lru(page), list);
  }
  yield* spinUnlock(Zone.lock(zone));
  return taken;
}

/** One page from this CPU's list: the hot end, whose lines are in its cache, or the cold one. *Context*: interrupts off. */
function* takeFromPcp(cold: boolean): Op<Ptr<Page> | Null> {
  const pcp = perCpuPages(smpProcessorId());
  const list = PerCpuPages.list(pcp);
  let count = yield* load(PerCpuPages.count(pcp));
  if (count === 0) count = yield* refillPcp(list);
  if (count === 0) return NULL;
  const entry = yield* load(cold ? ListHead.prev(list) : ListHead.next(list));
  yield* listDelEntry(entry);
  yield* store(PerCpuPages.count(pcp), count - 1);
  return containerOf(entry, Page, 'lru');
}

/** buffered_rmqueue(): a block, prepared for its new owner. A block with a frame whose memory has failed is left out, for good. */
function* bufferedRmqueue(order: number, gfp: number): Op<Ptr<Page> | Null> {
  for (;;) {
    const page = yield* takeBlock(order, gfp);
    if (page === NULL || (yield* prepNewPage(page, order, gfp))) return page;
  }
}

function* takeBlock(order: number, gfp: number): Op<Ptr<Page> | Null> {
  const flags = localIrqSave();
  let page: Ptr<Page> | Null;
  if (order === 0) {
    page = yield* takeFromPcp((gfp & GFP_COLD) !== 0);
  } else {
    yield* spinLock(Zone.lock(zone));
    page = yield* rmqueue(order);
    yield* spinUnlock(Zone.lock(zone));
  }
  if (page !== NULL) yield* countVmEvents(PGALLOC, 1 << order);
  localIrqRestore(flags);
  return page;
}

/**
 * prep_new_page(): nobody else has a reference, and only a speculative lookup, which tests the count, may look at it. The count becomes 1
 * last, by a plain store: from 0 nobody else changes it. *Returns* false when the block cannot be used.
 */
function* prepNewPage(page: Ptr<Page>, order: number, gfp: number): Op<boolean> {
  for (let i = 0; i < 1 << order; i++) {
    const one = (page + i * Page.$size) as Ptr<Page>;
    if (yield* mustNotBeUsed(one)) return false;
    yield* newPageCheck(one);
    if ((gfp & GFP_ZERO) !== 0) {
      yield* store(Page.contentIdentity(one), 0);
      yield* store(Page.contentVersion(one), 0);
    }
  }
  yield* store(Page.private(page), 0);
  if ((gfp & GFP_COMP) !== 0 && order > 0) yield* prepNewCompoundPage(page, order);
  yield* setPageRefcounted(page);
  return true;
}

/** get_page_from_freelist(). */
function* getPageFromFreelist(order: number, gfp: number, allocFlags: number): Op<Ptr<Page> | Null> {
  if ((allocFlags & ALLOC_NO_WATERMARKS) === 0) {
    const mark = peek((allocFlags & ALLOC_WMARK_LOW) !== 0 ? Zone.pagesLow(zone) : Zone.pagesMin(zone));
    if (!(yield* zoneWatermarkOk(order, mark, allocFlags))) return NULL;
  }
  return yield* bufferedRmqueue(order, gfp);
}

/**
 * alloc_pages(): a block of 2^order pages, or NULL. The first page has count 1; content is whatever was there before, unless __GFP_ZERO.
 * *Context*: may sleep with __GFP_WAIT. Interrupts and __GFP_HIGH may use part of the reserve, PF_MEMALLOC tasks all of it.
 * *Source*: `__alloc_pages_internal`, mm/page_alloc.c, 2.6.27. *Differs*: when reclaim finds nothing, 16 times in a row, the
 * allocation fails where the kernel would kill a process.
 */
export function* allocPages(gfp: number, order: number): Op<Ptr<Page> | Null> {
  if ((gfp & GFP_WAIT) !== 0) mightSleep();
  if ((gfp & GFP_NOFAIL) === 0 && shouldFail('enomem')) return NULL;
  const easy = yield* getPageFromFreelist(order, gfp, ALLOC_WMARK_LOW);
  return easy !== NULL ? easy : yield* allocSlowly(order, gfp);
}

/** alloc_page(). See {@link allocPages}. */
export const allocPage = (gfp: number): Op<Ptr<Page> | Null> => allocPages(gfp, 0);

/** alloc_zeroed_user_highpage() without the vma: content identity and version 0. */
export const allocZeroedPage = (gfp: number): Op<Ptr<Page> | Null> => allocPages(gfp | GFP_ZERO, 0);

function* allocSlowly(order: number, gfp: number): Op<Ptr<Page> | Null> {
  const wakeupKswapd = peek(wakeupKswapdHook);
  if (wakeupKswapd !== 0 && (gfp & GFP_NO_KSWAPD) === 0) yield* pointedFunction(wakeupKswapd)(order);
  let allocFlags = ALLOC_WMARK_MIN;
  if ((gfp & GFP_WAIT) === 0) allocFlags |= ALLOC_HARDER;
  if ((gfp & GFP_HIGH) !== 0) allocFlags |= ALLOC_HIGH;
  const page = yield* getPageFromFreelist(order, gfp, allocFlags);
  if (page !== NULL) return page;
  if (!inInterrupt() && ((yield* load(TaskStruct.flags(current()))) & PF_MEMALLOC) !== 0)
    return yield* allocFromReserve(order, gfp);
  if ((gfp & GFP_WAIT) === 0) return NULL;
  return yield* allocByReclaim(order, gfp, allocFlags);
}

/** The caller frees memory: refusing it the last pages would free none. It must not reclaim again. */
function* allocFromReserve(order: number, gfp: number): Op<Ptr<Page> | Null> {
  if ((gfp & GFP_NOMEMALLOC) !== 0) return NULL;
  for (;;) {
    const page = yield* getPageFromFreelist(order, gfp, ALLOC_NO_WATERMARKS);
    if (page !== NULL || (gfp & GFP_NOFAIL) === 0) return page;
    yield* condResched();
  }
}

/**
 * The loop `rebalance:`. Reclaim itself waits for the disk when that is what it takes, so going round again needs no pause. A round
 * without progress is not yet the end: other CPUs may hold pages isolated, or have freed some just after we looked.
 */
function* allocByReclaim(order: number, gfp: number, allocFlags: number): Op<Ptr<Page> | Null> {
  let reclaimed = 0;
  let fruitless = 0;
  for (;;) {
    yield* condResched();
    const progress = yield* reclaim(order, gfp);
    reclaimed += progress;
    fruitless = progress > 0 ? 0 : fruitless + 1;
    // What reclaim freed is on this CPU's list, where the watermark does not see it.
    yield* drainLocalPages();
    const page = yield* getPageFromFreelist(order, gfp, allocFlags);
    if (page !== NULL) return page;
    if ((gfp & GFP_NOFAIL) !== 0) continue;
    const worthIt = order <= PAGE_ALLOC_COSTLY_ORDER || ((gfp & GFP_REPEAT) !== 0 && reclaimed < 1 << order);
    if ((gfp & GFP_NORETRY) !== 0 || !worthIt || fruitless === MAX_RECLAIM_RETRIES) return NULL;
  }
}

function* reclaim(order: number, gfp: number): Op<number> {
  const tryToFreePages = peek(tryToFreePagesHook);
  if (tryToFreePages === 0) return 0;
  const taskFlags = TaskStruct.flags(current());
  yield* store(taskFlags, (yield* load(taskFlags)) | PF_MEMALLOC);
  const freed = yield* pointedFunction(tryToFreePages)(order, gfp);
  yield* store(taskFlags, (yield* load(taskFlags)) & ~PF_MEMALLOC);
  return freed;
}

/**
 * free_hot_cold_page(): frees a page whose count is 0, to this CPU's list: hot to the end from which it is taken first.
 * *Context*: any. *Source*: mm/page_alloc.c, 2.6.27.
 */
export function* freeHotColdPage(page: Ptr<Page>, cold: boolean): Op<void> {
  if (yield* pageAnon(page)) yield* store(Page.mapping(page), 0);
  yield* freePagesCheck(page);
  const flags = localIrqSave();
  const pcp = perCpuPages(smpProcessorId());
  const list = PerCpuPages.list(pcp);
  yield* countVmEvent(PGFREE);
  if (cold) yield* listAddTail(Page.lru(page), list);
  else yield* listAdd(Page.lru(page), list);
  const count = (yield* load(PerCpuPages.count(pcp))) + 1;
  yield* store(PerCpuPages.count(pcp), count);
  if (count >= peek(Zone.pcpHigh(zone))) yield* drainPcp(pcp, peek(Zone.pcpBatch(zone)));
  localIrqRestore(flags);
}

/** *Context*: interrupts off. */
function* drainPcp(pcp: Ptr<PerCpuPages>, pages: number): Op<void> {
  yield* freePagesBulk(pages, PerCpuPages.list(pcp));
  yield* store(PerCpuPages.count(pcp), (yield* load(PerCpuPages.count(pcp))) - pages);
}

/** __free_pages(): gives back the reference of {@link allocPages}; the block is freed if it was the last. *Context*: any. */
export function* freePages(page: Ptr<Page>, order: number): Op<void> {
  if (!(yield* putPageTestzero(page))) return;
  if (order === 0) return yield* freeHotColdPage(page, false);
  yield* freePagesOk(page, order);
}

/** drain_local_pages(): this CPU's list back to the buddy lists. *Context*: any. */
export function* drainLocalPages(): Op<void> {
  const flags = localIrqSave();
  const pcp = perCpuPages(smpProcessorId());
  const count = yield* load(PerCpuPages.count(pcp));
  if (count > 0) yield* drainPcp(pcp, count);
  localIrqRestore(flags);
}

/** nr_free_pages(): in the buddy lists, approximate. */
export const nrFreePages = (): Op<number> => globalPageState(NR_FREE_PAGES);
