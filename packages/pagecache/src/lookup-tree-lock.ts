// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { atomicSet, NULL, smpRmb } from '@lockless/cpu';
import { AddressSpace, Page } from '@lockless/mm-types';
import { getPage, pageCount } from '@lockless/page';
import { radixTreeGangLookup, radixTreeGangLookupTag, radixTreeLookup } from '@lockless/radix-tree';
import type { LookupProtocol } from './lookup-protocol.js';
import { readLockTree, readUnlockTree } from './tree-lock.js';

/*
 * The generation before 2.6.27: a lookup holds tree_lock for reading while it takes its reference, so under tree_lock held for writing the
 * count of a page in the tree cannot grow, and looking at it is enough.
 */

/** *Source*: `find_get_page`, mm/filemap.c, 2.6.26. */
function* findGetPage(mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page> | Null> {
  yield* readLockTree(mapping);
  const page = (yield* radixTreeLookup(AddressSpace.pageTree(mapping), index)) as Ptr<Page> | Null;
  if (page !== NULL) yield* getPage(page);
  yield* readUnlockTree(mapping);
  return page;
}

/** *Source*: `find_get_pages`, mm/filemap.c, 2.6.26. */
function* findGetPages(mapping: Ptr<AddressSpace>, first: number, max: number): Op<Ptr<Page>[]> {
  yield* readLockTree(mapping);
  const pages = (yield* radixTreeGangLookup(AddressSpace.pageTree(mapping), first, max)) as Ptr<Page>[];
  for (const page of pages) yield* getPage(page);
  yield* readUnlockTree(mapping);
  return pages;
}

/** *Source*: `find_get_pages_tag`, mm/filemap.c, 2.6.26. */
function* findGetPagesTag(mapping: Ptr<AddressSpace>, first: number, tag: number, max: number): Op<Ptr<Page>[]> {
  yield* readLockTree(mapping);
  const pages = (yield* radixTreeGangLookupTag(AddressSpace.pageTree(mapping), first, max, tag)) as Ptr<Page>[];
  for (const page of pages) yield* getPage(page);
  yield* readUnlockTree(mapping);
  return pages;
}

/**
 * The check of 2.6.26, and of 2006: reads the count, and when it is right no one else has a reference.
 * *Ordering*: smp_rmb between the count and the caller's test of PG_dirty (kernel-facts A9). Pairs with SetPageDirty before put_page.
 * *Source*: `remove_mapping`, mm/vmscan.c, 2.6.26.
 */
export function* checkReferences(page: Ptr<Page>, expected: number): Op<boolean> {
  if ((yield* pageCount(page)) !== expected) return false;
  yield* smpRmb();
  return true;
}

/**
 * {@link checkReferences}, and when the count is right the references are the caller's. *Differs* from 2.6.26: sets the count to 0, as freezing does, where 2.6.26 left it and dropped it
 * later; nobody can see the difference while lookups are locked out. With lockless lookups it is what `removeMapping.freezeRefs` guards
 * against.
 */
export function* plainCheckFreeze(page: Ptr<Page>, expected: number): Op<boolean> {
  if (!(yield* checkReferences(page, expected))) return false;
  yield* atomicSet(Page._count(page), 0);
  return true;
}

export const TREE_LOCK: LookupProtocol = {
  name: 'tree-lock',
  findGetPage,
  findGetPages,
  findGetPagesTag,
  freezeReferences: plainCheckFreeze,
};
