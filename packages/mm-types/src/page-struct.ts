// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, StructOf } from '@lockless/cpu';
import { ListHead, struct } from '@lockless/cpu';

/**
 * struct page: one for each page frame, 16 words (a cache line of 64 bytes) so that counts of two pages never share a line.
 * Field rules: kernel-facts 1.2; who may change what is said at the functions of `@lockless/page`.
 */
export interface Page {
  /** PG_* bits; atomic bit operations only, once the page can be seen. */
  flags: number;
  /** References; 0 = free or frozen. */
  _count: number;
  /** Mappings - 1: -1 is unmapped. */
  _mapcount: number;
  /** Buffers if PG_private, swap entry if PG_swapcache, order if PG_buddy, the head if PG_tail (page->first_page). */
  private: number;
  /** Ptr<AddressSpace>, or Ptr<AnonVma> + PAGE_MAPPING_ANON, or 0. */
  mapping: number;
  /** Offset within the mapping, in pages. */
  index: number;
  /** LRU list, free list or per-CPU list, by state. */
  lru: Embed<ListHead>;
  /**
   * Stand-in for the 4096 bytes: which datum the frame holds. For file data a number made of inode and page index (see `contentOf` in
   * `@lockless/pagecache`), for anonymous memory a token given by the first write; 0 is a zeroed page.
   */
  contentIdentity: number;
  /** How often that datum had been written when these bytes were current. */
  contentVersion: number;
  /**
   * The union {chain, direct, mapcount} of the reverse mappings before anon_vma: a Ptr<PteChain>, or with PG_direct the address of the one
   * entry, or the number of entries. 0: not mapped. Under PG_chainlock; not used with anon_vma, which counts in _mapcount.
   */
  pte: number;
  /** Ptr<PageCgroup>, if the page is charged to a memory cgroup; low bit: its lock. */
  pageCgroup: number;
}
export const Page: StructOf<Page> = struct<Page>(
  'page',
  {
    flags: 1,
    _count: 1,
    _mapcount: 1,
    private: 1,
    mapping: 1,
    index: 1,
    lru: ListHead,
    contentIdentity: 1,
    contentVersion: 1,
    pte: 1,
    pageCgroup: 1,
  },
  16,
);

/* Bit numbers of page->flags, include/linux/page-flags.h (2.6.27; numbers are ours where the configuration decides). */
export const PG_LOCKED = 0;
export const PG_ERROR = 1;
export const PG_REFERENCED = 2;
export const PG_UPTODATE = 3;
export const PG_DIRTY = 4;
export const PG_LRU = 5;
export const PG_ACTIVE = 6;
export const PG_SLAB = 7;
export const PG_RESERVED = 10;
export const PG_PRIVATE = 11;
export const PG_WRITEBACK = 12;
export const PG_HEAD = 13;
export const PG_TAIL = 14;
export const PG_SWAPCACHE = 15;
export const PG_MAPPEDTODISK = 16;
/** Reclaim wants it soon. Shared with PG_READAHEAD, as in 2.6.27: the one is set on writeback, the other on clean new pages. */
export const PG_RECLAIM = 17;
export const PG_READAHEAD = 17;
export const PG_BUDDY = 18;
export const PG_SWAPBACKED = 19;
/** The first protocol's flag (2006): no new references while set. */
export const PG_NONEWREFS = 20;
/** The frame's memory has failed: nobody gets it again (2.6.32). */
export const PG_HWPOISON = 25;
/* Reverse mappings before anon_vma. */
/** Bit spin lock over page->pte. */
export const PG_CHAINLOCK = 21;
/** page->pte is the address of the one entry that maps the page. */
export const PG_DIRECT = 22;
/** objrmap: the entries of this page are in a chain, not counted. */
export const PG_ANON = 23;
/** Bit spin lock of a compound page's head: the page is not split meanwhile. */
export const PG_COMPOUND_LOCK = 24;

/** Low bit of page->mapping: it is an anon_vma. */
export const PAGE_MAPPING_ANON = 1;
/** Bytes in a page. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
