// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, configureKernel, defineStatic, GFP_ATOMIC, GFP_KERNEL, NULL, poke } from '@lockless/cpu';
import { AddressSpace, type MmStruct, Page } from '@lockless/mm-types';
import {
  allocPage,
  clearPageDirty,
  freeAreaInit,
  lockPage,
  putPage,
  setPageUptodate,
  unlockPage,
} from '@lockless/page';
import {
  addToPageCache,
  addToSwap,
  pageSwapEntry,
  swapAreaInit,
  swapDuplicate,
  swapStateInit,
} from '@lockless/pagecache';
import { radixTreeInit } from '@lockless/radix-tree';
import { bootRcuEvents } from '@lockless/rcu';
import { mmAlloc, type Pte, pteAllocMap, type SwpEntry } from '@lockless/rmap';

/* A machine with a few frames, one file, one swap area, and one address space with a page table for one address. */

export const mapping: Ptr<AddressSpace> = defineStatic(AddressSpace, 'mapping');
/** Places of the swap area. */
export const SWAP_PLACES = 8;
/** Where the process has its page. */
export const ADDRESS = 0;

export function* bootMemory(): Op<void> {
  configureKernel({ proveRcu: true });
  bootRcuEvents();
  yield* freeAreaInit({ pages: 16, nrCpus: 4, minFreeKbytes: 0 });
  yield* radixTreeInit(AddressSpace.pageTree(mapping), GFP_ATOMIC);
  yield* swapStateInit();
  yield* swapAreaInit(0, SWAP_PLACES);
}

function given<T>(pointer: Ptr<T> | Null): Ptr<T> {
  if (pointer === NULL) throw new RangeError('the scenario does not fit into its memory');
  return pointer;
}

/** A new page, uptodate, with the caller's reference. */
export function* newPage(content: number): Op<Ptr<Page>> {
  const page = given(yield* allocPage(GFP_KERNEL));
  poke(Page.contentIdentity(page), content);
  yield* setPageUptodate(page);
  return page;
}

/** A page of the file, locked, with the caller's reference and the cache's. */
export function* newFilePage(index: number): Op<Ptr<Page>> {
  const page = yield* newPage(1);
  bugOn((yield* addToPageCache(page, mapping, index, GFP_KERNEL)) !== 0, 'the file has that page already');
  return page;
}

export interface SwappedPage {
  readonly page: Ptr<Page>;
  readonly entry: SwpEntry;
}

/** A page that is swapped out: in the swap cache, clean, with the cache's reference, and so many page-table entries name its place. */
export function* newSwappedPage(content: number, entries: number): Op<SwappedPage> {
  const page = yield* newPage(content);
  yield* lockPage(page);
  bugOn(!(yield* addToSwap(page, GFP_KERNEL)), 'no swap');
  yield* clearPageDirty(page);
  const entry = yield* pageSwapEntry(page);
  for (let i = 0; i < entries; i++) yield* swapDuplicate(entry);
  yield* unlockPage(page);
  yield* putPage(page);
  return { page, entry };
}

/** An address space, and the place of its one page-table entry. */
export interface Process {
  readonly mm: Ptr<MmStruct>;
  readonly ptep: Ref<Pte>;
}

export function* newProcess(): Op<Process> {
  const mm = given(yield* mmAlloc());
  const ptep = yield* pteAllocMap(mm, ADDRESS);
  if (ptep === NULL) throw new RangeError('no room for a page table');
  return { mm, ptep };
}
