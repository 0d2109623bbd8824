// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { defineGuard, GFP_FS, NULL, readOnce, vmBugOn } from '@lockless/cpu';
import { AddressSpace, EEXIST, Page } from '@lockless/mm-types';
import {
  allocPage,
  countVmEvent,
  FIND_GET_PAGE_LOOKUPS,
  lockPage,
  putPage,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { radixTreeGangLookup, radixTreeLookup } from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { addToPageCacheLru, mappingGfpMask } from './filemap.js';
import { lookupProtocol } from './lookup-protocol.js';

const mappingCheck = defineGuard(
  'findLockPage.mappingCheck',
  'find_lock_page does not look whether the page was truncated while it waited for the lock',
);

/**
 * Finds the page at an index and takes a reference to it. *Context*: any but interrupts; takes no lock in the 'freeze-refs' generation.
 * *Returns* the page, or NULL when the index is a hole. *Ordering*: full barrier after the reference is taken.
 * *Source*: `find_get_page`, mm/filemap.c; the proof is in lookup-lockless.ts.
 */
export function* findGetPage(mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page> | Null> {
  yield* countVmEvent(FIND_GET_PAGE_LOOKUPS);
  return yield* lookupProtocol().findGetPage(mapping, index);
}

/** True while the page is in that mapping. *Context*: page locked: then the answer keeps. */
export function* pageBelongsTo(page: Ptr<Page>, mapping: Ptr<AddressSpace>): Op<boolean> {
  return (yield* readOnce(Page.mapping(page))) === mapping;
}

/**
 * Finds the page at an index and locks it. *Context*: may sleep. *Returns* the page, locked and with a reference, or NULL.
 * *Source*: `find_lock_page`, mm/filemap.c, 2.6.27.
 */
export function* findLockPage(mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page> | Null> {
  for (;;) {
    const page = yield* findGetPage(mapping, index);
    if (page === NULL) return NULL;
    yield* lockPage(page);
    // Truncated while we slept: it is nobody's page any more.
    if (!mappingCheck() || (yield* pageBelongsTo(page, mapping))) {
      vmBugOn((yield* readOnce(Page.index(page))) !== index, 'page->index != index of the slot it was found in');
      return page;
    }
    yield* unlockPage(page);
    yield* putPage(page);
  }
}

/**
 * Finds the page at an index or adds a new one. *Context*: may sleep. *Returns* the page, locked and with a reference; a new one is not
 * uptodate. NULL: no memory. *Source*: `find_or_create_page`, mm/filemap.c, 2.6.27.
 */
export function* findOrCreatePage(mapping: Ptr<AddressSpace>, index: number, gfp: number): Op<Ptr<Page> | Null> {
  for (;;) {
    const found = yield* findLockPage(mapping, index);
    if (found !== NULL) return found;
    const page = yield* allocPage(gfp);
    if (page === NULL) return NULL;
    const error = yield* addToPageCacheLru(page, mapping, index, gfp);
    if (error === 0) return page;
    yield* putPage(page);
    if (error !== -EEXIST) return NULL;
  }
}

/**
 * As {@link findOrCreatePage}, for speculative work that must not wait: NULL when the page is locked, when another task adds it first, or
 * when memory is short. *Source*: `grab_cache_page_nowait`, mm/filemap.c, 2.6.27.
 */
export function* grabCachePageNowait(mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page> | Null> {
  const found = yield* findGetPage(mapping, index);
  if (found !== NULL) {
    if (yield* trylockPage(found)) return found;
    yield* putPage(found);
    return NULL;
  }
  const gfp = (yield* mappingGfpMask(mapping)) & ~GFP_FS;
  const page = yield* allocPage(gfp);
  if (page === NULL) return NULL;
  if ((yield* addToPageCacheLru(page, mapping, index, gfp)) === 0) return page;
  yield* putPage(page);
  return NULL;
}

/**
 * Finds up to `max` pages from `first` on. *Returns* them by ascending index, each with a reference; holes are left out, and it is no
 * snapshot: as if one lookup after the other. *Source*: `find_get_pages`, mm/filemap.c, 2.6.27.
 */
export function* findGetPages(mapping: Ptr<AddressSpace>, first: number, max: number): Op<Ptr<Page>[]> {
  return yield* lookupProtocol().findGetPages(mapping, first, max);
}

/** Kernel-facts A16. */
const checkAfterReference = defineGuard(
  'findGetPagesContig.checkAfterReference',
  'find_get_pages_contig looks at mapping and index of pages to which it has no reference (before 9cbb4cb21b19)',
);

/** How long the run seems to be to one who has no reference to its pages. */
function* runLength(mapping: Ptr<AddressSpace>, first: number, max: number): Op<number> {
  yield* rcuReadLock();
  const pages = (yield* radixTreeGangLookup(AddressSpace.pageTree(mapping), first, max)) as Ptr<Page>[];
  let length = 0;
  for (const page of pages) {
    if ((yield* readOnce(Page.mapping(page))) === NULL) break;
    if ((yield* readOnce(Page.index(page))) !== first + length) break;
    length++;
  }
  yield* rcuReadUnlock();
  return length;
}

/**
 * Finds the run of pages that begins at `first`. *Returns* pages `first`, `first + 1` and so on up to the first hole, each with a reference.
 * *Source*: `find_get_pages_contig`, mm/filemap.c, with 9cbb4cb21b19: mapping and index are looked at only after the reference is taken,
 * because before it they may be a stranger's (kernel-facts A16).
 */
export function* findGetPagesContig(mapping: Ptr<AddressSpace>, first: number, max: number): Op<Ptr<Page>[]> {
  const most = checkAfterReference() ? max : yield* runLength(mapping, first, max);
  if (most === 0) return [];
  const pages = yield* findGetPages(mapping, first, most);
  const run: Ptr<Page>[] = [];
  for (const page of pages) {
    if ((yield* readOnce(Page.mapping(page))) === NULL) break;
    if ((yield* readOnce(Page.index(page))) !== first + run.length) break;
    run.push(page);
  }
  for (const page of pages.slice(run.length)) yield* putPage(page);
  return run;
}

/**
 * Finds up to `max` pages from `first` on that carry a tag. *Returns* them with a reference each; the tag may be gone by then.
 * *Source*: `find_get_pages_tag`, mm/filemap.c, 2.6.27. *Differs*: the caller goes on from the last page's index itself.
 */
export function* findGetPagesTag(mapping: Ptr<AddressSpace>, first: number, tag: number, max: number): Op<Ptr<Page>[]> {
  return yield* lookupProtocol().findGetPagesTag(mapping, first, tag, max);
}

/** True when the index has a page at the moment. *Source*: `radix_tree_lookup` in `__do_page_cache_readahead`, mm/readahead.c, 2.6.27. */
export function* pageCached(mapping: Ptr<AddressSpace>, index: number): Op<boolean> {
  yield* rcuReadLock();
  const item = yield* radixTreeLookup(AddressSpace.pageTree(mapping), index);
  yield* rcuReadUnlock();
  return item !== NULL;
}
