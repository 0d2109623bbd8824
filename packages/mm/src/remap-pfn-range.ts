// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  defineGuard,
  GFP_KERNEL,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  store,
} from '@lockless/cpu';
import {
  EINVAL,
  ENOMEM,
  type MmStruct,
  type Page,
  VM_DONTEXPAND,
  VM_IO,
  VM_MAYWRITE,
  VM_PFNMAP,
  VM_RESERVED,
  VM_SHARED,
  VmAreaStruct,
} from '@lockless/mm-types';
import { allocPages, pageToPfn, pfnToPage, setPageReserved, setPageUptodate } from '@lockless/page';
import {
  findVma,
  type Pte,
  pfnPte,
  pteAllocMapLock,
  pteMkspecial,
  pteNone,
  pteUnmapUnlock,
  setPteAt,
  vmGetPageProt,
} from '@lockless/rmap';
import { mmapRegion } from './mmap.js';

/*
 * Memory of devices in an address space: entries without a page. They count in no page (nobody takes a reference by them, nor is there a mapping count),
 * reverse mapping does not know them, and whoever meets one asks vm_normal_page(), which says that there is none.
 */

const marksSpecial = defineGuard(
  'remapPfnRange.pteMkspecial',
  'entries of the memory of a device do not say so: who takes them away uncounts a page that nobody counted',
);

/**
 * remap_pfn_range(), before 2.6.11 remap_page_range(): maps the frames from `pfn` on into all of an area, or a part of a shared one.
 *
 * *Context*: mmap_sem for writing; nothing is mapped there. *Returns* 0, -ENOMEM, or -EINVAL: a part of a private area, of which vm_pgoff could not say
 * where its frames are.
 * *Source*: `remap_pfn_range`, `remap_pte_range`, mm/memory.c, 2.6.27 with __HAVE_ARCH_PTE_SPECIAL.
 */
export function* remapPfnRange(vma: Ptr<VmAreaStruct>, address: number, pfn: number, pages: number): Op<number> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  if ((flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE) {
    const whole =
      address === (yield* load(VmAreaStruct.vmStart(vma))) &&
      address + pages === (yield* load(VmAreaStruct.vmEnd(vma)));
    if (!whole) return -EINVAL;
    yield* store(VmAreaStruct.vmPgoff(vma), pfn);
  }
  yield* store(VmAreaStruct.vmFlags(vma), flags | VM_IO | VM_RESERVED | VM_PFNMAP);
  const prot = vmGetPageProt(flags);
  for (let i = 0; i < pages; i++) {
    const ptep = yield* pteAllocMapLock(mm, address + i);
    if (ptep === NULL) return -ENOMEM;
    bugOn(!pteNone(yield* readOnce(ptep)), 'remap_pfn_range: something is mapped there');
    const entry = pfnPte(pfn + i, prot);
    yield* setPteAt(mm, address + i, ptep as Ref<Pte>, marksSpecial() ? pteMkspecial(entry) : entry);
    yield* pteUnmapUnlock(mm, ptep as Ref<Pte>);
  }
  return 0;
}

/** The memory of a device: frames that are reserved, for good. *Context*: boot. *Returns* the first; NULL: no memory. */
export function* deviceMemory(order: number): Op<Ptr<Page> | Null> {
  const first = yield* allocPages(GFP_KERNEL, order);
  if (first === NULL) return NULL;
  for (let i = 0; i < 1 << order; i++) {
    const page = pfnToPage(pageToPfn(first) + i);
    yield* setPageReserved(page);
    yield* setPageUptodate(page);
  }
  return first;
}

/**
 * mmap_mem(): a new area that shows the memory of a device.
 *
 * *Context*: mmap_sem for writing. `vmFlags`: VM_* bits, the VM_MAY* among them. *Returns* `address`, or -ENOMEM; then nothing of it is mapped, or as
 * much as had room, for the caller's munmap. *Source*: `mmap_mem`, drivers/char/mem.c, 2.6.27. *Differs*: no file of the device.
 */
export function* mmapDevice(
  mm: Ptr<MmStruct>,
  address: number,
  pages: number,
  vmFlags: number,
  memory: Ptr<Page>,
): Op<number> {
  // Given at once, where a driver's mmap() sets it: else the area might become one with its neighbour.
  const mapped = yield* mmapRegion(mm, address, pages, vmFlags | VM_DONTEXPAND | VM_IO | VM_PFNMAP, NULL, 0);
  if (mapped < 0) return mapped;
  const error = yield* remapPfnRange(
    (yield* findVma(mm, address)) as Ptr<VmAreaStruct>,
    address,
    pageToPfn(memory),
    pages,
  );
  return error < 0 ? error : address;
}
