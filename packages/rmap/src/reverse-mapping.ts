// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, NULL, peek, pointedFunction, store } from '@lockless/cpu';
import type { Page, VmAreaStruct } from '@lockless/mm-types';
import * as byArea from './page-rmap.js';
import type { SwapResult } from './rmap.js';
import * as walks from './rmap.js';

/**
 * What the rest of memory management asks of the reverse mapping; `Context`, `Returns` and `Source` of each are at the implementation
 * through anon_vma and i_mmap (page-rmap.ts, rmap.ts), the only one so far. Its rivals (pte chains, objrmap, anonmm) can be
 * selected at boot; the one that records entries will need the entry as a further parameter of the first five.
 */
export interface ReverseMapping {
  readonly name: string;
  readonly pageAddAnonRmap: (page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number) => Op<void>;
  readonly pageAddNewAnonRmap: (page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number) => Op<void>;
  readonly pageAddFileRmap: (page: Ptr<Page>) => Op<void>;
  readonly pageDupRmap: (page: Ptr<Page>) => Op<void>;
  readonly pageRemoveRmap: (page: Ptr<Page>) => Op<void>;
  readonly pageReferenced: (page: Ptr<Page>, isLocked: boolean) => Op<number>;
  readonly pageMkclean: (page: Ptr<Page>) => Op<number>;
  readonly tryToUnmap: (page: Ptr<Page>, migration: boolean) => Op<SwapResult>;
}

/** Through the areas: anon_vma for anonymous pages, i_mmap for file pages, as merged in 2.6.7. */
export const areaReverseMapping: ReverseMapping = {
  name: 'anon_vma',
  pageAddAnonRmap: byArea.pageAddAnonRmap,
  pageAddNewAnonRmap: byArea.pageAddNewAnonRmap,
  pageAddFileRmap: byArea.pageAddFileRmap,
  pageDupRmap: byArea.pageDupRmap,
  pageRemoveRmap: byArea.pageRemoveRmap,
  pageReferenced: walks.pageReferenced,
  pageMkclean: walks.pageMkclean,
  tryToUnmap: walks.tryToUnmap,
};

const selected: Ref<FunctionPointer<ReverseMapping> | Null> = defineWord('reverse_mapping');

/** Puts another implementation in. *Context*: boot, before anything is mapped. */
export function* selectReverseMapping(implementation: FunctionPointer<ReverseMapping>): Op<void> {
  yield* store(selected, implementation);
}

const inUse = (): ReverseMapping => {
  const pointer = peek(selected); // constant after boot
  return pointer === NULL ? areaReverseMapping : pointedFunction(pointer);
};

/** See {@link ReverseMapping}. */
export const pageAddAnonRmap = (page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number): Op<void> =>
  inUse().pageAddAnonRmap(page, vma, address);
/** See {@link ReverseMapping}. */
export const pageAddNewAnonRmap = (page: Ptr<Page>, vma: Ptr<VmAreaStruct>, address: number): Op<void> =>
  inUse().pageAddNewAnonRmap(page, vma, address);
/** See {@link ReverseMapping}. */
export const pageAddFileRmap = (page: Ptr<Page>): Op<void> => inUse().pageAddFileRmap(page);
/** See {@link ReverseMapping}. */
export const pageDupRmap = (page: Ptr<Page>): Op<void> => inUse().pageDupRmap(page);
/** See {@link ReverseMapping}. */
export const pageRemoveRmap = (page: Ptr<Page>): Op<void> => inUse().pageRemoveRmap(page);
/** See {@link ReverseMapping}. */
export const pageReferenced = (page: Ptr<Page>, isLocked: boolean): Op<number> =>
  inUse().pageReferenced(page, isLocked);
/** See {@link ReverseMapping}. */
export const pageMkclean = (page: Ptr<Page>): Op<number> => inUse().pageMkclean(page);
/** See {@link ReverseMapping}. */
export const tryToUnmap = (page: Ptr<Page>, migration: boolean): Op<SwapResult> => inUse().tryToUnmap(page, migration);
