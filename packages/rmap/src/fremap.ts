// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard, load, NULL, readOnce, spinLock, spinUnlock, store } from '@lockless/cpu';
import { EINVAL, ENOMEM, MmStruct, Page, type VmAreaStruct } from '@lockless/mm-types';
import { lockPage, unlockPage } from '@lockless/page';
import { pteAllocMap, pteLockptr } from './pgtable.js';
import type { Pgprot } from './pte.js';
import { pteNone } from './pte.js';
import { mkPte, setPteAt } from './pte-access.js';
import { pageAddFileRmap, type RmapSpare, rmapPrepare, rmapRelease, usesObjrmap } from './reverse-mapping.js';
import { pageConvertAnon } from './rmap-convert.js';
import { linearPageIndex } from './rmap-walk.js';
import { zapPageRange } from './zap.js';

const pageLockHeld = defineGuard(
  'installPage.pageLock',
  'install_page locks the page for the conversion only, as first posted: truncation may take it before its entry is set',
);
const convertNonlinear = defineGuard(
  'installPage.convert',
  'install_page maps a page at another place than the linear one without giving it a chain',
);

/**
 * install_page(): maps a page of a file at `address`, in the place of what is there: the step of remap_file_pages().
 *
 * 1. Lock the page: as long as it is locked it stays in its file (D12: without it, page_add_rmap() may meet a page without a mapping);
 * 2. objrmap finds a page at its linear place only: a page that goes elsewhere gets a chain first (D14);
 * 3. what is mapped there goes; 4. the entry, unless another was faster, and then again.
 *
 * *Context*: mmap_sem for write; the area is of the page's file, and VM_NONLINEAR if the place is not the linear one. A reference on the page,
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
  if (error === 0) error = yield* convertIfElsewhere(vma, address, page); // 2
  if (!wholeTime) yield* unlockPage(page);
  while (error === 0) {
    yield* zapPageRange(vma, address, address + 1); // 3
    error = yield* setEntry(mm, address, page, prot, spare); // 4
    if (error === INSTALLED) break;
  }
  if (wholeTime) yield* unlockPage(page);
  yield* rmapRelease(spare);
  return error === INSTALLED ? 0 : error;
}

function* convertIfElsewhere(vma: Ptr<VmAreaStruct>, address: number, page: Ptr<Page>): Op<number> {
  if (!usesObjrmap() || (yield* readOnce(Page.index(page))) === (yield* linearPageIndex(vma, address))) return 0;
  return convertNonlinear() ? yield* pageConvertAnon(page) : 0;
}

const INSTALLED = 1;

/** *Returns* {@link INSTALLED}; 0 when there is an entry again; -ENOMEM. */
function* setEntry(mm: Ptr<MmStruct>, address: number, page: Ptr<Page>, prot: Pgprot, spare: RmapSpare): Op<number> {
  const ptep = yield* pteAllocMap(mm, address);
  if (ptep === NULL) return -ENOMEM;
  const lock = pteLockptr(mm, ptep);
  yield* spinLock(lock);
  const empty = pteNone(yield* readOnce(ptep));
  if (empty) {
    yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) + 1);
    yield* setPteAt(mm, address, ptep, mkPte(page, prot));
    yield* pageAddFileRmap(page, ptep, spare);
  }
  yield* spinUnlock(lock);
  return empty ? INSTALLED : 0;
}
