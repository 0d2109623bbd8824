// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  bugOn,
  defineGuard,
  GFP_ATOMIC,
  GFP_NOMEMALLOC,
  GFP_NOWARN,
  load,
  NULL,
  readOnce,
  store,
  writeOnce,
} from '@lockless/cpu';
import { AddressSpace, EEXIST, Page } from '@lockless/mm-types';
import {
  clearPageSwapCache,
  getPage,
  lockPage,
  modZonePageState,
  NR_FILE_PAGES,
  pageDirty,
  pageFreezeRefs,
  pageLocked,
  pagePrivate,
  pageSwapCache,
  pageUnfreezeRefs,
  pageUptodate,
  pageWriteback,
  putPage,
  setPageDirty,
  setPageSwapCache,
  unlockPage,
} from '@lockless/page';
import {
  radixTreeDelete,
  radixTreeInit,
  radixTreeInsert,
  radixTreePreload,
  radixTreePreloadEnd,
} from '@lockless/radix-tree';
import type { SwpEntry } from '@lockless/rmap';
import { findGetPage } from './filemap-lookup.js';
import { getSwapPage, swapFree } from './swap-map.js';
import { swapperSpace } from './swapper-space.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/*
 * mm/swap_state.c, 2.6.27: anonymous pages that have a place in a swap area, found by that place. The same tree, lookups and speculative
 * references as for files, with the entry as index; page->mapping stays the anon_vma, and page->private says the entry.
 *
 * A page leaves while others hold references: whoever looked it up without a lock must lock it and ask again, see lockSwapCachePage().
 */

const tree = AddressSpace.pageTree(swapperSpace);

const swapCacheRecheck = defineGuard(
  'doSwapPage.swapCacheRecheck',
  'a fault maps the page it found without asking, under the page lock, whether it is in the swap cache still (before 4969c1192d15)',
);
const entryRecheck = defineGuard(
  'doSwapPage.entryRecheck',
  'a fault asks whether its page is in the swap cache still, and not whether under its entry',
);

/** Boot. */
export const swapStateInit = (): Op<void> => radixTreeInit(tree, GFP_ATOMIC | GFP_NOWARN);

/** page_private() of a page in the swap cache. Stable under the page lock. */
export function* pageSwapEntry(page: Ptr<Page>): Op<SwpEntry> {
  return (yield* readOnce(Page.private(page))) as SwpEntry;
}

/**
 * Puts a page into the swap cache. *Context*: page locked; `entry` has a user for the cache; may sleep as `gfp` allows.
 * *Returns* 0, the cache then holds a reference; -EEXIST when another page is there; -ENOMEM.
 * *Ordering*: flag and entry come before the slot, see add_to_page_cache_locked().
 * *Source*: `add_to_swap_cache`, mm/swap_state.c, 2.6.27.
 */
export function* addToSwapCache(page: Ptr<Page>, entry: SwpEntry, gfp: number): Op<number> {
  bugOn(!(yield* pageLocked(page)), 'add_to_swap_cache: !PageLocked(page)');
  bugOn(yield* pageSwapCache(page), 'add_to_swap_cache: PageSwapCache(page)');
  bugOn(yield* pagePrivate(page), 'add_to_swap_cache: PagePrivate(page)');
  const noNodes = yield* radixTreePreload(gfp);
  if (noNodes !== 0) return noNodes;
  yield* getPage(page);
  yield* setPageSwapCache(page);
  yield* writeOnce(Page.private(page), entry);
  yield* lockTreeIrq(swapperSpace);
  const error = yield* radixTreeInsert(tree, entry, page);
  if (error === 0) yield* account(1);
  yield* unlockTreeIrq(swapperSpace);
  radixTreePreloadEnd();
  if (error === 0) return 0;
  yield* writeOnce(Page.private(page), 0);
  yield* clearPageSwapCache(page);
  yield* putPage(page);
  return error;
}

/** *Context*: tree locked. */
function* account(delta: number): Op<void> {
  const total = AddressSpace.nrpages(swapperSpace);
  yield* store(total, (yield* load(total)) + delta);
  yield* modZonePageState(NR_FILE_PAGES, delta);
}

/**
 * Gives an anonymous page a place in a swap area. *Context*: page locked, uptodate.
 * *Returns* true: it is in the swap cache, and dirty. *Source*: `add_to_swap`, mm/swap_state.c, 2.6.27.
 */
export function* addToSwap(page: Ptr<Page>, gfp: number): Op<boolean> {
  bugOn(!(yield* pageLocked(page)), 'add_to_swap: !PageLocked(page)');
  bugOn(!(yield* pageUptodate(page)), 'add_to_swap: !PageUptodate(page)');
  for (;;) {
    const entry = yield* getSwapPage();
    if (entry === NULL) return false;
    const error = yield* addToSwapCache(page, entry, gfp | GFP_NOMEMALLOC | GFP_NOWARN);
    if (error === 0) {
      yield* setPageDirty(page);
      return true;
    }
    // -EEXIST: a read ahead of this place raced with its being freed.
    yield* swapFree(entry);
    if (error !== -EEXIST) return false;
  }
}

/**
 * Takes a page out of the swap cache. The cache's reference and its use of the entry stay, for the caller to drop.
 * *Context*: page locked, tree locked by {@link lockTreeIrq}. *Source*: `__delete_from_swap_cache`, mm/swap_state.c, 2.6.27.
 */
export function* deleteFromSwapCacheLocked(page: Ptr<Page>): Op<void> {
  bugOn(!(yield* pageLocked(page)), '__delete_from_swap_cache: !PageLocked(page)');
  bugOn(!(yield* pageSwapCache(page)), '__delete_from_swap_cache: !PageSwapCache(page)');
  bugOn(yield* pageWriteback(page), '__delete_from_swap_cache: PageWriteback(page)');
  bugOn(yield* pagePrivate(page), '__delete_from_swap_cache: PagePrivate(page)');
  yield* radixTreeDelete(tree, yield* pageSwapEntry(page));
  yield* writeOnce(Page.private(page), 0);
  yield* clearPageSwapCache(page);
  yield* account(-1);
}

/**
 * Takes a page out of the swap cache and frees its place, if no page-table entry names that. Does not look at the count: who holds a
 * reference finds out under the page lock.
 * *Context*: page locked, a reference held. *Source*: `delete_from_swap_cache`, mm/swap_state.c, 2.6.27.
 */
export function* deleteFromSwapCache(page: Ptr<Page>): Op<void> {
  const entry = yield* pageSwapEntry(page);
  yield* lockTreeIrq(swapperSpace);
  yield* deleteFromSwapCacheLocked(page);
  yield* unlockTreeIrq(swapperSpace);
  yield* swapFree(entry);
  yield* putPage(page);
}

/**
 * Finds the page of an entry and takes a reference. *Returns* NULL when it must be read. By the time the caller looks at it the page may
 * have left the swap cache, and be in it again under another entry: {@link lockSwapCachePage}.
 * *Source*: `lookup_swap_cache`, mm/swap_state.c, 2.6.27.
 */
export const lookupSwapCache = (entry: SwpEntry): Op<Ptr<Page> | Null> => findGetPage(swapperSpace, entry);

/**
 * Locks a page that {@link lookupSwapCache} found, and asks again. That the page-table entry is still the same one does not tell: the page
 * may have left the cache, its place may have been given to another page of the same address, and that page be swapped out.
 * *Context*: a reference held, may sleep. *Returns* true: locked, and as long as it is locked it is the page of that entry, whose
 * place therefore stays in use. False: unlocked; look again.
 * *Source*: the lock_page() of `do_swap_page`, mm/memory.c, with 4969c1192d15 and its amendment for the entry (2.6.36).
 */
export function* lockSwapCachePage(page: Ptr<Page>, entry: SwpEntry): Op<boolean> {
  yield* lockPage(page);
  if (!swapCacheRecheck()) return true;
  if ((yield* pageSwapCache(page)) && (!entryRecheck() || (yield* pageSwapEntry(page)) === entry)) return true;
  yield* unlockPage(page);
  return false;
}

/**
 * Reclaim: takes a page out of the swap cache if the caller and the cache are the only ones that refer to it, see remove_mapping().
 * *Context*: page locked, the caller holds one reference. *Returns* true: removed, the count is 0, and the caller frees the page.
 * *Source*: `__remove_mapping`, mm/vmscan.c, 2.6.27, its branch for the swap cache.
 */
export function* removeFromSwapCacheFrozen(page: Ptr<Page>): Op<boolean> {
  yield* lockTreeIrq(swapperSpace);
  const entry = yield* pageSwapEntry(page);
  let removed = yield* pageFreezeRefs(page, 2); // A.
  if (removed && (yield* pageDirty(page))) {
    yield* pageUnfreezeRefs(page, 2);
    removed = false;
  }
  if (removed) yield* deleteFromSwapCacheLocked(page); // B.
  yield* unlockTreeIrq(swapperSpace);
  if (removed) yield* swapFree(entry);
  return removed;
}
