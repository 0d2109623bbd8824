// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  bugOn,
  configureKernel,
  defineStatic,
  GFP_ATOMIC,
  GFP_KERNEL,
  kmemCacheAlloc,
  NULL,
  peek,
  poke,
  store,
} from '@lockless/cpu';
import {
  AddressSpace,
  MmStruct,
  Page,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  allocPage,
  clearPageDirty,
  disableVmEventCounters,
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
import {
  anonVmaAlloc,
  anonVmaLink,
  mmAlloc,
  type Pte,
  pteAllocMap,
  ptePresent,
  type SwpEntry,
  swpEntryToPte,
  vmAreaCachep,
  vmNormalPage,
} from '@lockless/rmap';
import { given } from '../given.js';

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

/** An address space with one area, of the one page. */
export interface ProcessWithArea extends Process {
  readonly vma: Ptr<VmAreaStruct>;
}

/** A process whose one page is swapped out. Everything real but the areas' tree, which nobody here looks into. */
export function* newArea(entry: SwpEntry): Op<ProcessWithArea> {
  disableVmEventCounters();
  const process = yield* newProcess();
  const { mm, ptep } = process;
  const vma = given(yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL));
  yield* store(VmAreaStruct.vmMm(vma), mm);
  yield* store(VmAreaStruct.vmStart(vma), ADDRESS);
  yield* store(VmAreaStruct.vmEnd(vma), ADDRESS + 1);
  yield* store(VmAreaStruct.vmFlags(vma), VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE);
  yield* store(VmAreaStruct.anonVma(vma), given(yield* anonVmaAlloc()));
  yield* anonVmaLink(vma);
  yield* store(MmStruct.swapents(mm), 1);
  poke(ptep, swpEntryToPte(entry));
  return { ...process, vma };
}

/** What a page-table entry maps, looked at from outside. */
export function mappedPage(ptep: Ref<Pte>): Ptr<Page> | Null {
  const pte = peek(ptep);
  return ptePresent(pte) ? vmNormalPage(0, ADDRESS, pte) : NULL;
}
