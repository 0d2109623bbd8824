// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  clearBit,
  defineWord,
  NULL,
  nonAtomicClearBit,
  nonAtomicSetBit,
  peek,
  poke,
  readOnce,
  setBit,
  smpRmb,
  smpWmb,
  testAndClearBit,
  testAndSetBit,
  testBit,
} from '@lockless/cpu';
import type { AddressSpace } from '@lockless/mm-types';
import {
  PAGE_MAPPING_ANON,
  Page,
  PG_ACTIVE,
  PG_ANON,
  PG_BUDDY,
  PG_DIRECT,
  PG_DIRTY,
  PG_ERROR,
  PG_LOCKED,
  PG_LRU,
  PG_MAPPEDTODISK,
  PG_NONEWREFS,
  PG_PRIVATE,
  PG_READAHEAD,
  PG_RECLAIM,
  PG_REFERENCED,
  PG_RESERVED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_TAIL,
  PG_UPTODATE,
  PG_WRITEBACK,
} from '@lockless/mm-types';

/*
 * include/linux/page-flags.h, 2.6.27. PageX(), SetPageX(), ClearPageX(), TestSetPageX() and __SetPageX() are pageX, setPageX, clearPageX,
 * testSetPageX and nonAtomicSetPageX here.
 *
 * Ordering: pageX is one relaxed load, setPageX and clearPageX are atomic and order nothing, the testSet and testClear forms are full
 * barriers. The nonAtomic forms load and store: only on a page that nobody else can reach. Only Uptodate has barriers of its own.
 */

/* The page lock itself is in page-lock.ts; set and cleared directly only on a page that nobody else can see yet. */
export const pageLocked = (page: Ptr<Page>): Op<boolean> => testBit(PG_LOCKED, Page.flags(page));
export const setPageLocked = (page: Ptr<Page>): Access<void> => setBit(PG_LOCKED, Page.flags(page));
export const clearPageLocked = (page: Ptr<Page>): Access<void> => clearBit(PG_LOCKED, Page.flags(page));
export const nonAtomicSetPageLocked = (page: Ptr<Page>): Op<void> => nonAtomicSetBit(PG_LOCKED, Page.flags(page));
export const nonAtomicClearPageLocked = (page: Ptr<Page>): Op<void> => nonAtomicClearBit(PG_LOCKED, Page.flags(page));

export const pageError = (page: Ptr<Page>): Op<boolean> => testBit(PG_ERROR, Page.flags(page));
export const setPageError = (page: Ptr<Page>): Access<void> => setBit(PG_ERROR, Page.flags(page));
export const clearPageError = (page: Ptr<Page>): Access<void> => clearBit(PG_ERROR, Page.flags(page));
export const testClearPageError = (page: Ptr<Page>): Access<boolean> => testAndClearBit(PG_ERROR, Page.flags(page));

export const pageReferenced = (page: Ptr<Page>): Op<boolean> => testBit(PG_REFERENCED, Page.flags(page));
export const setPageReferenced = (page: Ptr<Page>): Access<void> => setBit(PG_REFERENCED, Page.flags(page));
export const clearPageReferenced = (page: Ptr<Page>): Access<void> => clearBit(PG_REFERENCED, Page.flags(page));
export const testClearPageReferenced = (page: Ptr<Page>): Access<boolean> =>
  testAndClearBit(PG_REFERENCED, Page.flags(page));

export const pageDirty = (page: Ptr<Page>): Op<boolean> => testBit(PG_DIRTY, Page.flags(page));
export const setPageDirty = (page: Ptr<Page>): Access<void> => setBit(PG_DIRTY, Page.flags(page));
export const clearPageDirty = (page: Ptr<Page>): Access<void> => clearBit(PG_DIRTY, Page.flags(page));
export const nonAtomicClearPageDirty = (page: Ptr<Page>): Op<void> => nonAtomicClearBit(PG_DIRTY, Page.flags(page));
export const testSetPageDirty = (page: Ptr<Page>): Access<boolean> => testAndSetBit(PG_DIRTY, Page.flags(page));
export const testClearPageDirty = (page: Ptr<Page>): Access<boolean> => testAndClearBit(PG_DIRTY, Page.flags(page));

/* Changed under zone->lru_lock; cleared without an atomic only at count 0. */
export const pageLru = (page: Ptr<Page>): Op<boolean> => testBit(PG_LRU, Page.flags(page));
export const setPageLru = (page: Ptr<Page>): Access<void> => setBit(PG_LRU, Page.flags(page));
export const clearPageLru = (page: Ptr<Page>): Access<void> => clearBit(PG_LRU, Page.flags(page));
export const nonAtomicClearPageLru = (page: Ptr<Page>): Op<void> => nonAtomicClearBit(PG_LRU, Page.flags(page));

export const pageActive = (page: Ptr<Page>): Op<boolean> => testBit(PG_ACTIVE, Page.flags(page));
export const setPageActive = (page: Ptr<Page>): Access<void> => setBit(PG_ACTIVE, Page.flags(page));
export const clearPageActive = (page: Ptr<Page>): Access<void> => clearBit(PG_ACTIVE, Page.flags(page));
export const nonAtomicClearPageActive = (page: Ptr<Page>): Op<void> => nonAtomicClearBit(PG_ACTIVE, Page.flags(page));
export const testClearPageActive = (page: Ptr<Page>): Access<boolean> => testAndClearBit(PG_ACTIVE, Page.flags(page));

/* PG_private: page->private holds buffers, which hold a reference. */
export const pagePrivate = (page: Ptr<Page>): Op<boolean> => testBit(PG_PRIVATE, Page.flags(page));
export const setPagePrivate = (page: Ptr<Page>): Access<void> => setBit(PG_PRIVATE, Page.flags(page));
export const clearPagePrivate = (page: Ptr<Page>): Access<void> => clearBit(PG_PRIVATE, Page.flags(page));
export const nonAtomicSetPagePrivate = (page: Ptr<Page>): Op<void> => nonAtomicSetBit(PG_PRIVATE, Page.flags(page));
export const nonAtomicClearPagePrivate = (page: Ptr<Page>): Op<void> => nonAtomicClearBit(PG_PRIVATE, Page.flags(page));

/* Bare flag; the radix tree's tag is kept by test_set_page_writeback() and test_clear_page_writeback() in pagecache. */
export const pageWriteback = (page: Ptr<Page>): Op<boolean> => testBit(PG_WRITEBACK, Page.flags(page));
export const testSetPageWriteback = (page: Ptr<Page>): Access<boolean> => testAndSetBit(PG_WRITEBACK, Page.flags(page));
export const testClearPageWriteback = (page: Ptr<Page>): Access<boolean> =>
  testAndClearBit(PG_WRITEBACK, Page.flags(page));

export const pageSwapCache = (page: Ptr<Page>): Op<boolean> => testBit(PG_SWAPCACHE, Page.flags(page));
export const setPageSwapCache = (page: Ptr<Page>): Access<void> => setBit(PG_SWAPCACHE, Page.flags(page));
export const clearPageSwapCache = (page: Ptr<Page>): Access<void> => clearBit(PG_SWAPCACHE, Page.flags(page));

export const pageMappedToDisk = (page: Ptr<Page>): Op<boolean> => testBit(PG_MAPPEDTODISK, Page.flags(page));
export const setPageMappedToDisk = (page: Ptr<Page>): Access<void> => setBit(PG_MAPPEDTODISK, Page.flags(page));
export const clearPageMappedToDisk = (page: Ptr<Page>): Access<void> => clearBit(PG_MAPPEDTODISK, Page.flags(page));

/* Reclaim and Readahead share a bit: the one has meaning under writeback, the other on a page that was just read. */
export const pageReclaim = (page: Ptr<Page>): Op<boolean> => testBit(PG_RECLAIM, Page.flags(page));
export const setPageReclaim = (page: Ptr<Page>): Access<void> => setBit(PG_RECLAIM, Page.flags(page));
export const clearPageReclaim = (page: Ptr<Page>): Access<void> => clearBit(PG_RECLAIM, Page.flags(page));
export const testClearPageReclaim = (page: Ptr<Page>): Access<boolean> => testAndClearBit(PG_RECLAIM, Page.flags(page));

export const pageReadahead = (page: Ptr<Page>): Op<boolean> => testBit(PG_READAHEAD, Page.flags(page));
export const setPageReadahead = (page: Ptr<Page>): Access<void> => setBit(PG_READAHEAD, Page.flags(page));
export const clearPageReadahead = (page: Ptr<Page>): Access<void> => clearBit(PG_READAHEAD, Page.flags(page));

export const pageSwapBacked = (page: Ptr<Page>): Op<boolean> => testBit(PG_SWAPBACKED, Page.flags(page));
export const setPageSwapBacked = (page: Ptr<Page>): Access<void> => setBit(PG_SWAPBACKED, Page.flags(page));
export const clearPageSwapBacked = (page: Ptr<Page>): Access<void> => clearBit(PG_SWAPBACKED, Page.flags(page));

export const pageReserved = (page: Ptr<Page>): Op<boolean> => testBit(PG_RESERVED, Page.flags(page));
export const setPageReserved = (page: Ptr<Page>): Access<void> => setBit(PG_RESERVED, Page.flags(page));
export const clearPageReserved = (page: Ptr<Page>): Access<void> => clearBit(PG_RESERVED, Page.flags(page));
export const nonAtomicSetPageReserved = (page: Ptr<Page>): Op<void> => nonAtomicSetBit(PG_RESERVED, Page.flags(page));

/* The protocol of 2006. It is set and cleared with the barriers of page-no-new-refs.ts. */
export const pageNoNewRefs = (page: Ptr<Page>): Op<boolean> => testBit(PG_NONEWREFS, Page.flags(page));

/* Reverse mappings before anon_vma; changed under PG_chainlock. PG_anon is not {@link pageAnon}: a page of a file that is mapped nonlinear has it. */
export const pageDirect = (page: Ptr<Page>): Op<boolean> => testBit(PG_DIRECT, Page.flags(page));
export const setPageDirect = (page: Ptr<Page>): Access<void> => setBit(PG_DIRECT, Page.flags(page));
export const clearPageDirect = (page: Ptr<Page>): Access<void> => clearBit(PG_DIRECT, Page.flags(page));
export const pageChained = (page: Ptr<Page>): Op<boolean> => testBit(PG_ANON, Page.flags(page));
export const setPageAnon = (page: Ptr<Page>): Access<void> => setBit(PG_ANON, Page.flags(page));

/* Head of a free block of the buddy allocator; changed under zone->lock. */
export const pageBuddy = (page: Ptr<Page>): Op<boolean> => testBit(PG_BUDDY, Page.flags(page));
export const nonAtomicSetPageBuddy = (page: Ptr<Page>): Op<void> => nonAtomicSetBit(PG_BUDDY, Page.flags(page));
export const nonAtomicClearPageBuddy = (page: Ptr<Page>): Op<void> => nonAtomicClearBit(PG_BUDDY, Page.flags(page));

/** PageTail(): not the first page of a compound one. */
export const pageTail = (page: Ptr<Page>): Op<boolean> => testBit(PG_TAIL, Page.flags(page));

/**
 * PageUptodate(): the page's content is valid.
 * *Ordering*: the read barrier after the flag keeps reads of the content after it. Pairs with {@link setPageUptodate}.
 * *Source*: include/linux/page-flags.h, 0ed361dec3 (2.6.25).
 */
export function* pageUptodate(page: Ptr<Page>): Op<boolean> {
  const uptodate = yield* testBit(PG_UPTODATE, Page.flags(page));
  if (uptodate) yield* smpRmb();
  return uptodate;
}

/**
 * SetPageUptodate(). *Ordering*: the write barrier before the flag keeps the stores of the content before it. Pairs with {@link pageUptodate}.
 * *Source*: include/linux/page-flags.h, 0ed361dec3 (2.6.25).
 */
export function* setPageUptodate(page: Ptr<Page>): Op<void> {
  yield* smpWmb();
  yield* setBit(PG_UPTODATE, Page.flags(page));
}

/** __SetPageUptodate(): as {@link setPageUptodate}, on a page that nobody else can see yet. */
export function* nonAtomicSetPageUptodate(page: Ptr<Page>): Op<void> {
  yield* smpWmb();
  yield* nonAtomicSetBit(PG_UPTODATE, Page.flags(page));
}

/** ClearPageUptodate(). */
export const clearPageUptodate = (page: Ptr<Page>): Access<void> => clearBit(PG_UPTODATE, Page.flags(page));

/** PageAnon(): page->mapping is an anon_vma. Stays true until the page is freed. */
export function* pageAnon(page: Ptr<Page>): Op<boolean> {
  return ((yield* readOnce(Page.mapping(page))) & PAGE_MAPPING_ANON) !== 0;
}

/** &swapper_space, which belongs to a package above. Written at boot. */
const swapperSpace: Ref<Ptr<AddressSpace> | Null> = defineWord('swapper_space_pointer');

/** Tells {@link pageMapping} of the swap cache. Boot. */
export const setSwapperSpace = (mapping: Ptr<AddressSpace>): void => poke(swapperSpace, mapping);

/**
 * page_mapping(): the address_space the page is in, that of the swap cache too; or NULL for another anonymous or an orphan page. Stable
 * under the page lock. *Source*: include/linux/mm.h, 2.6.27. *Differs*: does not ask pages of files whether they are in the swap cache.
 */
export function* pageMapping(page: Ptr<Page>): Op<Ptr<AddressSpace> | Null> {
  const mapping = yield* readOnce(Page.mapping(page));
  if (mapping !== 0 && (mapping & PAGE_MAPPING_ANON) === 0) return mapping as Ptr<AddressSpace>;
  const swapper = peek(swapperSpace);
  return swapper !== NULL && (yield* pageSwapCache(page)) ? swapper : NULL;
}

/** page_index(): offset in the mapping, in pages. Stable under the page lock. */
export const pageIndex = (page: Ptr<Page>): Access<number> => readOnce(Page.index(page));

/** page_is_file_cache(): belongs to the file half of the LRU lists. *Source*: include/linux/mm_inline.h, 4f98a2fee8 (2.6.28). */
export function* pageIsFileCache(page: Ptr<Page>): Op<boolean> {
  return !(yield* pageSwapBacked(page));
}
