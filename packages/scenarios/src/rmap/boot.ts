// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Op, Ptr, Ref } from '@lockless/cpu';
import {
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  NULL,
  poke,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { AnonVma, type File, MmStruct, PAGE_MAPPING_ANON, Page, RbNode, VmAreaStruct } from '@lockless/mm-types';
import { allocPage, putPage, setPageUptodate } from '@lockless/page';
import { synchronizeRcu } from '@lockless/rcu';
import {
  anonVmaAlloc,
  anonVmaUnlink,
  keepFreeAnonVma,
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pageRemoveRmap,
  pteAllocMap,
  pteClear,
  pteLockptr,
  ptePresent,
  ptepGetAndClear,
  readPte,
  selectReverseMapping,
  vmNormalPage,
} from '@lockless/rmap';
import { given } from '../given.js';
import { addArea, bootMachine, mapping, newMm } from '../notifiers/boot.js';

export { bootMachine, mapping, newMm } from '../notifiers/boot.js';

/** Where the processes have their page, or its first one. */
export const ADDRESS = 0;
const WRITABLE: Pgprot = (PTE_PRESENT | PTE_USER | PTE_RW) as Pgprot;
export const READ_ONLY: Pgprot = (PTE_PRESENT | PTE_USER) as Pgprot;

/** A process with one area of one page, and the place of its entry. */
export interface Process {
  readonly mm: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  readonly ptep: Ref<Pte>;
}

export function* newProcess(of: Parameters<typeof addArea>[2], address: number = ADDRESS): Op<Process> {
  const mm = yield* newMm();
  const vma = yield* addArea(mm, address, of);
  // The only one, so the root of the tree, and black.
  poke(RbNode.color(VmAreaStruct.vmRb(vma)), 1);
  poke(MmStruct.mmRb(mm), VmAreaStruct.vmRb(vma));
  const ptep = yield* pteAllocMap(mm, address);
  if (ptep === NULL) throw new RangeError('no room for a page table');
  return { mm, vma, ptep };
}

export function* newPage(content = 1): Op<Ptr<Page>> {
  const page = given(yield* allocPage(GFP_KERNEL));
  poke(Page.contentIdentity(page), content);
  yield* setPageUptodate(page);
  return page;
}

/** An anonymous page, which one process maps. */
export interface AnonPage extends Process {
  readonly anonVma: Ptr<AnonVma>;
  readonly page: Ptr<Page>;
}

/** A slab whose free objects are its users' no more once a grace period is over, and then nobody's: what SLAB_DESTROY_BY_RCU comes to in the end. */
const returnedSlab: KmemCache<AnonVma> = kmemCacheCreate(AnonVma);

/** `returned`: the anon_vma comes from a slab whose memory goes back when it is free, see {@link unmapLastArea}. */
export function* bootAnonPage(returned = false): Op<AnonPage> {
  yield* bootMachine();
  keepFreeAnonVma();
  const anonVma = given(yield* returned ? kmemCacheAlloc(returnedSlab, GFP_KERNEL) : anonVmaAlloc());
  if (returned) yield* initListHead(AnonVma.head(anonVma));
  const process = yield* newProcess({ anonVma });
  const page = yield* newPage();
  mapAnon(process, page, anonVma);
  return { ...process, anonVma, page };
}

/** Makes a page that a process has a reference for its own. Boot. */
export function mapAnon({ mm, ptep }: Process, page: Ptr<Page>, anonVma: Ptr<AnonVma>, prot: Pgprot = WRITABLE): void {
  poke(Page._mapcount(page), 0);
  poke(Page.mapping(page), anonVma + PAGE_MAPPING_ANON);
  poke(Page.index(page), ADDRESS);
  poke(MmStruct.anonRss(mm), 1);
  poke(ptep, mkPte(page, prot));
}

/** The step of zap_pte_range() at one entry. *Source*: mm/memory.c, 2.6.27. *Differs*: resident pages are not counted. */
export function* zapEntry({ mm, ptep }: Process): Op<void> {
  yield* spinLock(pteLockptr(mm, ptep));
  const pte = yield* readPte(ptep);
  const page = ptePresent(pte) ? vmNormalPage(NULL, ADDRESS, pte) : NULL;
  if (page !== NULL) {
    yield* ptepGetAndClear(mm, ADDRESS, ptep);
    yield* pageRemoveRmap(page, ptep);
  } else {
    yield* pteClear(mm, ADDRESS, ptep);
  }
  yield* spinUnlock(pteLockptr(mm, ptep));
  if (page !== NULL) yield* putPage(page);
}

/** munmap(): the entry goes, then the area leaves its anon_vma, whose last it was. */
export function* unmapLastArea(shared: AnonPage): Op<void> {
  yield* zapEntry(shared);
  yield* anonVmaUnlink(shared.vma);
}

/** The slab is empty and gives its memory back, as SLAB_DESTROY_BY_RCU does it: after a grace period. */
export function* returnSlab(): Op<void> {
  const anonVma = yield* anonVmaAlloc();
  if (anonVma === NULL) return;
  yield* synchronizeRcu();
  yield* kmemCacheFree(returnedSlab, anonVma);
}

/** Processes that map a page of the file at its linear place, under objrmap. */
export interface FilePage {
  readonly page: Ptr<Page>;
  readonly file: Ptr<File>;
  readonly processes: readonly Process[];
}

export function* bootFilePage(mappings: number, others = 0): Op<FilePage> {
  const file = yield* bootMachine();
  yield* selectReverseMapping('objrmap');
  const page = yield* newPage();
  poke(Page.mapping(page), mapping);
  const processes: Process[] = [];
  for (let i = 0; i < mappings + others; i++) {
    const process = yield* newProcess({ file });
    processes.push(process);
    if (i >= mappings) continue;
    poke(process.ptep, mkPte(page, READ_ONLY));
    poke(MmStruct.fileRss(process.mm), 1);
  }
  poke(Page.pte(page), mappings);
  // Beside the cache's reference, one for each entry.
  poke(Page._count(page), mappings + 1);
  return { page, file, processes };
}

/** How many of the processes have the page in their page table. */
export function* entriesOf({ page, processes }: FilePage): Op<Ref<Pte>[]> {
  const entries: Ref<Pte>[] = [];
  for (const { ptep } of processes) if ((yield* readPte(ptep)) === mkPte(page, READ_ONLY)) entries.push(ptep);
  return entries;
}
