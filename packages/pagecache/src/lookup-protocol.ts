// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import type { AddressSpace, Page } from '@lockless/mm-types';
import { GENERATIONS, type Generation, generation } from './config.js';
import { LOCKLESS } from './lookup-lockless.js';
import { NO_NEW_REFS } from './lookup-no-new-refs.js';
import { TREE_LOCK } from './lookup-tree-lock.js';

/** What differs between the generations of the page cache: how a lookup pins a page, and how a remover shuts lookups out. */
export interface LookupProtocol {
  readonly name: Generation;
  /** The page at an index with a reference, or NULL. */
  readonly findGetPage: (mapping: Ptr<AddressSpace>, index: number) => Op<Ptr<Page> | Null>;
  /** Up to `max` pages from `first` on, ascending, each with a reference. */
  readonly findGetPages: (mapping: Ptr<AddressSpace>, first: number, max: number) => Op<Ptr<Page>[]>;
  /** As findGetPages, pages that carry the tag. */
  readonly findGetPagesTag: (mapping: Ptr<AddressSpace>, first: number, tag: number, max: number) => Op<Ptr<Page>[]>;
  /**
   * Remover's look at the count. Tree locked for change, page locked. True: exactly `expected` references exist, all are the caller's, the
   * count is 0 and nobody gains a reference until it is unfrozen. In the 'nonewrefs' generation the count stays, and lookups gain references,
   * but give them back as soon as the page is removed.
   */
  readonly freezeReferences: (page: Ptr<Page>, expected: number) => Op<boolean>;
}

const BY_NAME: Readonly<Record<Generation, LookupProtocol>> = {
  'freeze-refs': LOCKLESS,
  nonewrefs: NO_NEW_REFS,
  'tree-lock': TREE_LOCK,
};

const PROTOCOLS: readonly LookupProtocol[] = GENERATIONS.map((name) => BY_NAME[name]);

/** The protocol that this machine was booted with. */
export const lookupProtocol = (): LookupProtocol => PROTOCOLS[generation()];
