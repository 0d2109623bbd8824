// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  bugOn,
  current,
  defineGuard,
  GFP_BITS_SHIFT,
  GFP_HIGHMEM,
  load,
  NULL,
  peek,
  pointedFunction,
  poke,
  readOnce,
  store,
  vmBugOn,
  writeOnce,
} from '@lockless/cpu';
import { memCgroupCacheCharge, memCgroupInUse, memCgroupUnchargeCachePage } from '@lockless/memcontrol';
import { AddressSpace, Inode, Page, PG_WRITEBACK, taskMm } from '@lockless/mm-types';
import {
  clearPageLocked,
  endPageNoNewRefs,
  getPage,
  lruCacheAdd,
  modZonePageState,
  NR_FILE_DIRTY,
  NR_FILE_PAGES,
  pageDirty,
  pageLocked,
  pageMapped,
  putPage,
  rotateReclaimablePage,
  setPageLocked,
  setPageNoNewRefs,
  testClearPageReclaim,
  wakeUpPage,
} from '@lockless/page';
import { radixTreeDelete, radixTreeInsert, radixTreePreload, radixTreePreloadEnd } from '@lockless/radix-tree';
import { noNewRefsGeneration } from './config.js';
import { observeAdded, observeRemoved } from './observer.js';
import { testClearPageWriteback } from './page-writeback-tags.js';
import { lockTreeIrq, unlockTreeIrq } from './tree-lock.js';

/** Kernel-facts A13; insertion in the order of 2006 without that version's flag. */
const mappingBeforePublish = defineGuard(
  'addToPageCache.mappingBeforePublish',
  'add_to_page_cache stores page->mapping and index after the slot',
);

/** Kernel-facts A13, in the 'nonewrefs' generation. */
const noNewRefs = defineGuard(
  'addToPageCache.noNewRefs',
  'add_to_page_cache does not set PG_nonewrefs while the page is in the tree but does not know it yet',
);

/** mapping_gfp_mask(): how pages of this mapping are allocated. */
export function* mappingGfpMask(mapping: Ptr<AddressSpace>): Op<number> {
  return (yield* readOnce(AddressSpace.flags(mapping))) & ((1 << GFP_BITS_SHIFT) - 1);
}

/** Inode number of a mapping; constant while the inode lives, so reading it is no access. */
export const inoOf = (mapping: Ptr<AddressSpace>): number => {
  const host = peek(AddressSpace.host(mapping));
  return host === NULL ? 0 : peek(Inode.ino(host));
};

/**
 * mapping_cap_account_dirty(): dirty pages are counted, and tagged for who writes them. Constant while the mapping is in use, so reading it is no access.
 * *Source*: include/linux/backing-dev.h, 2.6.27.
 */
export function accountsDirty(mapping: Ptr<AddressSpace>): boolean {
  const operations = peek(AddressSpace.aOps(mapping));
  return operations === NULL || pointedFunction(operations).accountsDirty !== false;
}

/** Counts for reports; words that nothing depends on, so they are kept without accesses. */
const tally = (counter: ReturnType<typeof AddressSpace.hits>): void => poke(counter, peek(counter) + 1);
export const tallyHit = (mapping: Ptr<AddressSpace>): void => tally(AddressSpace.hits(mapping));
export const tallyMiss = (mapping: Ptr<AddressSpace>): void => tally(AddressSpace.misses(mapping));

function* setIdentity(page: Ptr<Page>, mapping: Ptr<AddressSpace> | 0, index: number): Op<void> {
  yield* writeOnce(Page.mapping(page), mapping);
  yield* writeOnce(Page.index(page), index);
}

/**
 * Adds a locked page to a mapping. *Context*: page locked, reference held; may sleep as `gfp` allows.
 * *Returns* 0, the cache then holds a reference of its own; -EEXIST when the index is taken; -ENOMEM.
 * *Ordering*: the reference, PG_locked, mapping and index come before the slot (radix_tree_insert publishes with rcu_assign_pointer), so a
 * lookup that finds the page finds it complete (kernel-facts A13). In the 'nonewrefs' generation mapping and index come after it, and
 * PG_nonewrefs keeps the lookup waiting until then.
 * *Source*: `add_to_page_cache_locked`, mm/filemap.c, e286781d5f (2.6.27).
 */
export function* addToPageCacheLocked(
  page: Ptr<Page>,
  mapping: Ptr<AddressSpace>,
  index: number,
  gfp: number,
): Op<number> {
  vmBugOn(!(yield* pageLocked(page)), 'add_to_page_cache_locked of an unlocked page');
  if (memCgroupInUse()) {
    const charged = yield* memCgroupCacheCharge(page, yield* readOnce(taskMm(current())), gfp & ~GFP_HIGHMEM);
    if (charged !== 0) return charged;
  }
  const noNodes = yield* radixTreePreload(gfp & ~GFP_HIGHMEM);
  if (noNodes !== 0) {
    yield* memCgroupUnchargeCachePage(page);
    return noNodes;
  }
  const early = mappingBeforePublish() && !noNewRefsGeneration();
  const flagged = noNewRefsGeneration() && noNewRefs();
  yield* getPage(page);
  if (early) yield* setIdentity(page, mapping, index);
  if (flagged) yield* setPageNoNewRefs(page);
  yield* lockTreeIrq(mapping);
  const error = yield* radixTreeInsert(AddressSpace.pageTree(mapping), index, page);
  if (error === 0) {
    yield* accountAdded(mapping, index);
    if (!early) yield* setIdentity(page, mapping, index);
  } else {
    yield* writeOnce(Page.mapping(page), NULL);
    yield* putPage(page);
  }
  yield* unlockTreeIrq(mapping);
  if (flagged) yield* endPageNoNewRefs(page);
  radixTreePreloadEnd();
  if (error !== 0) yield* memCgroupUnchargeCachePage(page);
  return error;
}

/** *Context*: tree locked. */
function* accountAdded(mapping: Ptr<AddressSpace>, index: number): Op<void> {
  observeAdded(inoOf(mapping), index);
  tally(AddressSpace.added(mapping));
  yield* store(AddressSpace.nrpages(mapping), (yield* load(AddressSpace.nrpages(mapping))) + 1);
  yield* modZonePageState(NR_FILE_PAGES, 1);
}

/**
 * Adds a new page, which nobody else can see yet, and leaves it locked. *Context* and *Returns* as {@link addToPageCacheLocked}; on error
 * the page is unlocked again. *Source*: `add_to_page_cache`, include/linux/pagemap.h, e286781d5f (2.6.27).
 */
export function* addToPageCache(page: Ptr<Page>, mapping: Ptr<AddressSpace>, index: number, gfp: number): Op<number> {
  yield* setPageLocked(page);
  const error = yield* addToPageCacheLocked(page, mapping, index, gfp);
  if (error !== 0) yield* clearPageLocked(page);
  return error;
}

/** {@link addToPageCache}, and on the inactive list. *Source*: `add_to_page_cache_lru`, mm/filemap.c, 2.6.27. */
export function* addToPageCacheLru(
  page: Ptr<Page>,
  mapping: Ptr<AddressSpace>,
  index: number,
  gfp: number,
): Op<number> {
  const error = yield* addToPageCache(page, mapping, index, gfp);
  if (error === 0) yield* lruCacheAdd(page);
  return error;
}

/**
 * Takes a page out of its mapping: remover's step B. The cache's reference stays, the caller drops it.
 * *Context*: page locked, tree locked by {@link lockTreeIrq}; not mapped by any process.
 * *Source*: `__remove_from_page_cache`, mm/filemap.c, 2.6.27.
 */
export function* removeFromPageCacheLocked(page: Ptr<Page>): Op<void> {
  const mapping = (yield* readOnce(Page.mapping(page))) as Ptr<AddressSpace>;
  const index = yield* readOnce(Page.index(page));
  yield* memCgroupUnchargeCachePage(page);
  yield* radixTreeDelete(AddressSpace.pageTree(mapping), index);
  observeRemoved(inoOf(mapping), index);
  tally(AddressSpace.removed(mapping));
  yield* writeOnce(Page.mapping(page), NULL);
  yield* store(AddressSpace.nrpages(mapping), (yield* load(AddressSpace.nrpages(mapping))) - 1);
  yield* modZonePageState(NR_FILE_PAGES, -1);
  bugOn(yield* pageMapped(page), 'page removed from the page cache while mapped');
  // The owner forgets about the dirt (invalidate_complete_page2 of a page that became dirty again): the statistics must not.
  if (accountsDirty(mapping) && (yield* pageDirty(page))) yield* modZonePageState(NR_FILE_DIRTY, -1);
}

/**
 * Takes a page out of its mapping. *Context*: page locked, interrupts on. The caller drops the cache's reference.
 * *Source*: `remove_from_page_cache`, mm/filemap.c, 2.6.27.
 */
export function* removeFromPageCache(page: Ptr<Page>): Op<void> {
  bugOn(!(yield* pageLocked(page)), 'remove_from_page_cache of an unlocked page');
  const mapping = (yield* readOnce(Page.mapping(page))) as Ptr<AddressSpace>;
  yield* lockTreeIrq(mapping);
  yield* removeFromPageCacheLocked(page);
  yield* unlockTreeIrq(mapping);
}

/**
 * The disk is done with a page under writeback. *Context*: any, interrupts too.
 * *Ordering*: the test-and-clear is a full barrier before the look at the wait queue. Pairs with prepare_to_wait in wait_on_page_writeback.
 * *Source*: `end_page_writeback`, mm/filemap.c, 2.6.27.
 */
export function* endPageWriteback(page: Ptr<Page>): Op<void> {
  if (yield* testClearPageReclaim(page)) yield* rotateReclaimablePage(page);
  bugOn(!(yield* testClearPageWriteback(page)), 'end_page_writeback of a page that is not under writeback');
  // The page may be freed from here on. wake_up_page only hashes its address.
  yield* wakeUpPage(page, PG_WRITEBACK);
}
