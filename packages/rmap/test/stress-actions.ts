// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicCmpxchg,
  downRead,
  downWrite,
  load,
  mutexLock,
  mutexUnlock,
  NULL,
  spinLock,
  spinUnlock,
  store,
  upRead,
  upWrite,
} from '@lockless/cpu';
import { type AddressSpace, File, MmStruct, Page, VM_READ, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import {
  getPage,
  getPageUnlessZero,
  lockPage,
  memMapPages,
  pageMapcount,
  pfnToPage,
  putPage,
  setPageDirty,
  testClearPageDirty,
  unlockPage,
} from '@lockless/page';
import type { Random } from '@lockless/simulator';
import type { Pte } from '../src/index.js';
import { mapArea, protectArea } from './address-space.js';
import { faultAnon, faultFile, forkMm, munmap } from './memory.js';
import { rmap } from './package-under-test.js';
import { BASES, broken, inodeMutex, SHARED, W, type World } from './stress-world.js';

export type Action =
  | 'touch'
  | 'remap'
  | 'protect'
  | 'zap'
  | 'fork'
  | 'reclaim'
  | 'look'
  | 'truncate'
  | 'clean'
  | 'install'
  | 'install-elsewhere';
/** What a task does unless it is told: mostly faults. */
export const ALL: readonly Action[] = [
  'touch',
  'touch',
  'remap',
  'protect',
  'zap',
  'fork',
  'reclaim',
  'look',
  'truncate',
  'clean',
];

/** One action of a task, on a random range or page of the world. */
export function act(world: World, random: Random, action: Action): Op<void> {
  const mm = world.mms[random.below(world.mms.length)];
  const base = BASES[random.below(2)];
  const pages = world.cache.length;
  const from = random.below(pages);
  const range = { start: base + from, end: base + from + 1 + random.below(pages - from), pgoff: from };
  const page = world.cache[random.below(pages)];
  switch (action) {
    case 'touch':
      return touch(world, mm, range, random);
    case 'remap':
      return remap(world, mm, range, random);
    case 'protect':
      return protect(mm, range, random);
    case 'zap':
      return zap(mm, range);
    case 'fork':
      return fork(mm);
    case 'reclaim':
      return reclaim(page);
    case 'look':
      return look(random);
    case 'truncate':
      return truncate(world, page);
    case 'clean':
      return clean(world, page);
    case 'install':
      return install(world, mm, range.start, random);
    case 'install-elsewhere':
      return install(world, mm, range.start, random, page);
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly pgoff: number;
}

/** Faults on some pages, and writes to those that may be written, as the hardware does: without a lock of the entry. */
function* touch(world: World, mm: Ptr<MmStruct>, range: Range, random: Random): Op<void> {
  yield* downRead(MmStruct.mmapSem(mm));
  for (let address = range.start; address < range.end; address++) {
    const vma = yield* rmap.findVma(mm, address);
    if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) continue;
    const shared = ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) !== 0;
    const fromFile = (yield* load(VmAreaStruct.vmFile(vma))) !== NULL && (shared || random.below(2) === 0);
    if (fromFile) yield* faultFile(vma, address, world.cache);
    else yield* faultAnon(vma, address);
  }
  for (let address = range.start; address < range.end; address++) yield* hardwareWrite(world, mm, address);
  yield* upRead(MmStruct.mmapSem(mm));
}

export function* hardwareWrite(world: World, mm: Ptr<MmStruct>, address: number): Op<void> {
  const ptep = yield* rmap.pteOffsetMap(mm, address);
  if (ptep === NULL) return;
  const pte = yield* rmap.readPte(ptep);
  const page = pfnToPage(rmap.ptePfn(pte));
  if ((pte & rmap.PTE_PRESENT) === 0 || !rmap.pteWrite(pte) || world.written.has(page)) return;
  // Before the write, because it may be seen as soon as it is done.
  world.written.add(page);
  const seen = yield* atomicCmpxchg(ptep, pte, rmap.pteMkdirty(rmap.pteMkyoung(pte)));
  if (seen !== pte) world.written.delete(page);
}

function* remap(world: World, mm: Ptr<MmStruct>, { start, end, pgoff }: Range, random: Random): Op<void> {
  yield* downWrite(MmStruct.mmapSem(mm));
  yield* munmap(mm, start, end);
  const kind = random.below(4);
  const pages = end - start;
  if (kind === 0) yield* mapArea(mm, { start, pages, vmFlags: W, file: NULL, pgoff: start });
  else if (kind < 3) yield* mapArea(mm, { start, pages, vmFlags: kind === 1 ? SHARED : W, file: world.file, pgoff });
  yield* upWrite(MmStruct.mmapSem(mm));
}

/** mprotect: splits and merges areas, and rewrites the entries, each of which is empty for a moment. */
function* protect(mm: Ptr<MmStruct>, { start, end }: Range, random: Random): Op<void> {
  yield* downWrite(MmStruct.mmapSem(mm));
  yield* protectArea(mm, start, end, random.below(2) === 0 ? VM_READ : W);
  for (let address = start; address < end; ) {
    const run = yield* rmap.nextPteRange(mm, address, end);
    if (run === NULL) break;
    yield* spinLock(rmap.pteLockptr(mm, run.ptes));
    for (address = run.address; address < run.end; address++) {
      const ptep = (run.ptes + (address - run.address)) as Ref<Pte>;
      if (!rmap.ptePresent(yield* rmap.readPte(ptep))) continue;
      yield* rmap.ptepModifyProtCommit(mm, address, ptep, yield* rmap.ptepModifyProtStart(mm, address, ptep));
    }
    yield* spinUnlock(rmap.pteLockptr(mm, run.ptes));
  }
  yield* upWrite(MmStruct.mmapSem(mm));
}

/** madvise(MADV_DONTNEED). */
function* zap(mm: Ptr<MmStruct>, { start, end }: Range): Op<void> {
  yield* downRead(MmStruct.mmapSem(mm));
  const vma = yield* rmap.findVmaIntersection(mm, start, end);
  if (vma !== NULL) {
    const from = Math.max(start, yield* load(VmAreaStruct.vmStart(vma)));
    yield* rmap.zapPageRange(vma, from, Math.min(end, yield* load(VmAreaStruct.vmEnd(vma))));
  }
  yield* upRead(MmStruct.mmapSem(mm));
}

/** A child that lives shortly. */
export function* fork(parent: Ptr<MmStruct>): Op<void> {
  const child = yield* rmap.mmAlloc(parent);
  if (child === NULL) return;
  yield* downWrite(MmStruct.mmapSem(parent));
  yield* forkMm(child, parent);
  yield* upWrite(MmStruct.mmapSem(parent));
  yield* munmap(child, 0, rmap.TASK_SIZE);
  yield* rmap.mmdrop(child);
}

/** What reclaim does to a page of the file. "Not mapped" holds until the page is unlocked. */
function* reclaim(page: Ptr<Page>): Op<void> {
  yield* lockPage(page);
  yield* rmap.pageReferenced(page, true);
  if ((yield* rmap.tryToUnmap(page, false)) === rmap.SWAP_SUCCESS) {
    const left = yield* pageMapcount(page);
    if (left !== 0) broken(`try_to_unmap succeeded, and the page has ${left} mappings`);
  }
  yield* unlockPage(page);
}

/** Reclaim's look at any page, which may be unmapped, freed and used for something else at any time before. */
function* look(random: Random): Op<void> {
  const page = pfnToPage(1 + random.below(memMapPages() - 1));
  if (!(yield* getPageUnlessZero(page))) return;
  yield* rmap.pageReferenced(page, false);
  yield* putPage(page);
}

/** Truncation of one page: whoever had it mapped loses it, and until it is back nobody maps it. */
function* truncate(world: World, page: Ptr<Page>): Op<void> {
  const mapping = (yield* load(File.mapping(world.file))) as Ptr<AddressSpace>;
  yield* mutexLock(inodeMutex);
  yield* lockPage(page);
  yield* rmap.unmapMappingRange(mapping, yield* load(Page.index(page)), 1, true);
  const left = yield* pageMapcount(page);
  if (left !== 0) broken(`unmap_mapping_range has passed, and the page has ${left} mappings`);
  yield* store(Page.mapping(page), NULL);
  yield* unlockPage(page);
  yield* lockPage(page);
  yield* store(Page.mapping(page), mapping);
  yield* unlockPage(page);
  yield* mutexUnlock(inodeMutex);
}

/** remap_file_pages() of one page: at its linear place, or `page` where it happens to be. */
function* install(
  world: World,
  mm: Ptr<MmStruct>,
  address: number,
  random: Random,
  elsewhere: Ptr<Page> | Null = NULL,
): Op<void> {
  yield* downRead(MmStruct.mmapSem(mm));
  const vma = yield* rmap.findVma(mm, address);
  if (vma !== NULL && (yield* load(VmAreaStruct.vmStart(vma))) <= address) {
    const flags = yield* load(VmAreaStruct.vmFlags(vma));
    const linear = world.cache[yield* rmap.linearPageIndex(vma, address)];
    const page = elsewhere === NULL ? linear : elsewhere;
    if ((flags & VM_SHARED) !== 0 && random.below(4) > 0) {
      yield* getPage(page);
      if ((yield* rmap.installPage(mm, vma, address, page, rmap.vmGetPageProt(flags))) !== 0) yield* putPage(page);
    }
  }
  yield* upRead(MmStruct.mmapSem(mm));
}

/** clear_page_dirty_for_io(): while the page is locked, no shared entry becomes writable again. */
export function* clean(world: World, page: Ptr<Page>): Op<void> {
  yield* lockPage(page);
  if ((yield* rmap.pageMkclean(page)) > 0) yield* setPageDirty(page);
  if (yield* testClearPageDirty(page)) world.written.delete(page);
  const again = yield* rmap.pageMkclean(page);
  if (again > 0) broken(`page_mkclean left ${again} entries that could be written`);
  yield* unlockPage(page);
}
