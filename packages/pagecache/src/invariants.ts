// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import {
  AddressSpace,
  PAGECACHE_TAG_DIRTY,
  PAGECACHE_TAG_WRITEBACK,
  Page,
  PG_DIRTY,
  PG_LOCKED,
  PG_NONEWREFS,
  PG_UPTODATE,
  PG_WRITEBACK,
  RADIX_TREE_MAP_SHIFT,
  RADIX_TREE_MAP_SIZE,
  RADIX_TREE_TAG_WORDS,
  RadixTreeNode,
  RadixTreeRoot,
} from '@lockless/mm-types';
import { accountsDirty, inoOf } from './filemap.js';

/*
 * What must hold of the page cache, looked at from outside the machine. Each function says what is wrong, or null.
 */

/** One item of a tree as the host sees it. */
export interface CachedPage {
  readonly index: number;
  readonly page: Ptr<Page>;
  /** Tag bits: 1 << PAGECACHE_TAG_DIRTY, 1 << PAGECACHE_TAG_WRITEBACK. */
  readonly tags: number;
}

function tagBits(node: Ptr<RadixTreeNode>, slot: number): number {
  let bits = 0;
  for (const tag of [PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK]) {
    const word = peek(RadixTreeNode.tags(node, tag * RADIX_TREE_TAG_WORDS + (slot >> 5)));
    if ((word & (1 << (slot & 31))) !== 0) bits |= 1 << tag;
  }
  return bits;
}

function* walk(node: Ptr<RadixTreeNode>, base: number): Generator<CachedPage> {
  const shift = (peek(RadixTreeNode.height(node)) - 1) * RADIX_TREE_MAP_SHIFT;
  for (let slot = 0; slot < RADIX_TREE_MAP_SIZE; slot++) {
    const entry = peek(RadixTreeNode.slots(node, slot));
    if (entry === 0) continue;
    const index = base + slot * 2 ** shift;
    if (shift > 0) yield* walk((entry & ~1) as Ptr<RadixTreeNode>, index);
    else yield { index, page: entry as Ptr<Page>, tags: tagBits(node, slot) };
  }
}

/** Tags of the item that is the root itself; they stand above the allocation mask. */
const rootTags = (root: Ptr<RadixTreeRoot>): number => peek(RadixTreeRoot.gfpMask(root)) >>> 21;

/** All pages of a mapping by ascending index. From outside: exact only when nobody changes the tree at the moment. */
export const cachedPages = (mapping: Ptr<AddressSpace>): CachedPage[] => treeItems(AddressSpace.pageTree(mapping));

/** All items of a tree, as {@link cachedPages}. */
export function treeItems(root: Ptr<RadixTreeRoot>): CachedPage[] {
  const rnode = peek(RadixTreeRoot.rnode(root));
  if (rnode === 0) return [];
  if ((rnode & 1) === 0) return [{ index: 0, page: rnode as Ptr<Page>, tags: rootTags(root) }];
  return [...walk((rnode & ~1) as Ptr<RadixTreeNode>, 0)];
}

const name = (mapping: Ptr<AddressSpace>, index: number): string => `page ${index} of inode ${inoOf(mapping)}`;

/**
 * At any time: a page in a tree knows that it is there, has a reference or is being removed by the holder of its lock, and is in no other
 * tree. (Between insertion and removal nothing of it may change; both happen under tree_lock.)
 */
export function pagesKnowTheirPlace(mappings: readonly Ptr<AddressSpace>[]): string | null {
  const seen = new Map<Ptr<Page>, string>();
  for (const mapping of mappings) {
    for (const { index, page } of cachedPages(mapping)) {
      const where = name(mapping, index);
      const other = seen.get(page);
      if (other !== undefined) return `frame ${page} is ${other} and ${where} at the same time`;
      seen.set(page, where);
      // The 'nonewrefs' generation inserts before the page knows where it is.
      if ((peek(Page.flags(page)) & (1 << PG_NONEWREFS)) !== 0) continue;
      const locked = (peek(Page.flags(page)) & (1 << PG_LOCKED)) !== 0;
      // On its way out, under both locks: where stores are not seen in order, the slot may still have it.
      const leaves = locked && peek(AddressSpace.treeLock(mapping)) !== 0 && peek(Page.mapping(page)) === NULL;
      if (leaves) continue;
      if (peek(Page.mapping(page)) !== mapping) return `${where}: page->mapping is ${peek(Page.mapping(page))}`;
      if (peek(Page.index(page)) !== index) return `${where}: page->index is ${peek(Page.index(page))}`;
      if (peek(Page._count(page)) < 1 && !locked) return `${where}: page_count is ${peek(Page._count(page))}`;
    }
  }
  return null;
}

/** When nobody is inside the page cache: nrpages is the number of pages, tags agree with flags, no page is locked or frozen. */
export function pageCacheIsTidy(mappings: readonly Ptr<AddressSpace>[]): string | null {
  for (const mapping of mappings) {
    const pages = cachedPages(mapping);
    const nrpages = peek(AddressSpace.nrpages(mapping));
    if (pages.length !== nrpages)
      return `inode ${inoOf(mapping)}: nrpages is ${nrpages}, pages in the tree ${pages.length}`;
    for (const cached of pages) {
      const wrong = untidyPage(cached, accountsDirty(mapping));
      if (wrong !== null) return `${name(mapping, cached.index)}: ${wrong}`;
    }
  }
  return pagesKnowTheirPlace(mappings);
}

function untidyPage({ page, tags }: CachedPage, tagged: boolean): string | null {
  const flags = peek(Page.flags(page));
  const flag = (bit: number): boolean => (flags & (1 << bit)) !== 0;
  const tag = (bit: number): boolean => (tags & (1 << bit)) !== 0;
  if (peek(Page._count(page)) < 1) return 'left frozen';
  if (tagged && flag(PG_DIRTY) && !tag(PAGECACHE_TAG_DIRTY)) return 'dirty without the tag: writeback will not find it';
  if (flag(PG_DIRTY) && !flag(PG_UPTODATE)) return 'dirty and not uptodate';
  if (flag(PG_WRITEBACK) !== tag(PAGECACHE_TAG_WRITEBACK)) return 'PG_writeback and its tag differ';
  return null;
}

/** When all is over: pages that are still locked or under writeback. */
export function pagesLeftBusy(mappings: readonly Ptr<AddressSpace>[]): string | null {
  for (const mapping of mappings) {
    for (const { index, page } of cachedPages(mapping)) {
      if ((peek(Page.flags(page)) & (1 << PG_LOCKED)) !== 0) return `${name(mapping, index)} is left locked`;
      if ((peek(Page.flags(page)) & (1 << PG_WRITEBACK)) !== 0)
        return `${name(mapping, index)} is left under writeback`;
    }
  }
  return null;
}
