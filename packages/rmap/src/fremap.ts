// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, load, NULL, readOnce, spinUnlock, store } from '@lockless/cpu';
import { EINVAL, ENOMEM, MmStruct, Page, type VmAreaStruct } from '@lockless/mm-types';
import { lockPage, putPage, setPageReferenced, unlockPage } from '@lockless/page';
import { pteAllocMapLock, pteLockptr } from './pgtable.js';
import { type Pgprot, type Pte, pgoffToPte, pteDirty, pteNone, ptePresent, pteYoung } from './pte.js';
import { mkPte, pteClear, readPte, setPteAt, vmNormalPage } from './pte-access.js';
import { ptepClearFlushNotify } from './pte-notify.js';
import {
  inUse,
  pageAddFileRmap,
  pageRemoveRmap,
  type RmapSpare,
  rmapPrepare,
  rmapRelease,
  usesObjrmap,
} from './reverse-mapping.js';
import { pageConvertAnon } from './rmap-convert.js';
import { linearPageIndex } from './rmap-walk.js';
import { dirtyPageOfPte } from './set-page-dirty.js';
import { freeSwapEntry } from './swap-hooks.js';
import { isSwapPte, nonSwapEntry, pteToSwpEntry } from './swapops.js';

const pageLockHeld = defineGuard(
  'installPage.pageLock',
  'install_page locks the page for the conversion only, as first posted: truncation may take it before its entry is set',
);
const convertNonlinear = defineGuard(
  'installPage.convert',
  'install_page maps a page at another place than the linear one without giving it a chain',
);

/**
 * What must be so before a page of a file is mapped at another place than the linear one: objrmap gives it a chain (D14).
 *
 * *Context*: page locked, a reference held; may sleep. *Returns* 0, -ENOMEM.
 */
export function* pageConvertNonlinear(vma: Ptr<VmAreaStruct>, address: number, page: Ptr<Page>): Op<number> {
  if (!usesObjrmap() || (yield* readOnce(Page.index(page))) === (yield* linearPageIndex(vma, address))) return 0;
  return convertNonlinear() ? yield* pageConvertAnon(page) : 0;
}

/** How the reverse mapping in use finds pages that are mapped in any order: by their chains, or not at all unless reclaim looks through the area. */
export function nonlinearIsFound(): 'by-page' | 'by-area' | 'not' {
  const { chains, anonVmas } = inUse();
  if (chains !== 'of-no-page') return 'by-page';
  return anonVmas ? 'by-area' : 'not';
}

/**
 * zap_pte(): empties an entry that something else will fill.
 *
 * Nothing: done. A page: the entry goes and is flushed, its dirty mark to the page, then its place in the reverse mapping and its reference. A place in
 * swap loses a user; a migration entry and a file offset are forgotten.
 *
 * *Context*: page table lock; an area of a file, shared. *Source*: zap_pte(), mm/fremap.c, 2.6.27.
 */
export function* zapPte(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number, ptep: Ref<Pte>): Op<void> {
  const seen = yield* readPte(ptep);
  if (pteNone(seen)) return;
  if (!ptePresent(seen)) {
    if (isSwapPte(seen) && !nonSwapEntry(pteToSwpEntry(seen))) {
      yield* store(MmStruct.swapents(mm), (yield* load(MmStruct.swapents(mm))) - 1);
      yield* freeSwapEntry(pteToSwpEntry(seen));
    }
    yield* pteClear(mm, address, ptep);
    return;
  }
  const pte = yield* ptepClearFlushNotify(mm, address, ptep);
  const page = vmNormalPage(vma, address, pte);
  if (page === NULL) return;
  if (pteDirty(pte)) yield* dirtyPageOfPte(page);
  if (pteYoung(pte)) yield* setPageReferenced(page);
  yield* pageRemoveRmap(page, ptep);
  yield* putPage(page);
  yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) - 1);
}

/**
 * install_page(): maps a page of a file at `address`, in the place of what is there: the step of remap_file_pages().
 *
 * 1. Lock the page: as long as it is locked it stays in its file (D12: without it, page_add_rmap() may meet a page without a mapping);
 * 2. objrmap finds a page at its linear place only: a page that goes elsewhere gets a chain first (D14);
 * 3. what is mapped there goes; 4. the entry.
 *
 * *Context*: mmap_sem; the area is of the page's file, and VM_NONLINEAR if the place is not the linear one. A reference on the page,
 * which becomes the entry's. May sleep.
 * *Returns* 0; -ENOMEM, -EINVAL when the page left its file: then the reference is still the caller's.
 * *Source*: install_page(), mm/fremap.c, 2.6.5 with the patch of objrmap. *Differs*: 1, where the patch locks the page in 2 only (guard
 * `installPage.pageLock`).
 */
export function* installPage(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  page: Ptr<Page>,
  prot: Pgprot,
): Op<number> {
  const spare = yield* rmapPrepare();
  if (spare === null) return -ENOMEM;
  const wholeTime = pageLockHeld();
  yield* lockPage(page); // 1
  let error = wholeTime && (yield* readOnce(Page.mapping(page))) === 0 ? -EINVAL : 0;
  if (error === 0) error = yield* pageConvertNonlinear(vma, address, page); // 2
  if (!wholeTime) yield* unlockPage(page);
  if (error === 0) error = yield* replaceEntry(mm, vma, address, page, prot, spare); // 3, 4
  if (wholeTime) yield* unlockPage(page);
  yield* rmapRelease(spare);
  return error;
}

function* replaceEntry(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  page: Ptr<Page>,
  prot: Pgprot,
  spare: RmapSpare,
): Op<number> {
  const ptep = yield* pteAllocMapLock(mm, address);
  if (ptep === NULL) return -ENOMEM;
  yield* zapPte(mm, vma, address, ptep); // 3
  yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) + 1);
  yield* setPteAt(mm, address, ptep, mkPte(page, prot)); // 4
  yield* pageAddFileRmap(page, ptep, spare);
  yield* spinUnlock(pteLockptr(mm, ptep));
  return 0;
}

/**
 * install_file_pte(): the place shows page `pgoff` of the file from now on, which the next access brings.
 *
 * *Context*: mmap_sem; an area with VM_NONLINEAR. *Returns* 0, -ENOMEM. *Source*: install_file_pte(), mm/fremap.c, 2.6.27.
 */
export function* installFilePte(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number, pgoff: number): Op<number> {
  const ptep = yield* pteAllocMapLock(mm, address);
  if (ptep === NULL) return -ENOMEM;
  yield* zapPte(mm, vma, address, ptep);
  yield* setPteAt(mm, address, ptep, pgoffToPte(pgoff));
  yield* spinUnlock(pteLockptr(mm, ptep));
  return 0;
}
