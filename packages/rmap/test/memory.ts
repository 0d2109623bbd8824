// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bug, bugOn, GFP_KERNEL, load, NULL, spinLock, spinUnlock, store } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { File, MmStruct, Page as PageFields, VmAreaStruct } from '@lockless/mm-types';
import {
  allocPage,
  freeAreaInit,
  getPage,
  lockPage,
  pageAnon,
  putPage,
  setPageUptodate,
  unlockPage,
} from '@lockless/page';
import type { Pte, RmapSpare } from '../src/index.js';
import { type Unmapper, unmapArea } from './address-space.js';
import { rmap } from './package-under-test.js';

/* The smallest faults, fork and munmap above the functions under test. */

export const bootMemory = (pages = 512, nrCpus = 1): Op<void> => freeAreaInit({ pages, nrCpus });

export function* newPage(): Op<Ptr<Page>> {
  const page = yield* allocPage(GFP_KERNEL);
  if (page === NULL) bug('the test needs more memory');
  yield* setPageUptodate(page);
  return page;
}

/** Pages of a file, as the page cache holds them: one reference, mapping and index. */
export function* fillFile(file: Ptr<File>, pages: number): Op<Ptr<Page>[]> {
  const cache: Ptr<Page>[] = [];
  for (let index = 0; index < pages; index++) {
    const page = yield* newPage();
    yield* store(PageFields.mapping(page), (yield* load(File.mapping(file))) as number);
    yield* store(PageFields.index(page), index);
    cache.push(page);
  }
  return cache;
}

function* prepare(): Op<RmapSpare> {
  const spare = yield* rmap.rmapPrepare();
  if (spare === null) bug('out of memory');
  return spare;
}

function* addRss(counter: Ref<number>, delta: number): Op<void> {
  yield* store(counter, (yield* load(counter)) + delta);
}

/** do_anonymous_page(). Returns false when something is mapped there. */
export function* faultAnon(vma: Ptr<VmAreaStruct>, address: number): Op<boolean> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  bugOn((yield* rmap.anonVmaPrepare(vma)) !== 0, 'out of memory');
  const page = yield* newPage();
  const spare = yield* prepare();
  const ptep = yield* rmap.pteAllocMapLock(mm, address);
  if (ptep === NULL) bug('out of memory');
  const free = rmap.pteNone(yield* rmap.readPte(ptep));
  if (free) {
    yield* addRss(MmStruct.anonRss(mm), 1);
    yield* rmap.pageAddNewAnonRmap(page, vma, address, ptep, spare);
    yield* rmap.setPteAt(
      mm,
      address,
      ptep,
      rmap.pteMkwrite(rmap.mkPte(page, rmap.vmGetPageProt(yield* load(VmAreaStruct.vmFlags(vma))))),
    );
  }
  yield* rmap.pteUnmapUnlock(mm, ptep);
  yield* rmap.rmapRelease(spare);
  if (!free) yield* putPage(page);
  return free;
}

/** __do_fault() for a page of the cache: maps it while it is locked, unless it is truncated. */
export function* faultFile(
  vma: Ptr<VmAreaStruct>,
  address: number,
  cache: readonly Ptr<Page>[],
  marks: { readonly dirty?: boolean; readonly young?: boolean } = {},
): Op<boolean> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const page = cache[yield* rmap.linearPageIndex(vma, address)];
  yield* lockPage(page);
  if ((yield* load(PageFields.mapping(page))) === NULL) {
    yield* unlockPage(page);
    return false;
  }
  const spare = yield* prepare();
  const ptep = yield* rmap.pteAllocMapLock(mm, address);
  if (ptep === NULL) bug('out of memory');
  const free = rmap.pteNone(yield* rmap.readPte(ptep));
  if (free) {
    yield* getPage(page);
    yield* addRss(MmStruct.fileRss(mm), 1);
    yield* rmap.pageAddFileRmap(page, ptep, spare);
    const prot = rmap.vmGetPageProt(yield* load(VmAreaStruct.vmFlags(vma)));
    const pte = rmap.pteMkold(rmap.mkPte(page, prot));
    const old = marks.young ? rmap.pteMkyoung(pte) : pte;
    yield* rmap.setPteAt(mm, address, ptep, marks.dirty ? rmap.pteMkdirty(old) : old);
  }
  yield* rmap.pteUnmapUnlock(mm, ptep);
  yield* rmap.rmapRelease(spare);
  yield* unlockPage(page);
  return free;
}

/** unmap_region(): zap, page tables, flush. */
const unmapPages = (mm: Ptr<MmStruct>): Unmapper =>
  function* (first, start, end, floor, ceiling) {
    const tlb = rmap.tlbGatherMmu(mm, false);
    yield* rmap.unmapVmas(tlb, first, start, end);
    yield* rmap.freePgtables(tlb, first, floor, ceiling);
    yield* rmap.tlbFinishMmu(tlb);
  };

export const munmap = (mm: Ptr<MmStruct>, start: number, end: number): Op<void> =>
  unmapArea(mm, start, end, unmapPages(mm));

/** dup_mmap() and copy_page_range(): all present entries are shared, and lose the right to write in both. */
export function* forkMm(child: Ptr<MmStruct>, parent: Ptr<MmStruct>): Op<void> {
  for (let at = yield* load(MmStruct.mmap(parent)); at !== NULL; at = yield* load(VmAreaStruct.vmNext(at))) {
    const copy = (yield* rmap.copyVmAreaStruct(at)) as Ptr<VmAreaStruct>;
    yield* store(VmAreaStruct.vmMm(copy), child);
    yield* rmap.anonVmaLink(copy);
    yield* rmap.vmaLinkFileCopy(copy, at);
    const place = yield* rmap.findVmaPrepare(child, yield* load(VmAreaStruct.vmStart(copy)));
    yield* rmap.lockAreas(child);
    yield* store(place.prev === NULL ? MmStruct.mmap(child) : VmAreaStruct.vmNext(place.prev), copy);
    yield* rmap.rbLinkNode(VmAreaStruct.vmRb(copy), place.rbParent, place.rbLink);
    yield* rmap.rbInsertColor(VmAreaStruct.vmRb(copy), MmStruct.mmRb(child));
    yield* rmap.unlockAreas(child);
    yield* rmap.addMapCount(child, 1);
    yield* copyPages(child, parent, at);
  }
}

function* copyPages(child: Ptr<MmStruct>, parent: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>): Op<void> {
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  for (let address = yield* load(VmAreaStruct.vmStart(vma)); address < end; ) {
    const range = yield* rmap.nextPteRange(parent, address, end);
    if (range === NULL) return;
    for (address = range.address; address < range.end; address++) {
      const ptep = yield* rmap.pteAllocMap(child, address);
      if (ptep === NULL) bug('out of memory');
      yield* copyOne(child, parent, address, ptep, (range.ptes + (address - range.address)) as Ref<Pte>);
    }
  }
}

function* copyOne(
  child: Ptr<MmStruct>,
  parent: Ptr<MmStruct>,
  address: number,
  to: Ref<Pte>,
  from: Ref<Pte>,
): Op<void> {
  const spare = yield* prepare();
  yield* spinLock(rmap.pteLockptr(child, to));
  yield* spinLock(rmap.pteLockptr(parent, from));
  const pte = yield* rmap.readPte(from);
  const page: Ptr<Page> | Null = rmap.ptePresent(pte) ? rmap.vmNormalPage(NULL, address, pte) : NULL;
  if (page !== NULL) {
    yield* rmap.ptepSetWrprotect(parent, address, from);
    yield* getPage(page);
    yield* rmap.pageDupRmap(page, to, spare);
    yield* addRss((yield* pageAnon(page)) ? MmStruct.anonRss(child) : MmStruct.fileRss(child), 1);
    yield* rmap.setPteAt(child, address, to, (yield* rmap.readPte(from)) as Pte);
  }
  yield* spinUnlock(rmap.pteLockptr(parent, from));
  yield* spinUnlock(rmap.pteLockptr(child, to));
  yield* rmap.rmapRelease(spare);
}
