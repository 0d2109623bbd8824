// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicDecReturn,
  atomicInc,
  atomicIncReturn,
  atomicRead,
  containerOf,
  defineGuard,
  defineStatic,
  defineWord,
  initWaitqueueHead,
  ListHead,
  listDelEntry,
  listMove,
  load,
  spinLockIrq,
  spinUnlockIrq,
  store,
  vmBugOn,
  WaitQueueHead,
  waitEvent,
  waitqueueActive,
  wakeUpAll,
} from '@lockless/cpu';
import { EBUSY, EINVAL, Page } from '@lockless/mm-types';
import {
  addPageToLruList,
  clearPageLru,
  getPageUnlessZeroExempt,
  hpageNrPages,
  LRU_ACTIVE,
  LRU_FILE,
  lruList,
  lruOf,
  lruStat,
  modZonePageState,
  pageActive,
  pageLru,
  pageToPfn,
  pfnToPage,
  pfnValid,
  releasePages,
  setPageLru,
  Zone,
  zone,
} from '@lockless/page';

const lruLock = Zone.lruLock(zone);

const getUnlessZero = defineGuard(
  'isolateLruPage.getUnlessZero',
  'reclaim takes a plain reference to a page on an LRU list, which somebody may be freeing',
);
/** Kernel-facts 1.6. */
const referenceFirst = defineGuard(
  'isolateLruPage.referenceFirst',
  'reclaim clears PG_lru before it knows whether it gets a reference (before 46453a6e19)',
);

/*
 * Pages that one task has isolated are missing on the lists where another looks for them, so on a small machine a scan finds nothing
 * although most of memory is page cache. It then waits for an isolation to end. (2.6.32 limits isolation and sleeps for a time,
 * too_many_isolated().) Who has pages isolated waits for nothing but the disk, or the two would wait for each other.
 */
const isolations: Ref<number> = defineWord('lru_isolations');
const isolationsEnded: Ref<number> = defineWord('lru_isolations_ended');
const isolationWait: Ptr<WaitQueueHead> = defineStatic(WaitQueueHead, 'lru_isolation_wait');

/** Boot. */
export const isolationInit = (): Op<void> => initWaitqueueHead(isolationWait);

/** How many isolations have ended so far, for {@link waitForIsolation}. */
export const isolationEnds = (): Access<number> => atomicRead(isolationsEnded);

/** Sleeps while pages are isolated and no isolation has ended since {@link isolationEnds} said `before`. *Context*: nothing isolated. */
export function* waitForIsolation(before: number): Op<void> {
  yield* waitEvent(isolationWait, function* () {
    return (yield* atomicRead(isolations)) === 0 || (yield* atomicRead(isolationsEnded)) !== before;
  });
}

/** *Ordering*: the operations that return a value are full barriers: counted before the queue is looked at. Pairs with prepare_to_wait(). */
function* isolationEnded(): Op<void> {
  yield* atomicDecReturn(isolations);
  yield* atomicIncReturn(isolationsEnded);
  if (yield* waitqueueActive(isolationWait)) yield* wakeUpAll(isolationWait);
}

/**
 * Takes one page for reclaim, if it is on the list that is being scanned and is not being freed.
 * The reference comes first: PG_lru of a page whose count is 0 belongs to whoever frees it, who reads it without lru_lock; to clear it
 * would leave a page on the list that is freed (46453a6e19).
 * *Context*: lru_lock held. `active`: on which lists it may be, null for any. *Returns* 0: a reference is held and PG_lru cleared; -EINVAL: not
 * on such a list; -EBUSY: being freed.
 * *Source*: `__isolate_lru_page`, mm/vmscan.c, 2.6.27.
 */
export function* isolateLruPage(page: Ptr<Page>, active: boolean | null): Op<number> {
  if (!(yield* pageLru(page))) return -EINVAL;
  if (active !== null && (yield* pageActive(page)) !== active) return -EINVAL;
  if (!referenceFirst()) yield* clearPageLru(page);
  if (!getUnlessZero()) yield* atomicInc(Page._count(page));
  else if (!(yield* getPageUnlessZeroExempt(page, 'isolateLruPage'))) return -EBUSY;
  if (referenceFirst()) yield* clearPageLru(page);
  return 0;
}

/** What was taken off a list, and how many pages were looked at for it. */
export interface Isolated {
  readonly pages: Ptr<Page>[];
  readonly scanned: number;
}

/** Pages of a kind that were found in use: scanning them was in vain. *Context*: lru_lock. */
export function* countRotated(lru: number, pages: number): Op<void> {
  const rotated = Zone.recentRotated(zone, lru & LRU_FILE ? 1 : 0);
  yield* store(rotated, (yield* load(rotated)) + pages);
}

/** *Context*: lru_lock. */
function* countScanned(lru: number, pages: number): Op<void> {
  yield* store(Zone.pagesScanned(zone), (yield* load(Zone.pagesScanned(zone))) + pages);
  const recent = Zone.recentScanned(zone, lru & LRU_FILE ? 1 : 0);
  yield* store(recent, (yield* load(recent)) + pages);
}

/** An isolation of single pages begins, which {@link putbackLruPages} ends. */
export const beginIsolation = (): Access<void> => atomicInc(isolations);

/** Lumpy reclaim: a large block is wanted, so a page is taken with its neighbours. */
export interface Lumpy {
  readonly order: number;
  /** ISOLATE_BOTH: neighbours of any list, and not only of that which is scanned. */
  readonly both: boolean;
}
const SINGLE_PAGES: Lumpy = { order: 0, both: false };

/**
 * Takes the neighbours of a page, those of its block of 2^order, whatever the order in which they were used. Nothing says that a frame beside a page
 * is a page of somebody: as of the one from the list, get_page_unless_zero() under lru_lock finds out.
 * *Context*: lru_lock. *Returns* how many were taken; they are appended to `pages`.
 * *Source*: the second half of `isolate_lru_pages`, mm/vmscan.c, 2.6.27. *Differs*: one that is being freed stays where it is in its list.
 */
function* isolateNeighbours(page: Ptr<Page>, lru: number, { order, both }: Lumpy, pages: Ptr<Page>[]): Op<number> {
  const pfn = pageToPfn(page);
  const first = pfn & ~((1 << order) - 1);
  let taken = 0;
  for (let other = first; other < first + (1 << order) && pfnValid(other); other++) {
    if (other === pfn) continue;
    const neighbour = pfnToPage(other);
    const its = yield* lruOf(neighbour);
    if (!both && its !== lru) continue;
    if ((yield* isolateLruPage(neighbour, both ? null : (lru & LRU_ACTIVE) !== 0)) !== 0) continue;
    yield* listDelEntry(Page.lru(neighbour));
    yield* modZonePageState(lruStat(its), -(yield* hpageNrPages(neighbour)));
    pages.push(neighbour);
    taken++;
  }
  return taken;
}

/**
 * Takes pages off the tail of a list, the longest unused first, so that work on them needs no lru_lock; with `lumpy`, their neighbours too.
 * *Context*: interrupts on. *Returns* the pages, each with a reference and without PG_lru.
 * *Source*: `isolate_lru_pages` and its callers' bookkeeping, mm/vmscan.c, 2.6.27.
 */
export function* isolateLruPages(nrToScan: number, lru: number, lumpy: Lumpy = SINGLE_PAGES): Op<Isolated> {
  const list = lruList(lru);
  const pages: Ptr<Page>[] = [];
  let scanned = 0;
  let taken = 0;
  yield* spinLockIrq(lruLock);
  for (; scanned < nrToScan; scanned++) {
    const entry = yield* load(ListHead.prev(list));
    if (entry === list) break;
    const page = containerOf(entry, Page, 'lru');
    const error = yield* isolateLruPage(page, (lru & LRU_ACTIVE) !== 0);
    vmBugOn(error === -EINVAL, 'a page on an LRU list does not say so');
    if (error === 0) {
      yield* listDelEntry(entry);
      pages.push(page);
      taken += yield* hpageNrPages(page);
      if (lumpy.order > 0) scanned += yield* isolateNeighbours(page, lru, lumpy, pages);
    } else {
      // Being freed on another CPU, which waits for lru_lock: out of our way.
      yield* listMove(entry, list);
    }
  }
  if (pages.length > 0) yield* beginIsolation();
  yield* modZonePageState(lruStat(lru), -taken);
  yield* countScanned(lru, scanned);
  yield* spinUnlockIrq(lruLock);
  return { pages, scanned };
}

/**
 * Ends an isolation: puts what is left of its pages back, each on the list that its flags name now, and gives the references back: a page
 * whose other owners are gone meanwhile is freed by that. *Context*: interrupts on; for each isolation that had pages, once.
 * *Source*: the last part of `shrink_inactive_list`, mm/vmscan.c, 2.6.27.
 */
export function* putbackLruPages(pages: readonly Ptr<Page>[]): Op<void> {
  if (pages.length > 0) {
    yield* spinLockIrq(lruLock);
    for (const page of pages) {
      vmBugOn(yield* pageLru(page), 'isolated page is on a list');
      yield* setPageLru(page);
      const lru = yield* lruOf(page);
      yield* addPageToLruList(page, lru);
      if ((lru & LRU_ACTIVE) !== 0) yield* countRotated(lru, 1);
    }
    yield* spinUnlockIrq(lruLock);
    yield* releasePages(pages);
  }
  yield* isolationEnded();
}
