// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicInc,
  current,
  downWrite,
  GFP_KERNEL,
  kmemCacheAlloc,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  store,
  upWrite,
} from '@lockless/cpu';
import {
  EACCES,
  EEXIST,
  EINVAL,
  ENOMEM,
  File,
  FMODE_READ,
  FMODE_WRITE,
  MmStruct,
  taskMm,
  VM_ACCOUNT,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { filePut } from '@lockless/pagecache';
import { findVmaIntersection, findVmaPrepare, vmAreaCachep, vmaLink, vmaMerge } from '@lockless/rmap';
import { makePagesPresent } from './mlock.js';
import { doMunmap } from './munmap.js';
import { calcVmProtBits } from './page-prot.js';
import { shmemFileSetup } from './shmem.js';
import { checkRange, getUnmappedArea, MAX_MAP_COUNT, TASK_PAGES } from './unmapped-area.js';

/* MAP_* of mmap(2). */
export const MAP_SHARED = 0x1;
export const MAP_PRIVATE = 0x2;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_GROWSDOWN = 0x100;
export const MAP_LOCKED = 0x2000;
export const MAP_POPULATE = 0x8000;
/** As MAP_FIXED, but -EEXIST instead of unmapping what is there (4.17). */
export const MAP_FIXED_NOREPLACE = 0x100000;

/** What is to be mapped; addresses and lengths in pages. */
export interface MmapRequest {
  /** Where: exactly, with MAP_FIXED; else a wish, 0 for none. */
  readonly address: number;
  readonly pages: number;
  /** PROT_* bits. */
  readonly prot: number;
  /** MAP_* bits. */
  readonly flags: number;
  /** NULL: anonymous. The area takes a reference of its own. */
  readonly file: Ptr<File> | Null;
  /** First page of the file. */
  readonly pgoff: number;
}

/**
 * do_mmap_pgoff(): maps a file or anonymous memory.
 *
 * *Context*: mmap_sem for writing. Sleeps.
 * *Returns* the first page's number, or -EINVAL, -ENOMEM, -EACCES, -EEXIST.
 * *Source*: `do_mmap_pgoff`, mm/mmap.c, 2.6.27.
 * *Differs*: no accounting of overcommitted memory, no limits but the number of areas.
 */
export function* doMmap(mm: Ptr<MmStruct>, request: MmapRequest): Op<number> {
  const { pages, file } = request;
  if (pages <= 0) return -EINVAL;
  const address = yield* chooseAddress(mm, request);
  if (address < 0) return address;
  if ((yield* load(MmStruct.mapCount(mm))) > MAX_MAP_COUNT) return -ENOMEM;
  const asked = yield* areaFlags(request);
  if (asked < 0) return asked;
  const vmFlags = asked | (yield* load(MmStruct.defFlags(mm)));
  if (file !== NULL || (vmFlags & VM_SHARED) === 0)
    return yield* mmapRegion(mm, address, pages, vmFlags, file, request.pgoff);
  // Shared anonymous memory is a file without a name.
  const shmem = yield* shmemFileSetup(pages);
  if (shmem === NULL) return -ENOMEM;
  const result = yield* mmapRegion(mm, address, pages, vmFlags, shmem, 0);
  yield* filePut(shmem);
  return result;
}

function* chooseAddress(mm: Ptr<MmStruct>, { address, pages, flags }: MmapRequest): Op<number> {
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) === 0) return yield* getUnmappedArea(mm, address, pages);
  const error = checkRange(address, pages);
  if (error !== 0) return error;
  const taken =
    (flags & MAP_FIXED_NOREPLACE) !== 0 && (yield* findVmaIntersection(mm, address, address + pages)) !== NULL;
  return taken ? -EEXIST : address;
}

/** The VM_* bits that prot, flags and the file's mode make, or -EINVAL, -EACCES. */
function* areaFlags({ prot, flags, file }: MmapRequest): Op<number> {
  const shared = (flags & MAP_SHARED) !== 0;
  if (shared === ((flags & MAP_PRIVATE) !== 0)) return -EINVAL;
  let vmFlags = calcVmProtBits(prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if ((flags & MAP_GROWSDOWN) !== 0) vmFlags |= VM_GROWSDOWN;
  if ((flags & MAP_LOCKED) !== 0) vmFlags |= VM_LOCKED;
  if (shared) vmFlags |= VM_SHARED | VM_MAYSHARE;
  if (file === NULL) return vmFlags;
  const mode = yield* load(File.mode(file));
  if ((mode & FMODE_READ) === 0) return -EACCES;
  if (shared && (mode & FMODE_WRITE) === 0) {
    if ((prot & VM_WRITE) !== 0) return -EACCES;
    // Can never become writable: treated as a private mapping from here on, except for its name.
    vmFlags &= ~(VM_MAYWRITE | VM_SHARED);
  }
  return vmFlags;
}

/**
 * accountable_mapping(): private memory that can be written counts as committed, and keeps VM_ACCOUNT when write access goes. Nothing is
 * counted here, but areas that differ in it do not merge, which decides what fork copies.
 */
export const accountedFlags = (vmFlags: number): number =>
  (vmFlags & (VM_WRITE | VM_SHARED)) === VM_WRITE ? vmFlags | VM_ACCOUNT : vmFlags;

/**
 * mmap_region(): what was there goes; then the area grows out of a neighbour or is made.
 *
 * *Context*: mmap_sem for writing. *Returns* `address`, or -ENOMEM. *Source*: `mmap_region`, mm/mmap.c, 2.6.27.
 */
export function* mmapRegion(
  mm: Ptr<MmStruct>,
  address: number,
  pages: number,
  wantedFlags: number,
  file: Ptr<File> | Null,
  filePgoff: number,
): Op<number> {
  const vmFlags = accountedFlags(wantedFlags);
  const end = address + pages;
  if ((yield* findVmaIntersection(mm, address, end)) !== NULL) {
    if ((yield* doMunmap(mm, address, pages)) !== 0) return -ENOMEM;
  }
  // Anonymous pages are numbered by where they are, so that neighbours can become one area.
  const pgoff = file === NULL ? address : filePgoff;
  const place = yield* findVmaPrepare(mm, address);
  const merged = yield* vmaMerge(mm, place.prev, address, end, { vmFlags, anonVma: NULL, file }, pgoff);
  if (merged === NULL) {
    const vma = yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL);
    if (vma === NULL) return -ENOMEM;
    yield* store(VmAreaStruct.vmMm(vma), mm);
    yield* store(VmAreaStruct.vmStart(vma), address);
    yield* store(VmAreaStruct.vmEnd(vma), end);
    yield* store(VmAreaStruct.vmFlags(vma), vmFlags);
    yield* store(VmAreaStruct.vmPgoff(vma), pgoff);
    yield* store(VmAreaStruct.vmFile(vma), file);
    if (file !== NULL) yield* atomicInc(File.count(file));
    yield* vmaLink(mm, vma, place);
  }
  yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) + pages);
  if ((vmFlags & VM_LOCKED) !== 0) yield* store(MmStruct.lockedVm(mm), (yield* load(MmStruct.lockedVm(mm))) + pages);
  return address;
}

/**
 * mmap(2), in pages.
 *
 * *Context*: a task with an mm. *Returns* the first page's number or a negative errno.
 * *Source*: `sys_mmap_pgoff`, 2.6.27; populating after mmap_sem is dropped as in 3.9.
 */
export function* sysMmap(request: MmapRequest): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  yield* downWrite(MmStruct.mmapSem(mm));
  const address = yield* doMmap(mm, request);
  yield* upWrite(MmStruct.mmapSem(mm));
  const present = (request.flags & (MAP_POPULATE | MAP_LOCKED)) !== 0 || (yield* load(MmStruct.defFlags(mm))) !== 0;
  if (address >= 0 && present) yield* makePagesPresent(mm, address, address + request.pages);
  return address;
}

/**
 * brk(2), in pages: moves the end of the heap. `page` is the first page above it.
 *
 * *Returns* the first page above the heap as it is then, which is the old one when the request could not be met.
 * *Source*: `sys_brk`, `do_brk`, mm/mmap.c, 2.6.27. *Differs*: the caller rounds bytes up to pages; no RLIMIT_DATA.
 */
export function* sysBrk(page: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EINVAL;
  yield* downWrite(MmStruct.mmapSem(mm));
  const old = yield* load(MmStruct.brk(mm));
  const brk = yield* moveBrk(mm, page);
  yield* upWrite(MmStruct.mmapSem(mm));
  if (brk > old && (yield* load(MmStruct.defFlags(mm))) !== 0) yield* makePagesPresent(mm, old, brk);
  return brk;
}

function* moveBrk(mm: Ptr<MmStruct>, page: number): Op<number> {
  const old = yield* load(MmStruct.brk(mm));
  if (page < (yield* load(MmStruct.startBrk(mm))) || page > TASK_PAGES) return old;
  if (page < old && (yield* doMunmap(mm, page, old - page)) !== 0) return old;
  if (page > old) {
    if ((yield* findVmaIntersection(mm, old, page + 1)) !== NULL) return old;
    const flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | (yield* load(MmStruct.defFlags(mm)));
    if ((yield* mmapRegion(mm, old, page - old, flags, NULL, 0)) < 0) return old;
  }
  yield* store(MmStruct.brk(mm), page);
  return page;
}
