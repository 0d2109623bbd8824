// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicSet,
  configureKernel,
  defineStatic,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  load,
  NULL,
  poke,
  store,
} from '@lockless/cpu';
import {
  AddressSpace,
  type AnonVma,
  File,
  MmStruct,
  Page,
  VM_SHARED,
  type VmAreaStruct,
  VmAreaStruct as Vma,
} from '@lockless/mm-types';
import { mmAllLocksInit } from '@lockless/mmu-notifier';
import { allocPage, disableVmEventCounters, freeAreaInit, setPageUptodate } from '@lockless/page';
import { bootRcuEvents } from '@lockless/rcu';
import {
  anonVmaAlloc,
  anonVmaLinkLocked,
  mkPte,
  mmAlloc,
  type Pgprot,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pteAllocMap,
  vmAreaCachep,
  vmaLinkFileLocked,
} from '@lockless/rmap';
import { given } from '../given.js';

/* Address spaces with a few areas, and one page. Everything real but the areas' tree, which nobody here looks into. */

export const mapping: Ptr<AddressSpace> = defineStatic(AddressSpace, 'mapping');
const fileCachep = kmemCacheCreate(File);

/** A machine with a few frames and one file. */
export function* bootMachine(): Op<Ptr<File>> {
  configureKernel({ proveRcu: true });
  bootRcuEvents();
  disableVmEventCounters();
  yield* freeAreaInit({ pages: 16, nrCpus: 4, minFreeKbytes: 0 });
  yield* mmAllLocksInit();
  yield* initListHead(AddressSpace.iMmap(mapping));
  yield* initListHead(AddressSpace.iMmapNonlinear(mapping));
  yield* store(AddressSpace.truncateCount(mapping), 1);
  const file = given(yield* kmemCacheAlloc(fileCachep, GFP_KERNEL));
  yield* store(File.mapping(file), mapping);
  yield* atomicSet(File.count(file), 4);
  return file;
}

export function* newAnonVma(): Op<Ptr<AnonVma>> {
  return given(yield* anonVmaAlloc());
}

/** An address space, whose user the scenario is. */
export function* newMm(): Op<Ptr<MmStruct>> {
  return given(yield* mmAlloc());
}

/** What an area is backed by. */
export interface AreaOf {
  readonly anonVma?: Ptr<AnonVma>;
  readonly file?: Ptr<File>;
}

/** Appends an area of one page, at that page number. */
export function* addArea(
  mm: Ptr<MmStruct>,
  address: number,
  { anonVma = NULL as never, file = NULL as never }: AreaOf,
): Op<Ptr<VmAreaStruct>> {
  const vma = given(yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL));
  yield* store(Vma.vmMm(vma), mm);
  yield* store(Vma.vmStart(vma), address);
  yield* store(Vma.vmEnd(vma), address + 1);
  yield* store(Vma.vmFlags(vma), VM_SHARED);
  yield* store(Vma.anonVma(vma), anonVma);
  yield* store(Vma.vmFile(vma), file);
  yield* anonVmaLinkLocked(vma);
  if (file !== NULL) yield* vmaLinkFileLocked(vma, mapping);
  poke(yield* lastLink(mm), vma);
  return vma;
}

function* lastLink(mm: Ptr<MmStruct>): Op<Ref<Ptr<VmAreaStruct> | Null>> {
  let link = MmStruct.mmap(mm);
  for (let at = yield* load(link); at !== NULL; at = yield* load(link)) link = Vma.vmNext(at);
  return link;
}

/** A process with one page, which its page table alone refers to. The page left its file, so a fault would find none. */
export interface Mapped {
  readonly mm: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  readonly ptep: Ref<Pte>;
  readonly page: Ptr<Page>;
}

/** Where it is. */
export const ADDRESS = 0;

export function* bootMappedPage(): Op<Mapped> {
  const file = yield* bootMachine();
  const mm = yield* newMm();
  const vma = yield* addArea(mm, ADDRESS, { file });
  const ptep = given(yield* pteAllocMap(mm, ADDRESS));
  const page = given(yield* allocPage(GFP_KERNEL));
  yield* setPageUptodate(page);
  poke(Page._mapcount(page), 0);
  poke(MmStruct.fileRss(mm), 1);
  poke(ptep, mkPte(page, (PTE_PRESENT | PTE_USER | PTE_RW) as Pgprot));
  return { mm, vma, ptep, page };
}
