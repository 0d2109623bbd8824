// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  defineGuard,
  defineWord,
  downWrite,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  peek,
  poke,
  type Ref,
  type StructOf,
  store,
  struct,
  upWrite,
  type Vec,
} from '@lockless/cpu';
import {
  ENOMEM,
  MmStruct,
  Page,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VmAreaStruct,
} from '@lockless/mm-types';
import { allocPage, getPage, lockPage, setPageReserved, setPageUptodate } from '@lockless/page';
import { type FaultResult, VM_FAULT_SIGBUS } from '@lockless/pagecache';
import { insertVmStruct, useSpecialMappings, vmAreaCachep } from '@lockless/rmap';
import type { Content } from './content.js';

/*
 * Areas that show pages of the kernel's own: install_special_mapping(), and the vdso, which is one. Their pages are in no file (page->mapping is NULL)
 * and on no LRU list, so nothing ever asks who maps them; they are counted as pages of files are, and the kernel keeps a reference to each. A private
 * write, by which a debugger sets a breakpoint, copies the page.
 */

const MAX_PAGES = 16;

/** The `struct page **` of a special mapping, with its length in the place of the NULL at its end. */
export interface SpecialPages {
  next: Ptr<SpecialPages> | Null;
  count: number;
  pages: Vec<Ptr<Page>>;
}
const SpecialPages: StructOf<SpecialPages> = struct<SpecialPages>('special_pages', {
  next: 1,
  count: 1,
  pages: MAX_PAGES,
});
const specialPagesCachep = kmemCacheCreate(SpecialPages);
/** All of them, for who looks from outside. */
const all: Ref<Ptr<SpecialPages> | Null> = defineWord('special_pages_list');

const countsFromArray = defineGuard(
  'specialMappingFault.pgoff',
  'vm_pgoff of a special mapping is where the area began, not a place among its pages: what is left of a split one begins with the first page (before 8a9cc3b55e19)',
);
const underMmapSem = defineGuard(
  'archSetupAdditionalPages.mmapSem',
  'the vdso is mapped into an address space whose mmap_sem is not held for writing',
);

/**
 * init_vdso_vars(): pages with these contents, for special mappings.
 *
 * *Context*: boot, before the first address space. *Returns* NULL: no memory.
 * *Source*: `init_vdso_vars`, arch/x86/vdso/vma.c, 2.6.27. *Differs*: they are PG_reserved, as all that the kernel showed of its own was before 2.6.15; the
 * reverse mappings of those days take a page without a mapping for a mistake else.
 */
export function* specialPagesInit(contents: readonly Content[]): Op<Ptr<SpecialPages> | Null> {
  if (contents.length > MAX_PAGES) throw new RangeError(`${contents.length} special pages: at most ${MAX_PAGES}`);
  const special = yield* kmemCacheAlloc(specialPagesCachep, GFP_KERNEL);
  if (special === NULL) return NULL;
  for (const [i, { identity, version }] of contents.entries()) {
    const page = yield* allocPage(GFP_KERNEL);
    if (page === NULL) return NULL;
    yield* store(Page.contentIdentity(page), identity);
    yield* store(Page.contentVersion(page), version);
    yield* setPageUptodate(page);
    yield* setPageReserved(page);
    yield* store(SpecialPages.pages(special, i), page);
  }
  yield* store(SpecialPages.count(special), contents.length);
  yield* store(SpecialPages.next(special), peek(all));
  poke(all, special);
  useSpecialMappings();
  return special;
}

/** The pages that the kernel keeps for special mappings, looked at from outside. */
export function specialPages(): Ptr<Page>[] {
  const pages: Ptr<Page>[] = [];
  for (let at = peek(all); at !== NULL; at = peek(SpecialPages.next(at)))
    for (let i = 0; i < peek(SpecialPages.count(at)); i++) pages.push(peek(SpecialPages.pages(at, i)));
  return pages;
}

/**
 * install_special_mapping(): an area that shows the kernel's pages.
 *
 * *Context*: mmap_sem for writing. *Returns* 0, -ENOMEM: no memory, or there is something.
 * *Source*: `install_special_mapping`, mm/mmap.c, 2.6.27; vm_pgoff as in 4.3 (8a9cc3b55e19). *Differs*: private ones only, as all in Linux are that may be
 * written.
 */
export function* installSpecialMapping(
  mm: Ptr<MmStruct>,
  address: number,
  pages: number,
  vmFlags: number,
  special: Ptr<SpecialPages>,
): Op<number> {
  bugOn((vmFlags & VM_SHARED) !== 0, 'install_special_mapping: a shared one');
  const vma = yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL);
  if (vma === NULL) return -ENOMEM;
  yield* store(VmAreaStruct.vmMm(vma), mm);
  yield* store(VmAreaStruct.vmStart(vma), address);
  yield* store(VmAreaStruct.vmEnd(vma), address + pages);
  yield* store(VmAreaStruct.vmFlags(vma), vmFlags | (yield* load(MmStruct.defFlags(mm))) | VM_DONTEXPAND);
  yield* store(VmAreaStruct.vmPrivateData(vma), special);
  const error = yield* insertVmStruct(mm, vma);
  if (error !== 0) {
    yield* kmemCacheFree(vmAreaCachep, vma);
    return error;
  }
  // insert_vm_struct() takes it for anonymous memory. Nobody goes by it yet: the area has no anon_vma.
  if (countsFromArray()) yield* store(VmAreaStruct.vmPgoff(vma), 0);
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) + pages);
  return 0;
}

/**
 * special_mapping_fault(): the page, locked and with a reference. *Context*: mmap_sem for reading.
 *
 * *Source*: `special_mapping_fault`, mm/mmap.c, 2.6.27; by vm_pgoff as in 4.3 (8a9cc3b55e19).
 */
export function* specialMappingFault(vma: Ptr<VmAreaStruct>, pgoff: number): Op<FaultResult> {
  const special = (yield* load(VmAreaStruct.vmPrivateData(vma))) as Ptr<SpecialPages>;
  const index = countsFromArray() ? pgoff : pgoff - (yield* load(VmAreaStruct.vmPgoff(vma)));
  if (index >= (yield* load(SpecialPages.count(special)))) return { page: NULL, fault: VM_FAULT_SIGBUS };
  const page = yield* load(SpecialPages.pages(special, index));
  yield* getPage(page);
  yield* lockPage(page);
  return { page, fault: 0 };
}

/**
 * arch_setup_additional_pages(): maps the vdso. May be written by who may force it, a debugger: such a page becomes a private copy.
 *
 * *Context*: sleeps. *Returns* as {@link installSpecialMapping}. *Source*: `arch_setup_additional_pages`, arch/x86/vdso/vma.c, 2.6.27.
 */
export function* archSetupAdditionalPages(
  mm: Ptr<MmStruct>,
  address: number,
  pages: number,
  special: Ptr<SpecialPages>,
): Op<number> {
  const locks = underMmapSem();
  if (locks) yield* downWrite(MmStruct.mmapSem(mm));
  const error = yield* installSpecialMapping(mm, address, pages, VDSO_FLAGS, special);
  if (locks) yield* upWrite(MmStruct.mmapSem(mm));
  return error;
}
const VDSO_FLAGS = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
