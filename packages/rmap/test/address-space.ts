// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, SpinLock } from '@lockless/cpu';
import {
  atomicDec,
  atomicInc,
  bugOn,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  store,
} from '@lockless/cpu';

import { AddressSpace, File, MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { rmap } from './package-under-test.js';

/* The smallest mmap(), munmap() and mprotect() above the functions under test. */

const fileCachep = kmemCacheCreate(File);
const mappingCachep = kmemCacheCreate(AddressSpace);

export function* newFile(): Op<Ptr<File>> {
  const file = (yield* kmemCacheAlloc(fileCachep, GFP_KERNEL)) as Ptr<File>;
  const mapping = (yield* kmemCacheAlloc(mappingCachep, GFP_KERNEL)) as Ptr<AddressSpace>;
  yield* store(AddressSpace.iMmapLock(mapping), 0 as SpinLock);
  yield* initListHead(AddressSpace.iMmap(mapping));
  yield* initListHead(AddressSpace.iMmapNonlinear(mapping));
  yield* store(AddressSpace.truncateCount(mapping), 1);
  yield* store(File.mapping(file), mapping);
  yield* store(File.count(file), 1);
  return file;
}

export interface Request {
  readonly start: number;
  readonly pages: number;
  readonly vmFlags: number;
  readonly file: Ptr<File> | Null;
  readonly pgoff: number;
}

/** Maps; what was there is unmapped first, as with MAP_FIXED. */
export function* mapArea(mm: Ptr<MmStruct>, request: Request): Op<Ptr<VmAreaStruct>> {
  const { start, pages, vmFlags, file, pgoff } = request;
  yield* unmapArea(mm, start, start + pages);
  const place = yield* rmap.findVmaPrepare(mm, start);
  const kind = { vmFlags, anonVma: NULL, file } as const;
  const merged = yield* rmap.vmaMerge(mm, place.prev, start, start + pages, kind, pgoff);
  if (merged !== NULL) return merged;
  const vma = (yield* kmemCacheAlloc(rmap.vmAreaCachep, GFP_KERNEL)) as Ptr<VmAreaStruct>;
  yield* store(VmAreaStruct.vmMm(vma), mm);
  yield* store(VmAreaStruct.vmStart(vma), start);
  yield* store(VmAreaStruct.vmEnd(vma), start + pages);
  yield* store(VmAreaStruct.vmFlags(vma), vmFlags);
  yield* store(VmAreaStruct.vmFile(vma), file);
  yield* store(VmAreaStruct.vmPgoff(vma), pgoff);
  if (file !== NULL) yield* atomicInc(File.count(file));
  yield* rmap.vmaLink(mm, vma, yield* rmap.findVmaPrepare(mm, start));
  return vma;
}

/** What must happen to the pages of detached areas before the areas are freed. */
export type Unmapper = (
  first: Ptr<VmAreaStruct>,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
) => Op<void>;

/** Takes the areas off the reverse mapping: enough while no page is mapped. */
function* unlinkOnly(first: Ptr<VmAreaStruct>): Op<void> {
  for (let at: Ptr<VmAreaStruct> | Null = first; at !== NULL; at = yield* load(VmAreaStruct.vmNext(at))) {
    yield* rmap.anonVmaUnlink(at);
    yield* rmap.unlinkFileVma(at);
  }
}

export function* unmapArea(mm: Ptr<MmStruct>, start: number, end: number, unmap: Unmapper = unlinkOnly): Op<void> {
  const { vma, prev: before } = yield* rmap.findVmaPrev(mm, start);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) >= end) return;
  let first = vma;
  let prev = before;
  if ((yield* load(VmAreaStruct.vmStart(vma))) < start) {
    yield* noError(rmap.splitVma(mm, vma, start, false));
    prev = vma;
    first = (yield* load(VmAreaStruct.vmNext(vma))) as Ptr<VmAreaStruct>;
  }
  const last = yield* rmap.findVma(mm, end);
  if (last !== NULL && (yield* load(VmAreaStruct.vmStart(last))) < end) {
    yield* noError(rmap.splitVma(mm, last, end, true));
    first = (yield* load(prev === NULL ? MmStruct.mmap(mm) : VmAreaStruct.vmNext(prev))) as Ptr<VmAreaStruct>;
  }
  yield* rmap.detachVmas(mm, first, prev, end);
  const floor = prev === NULL ? 0 : yield* load(VmAreaStruct.vmEnd(prev));
  const next = yield* rmap.findVma(mm, end);
  yield* unmap(first, start, end, floor, next === NULL ? 0 : yield* load(VmAreaStruct.vmStart(next)));
  for (let at: Ptr<VmAreaStruct> | Null = first; at !== NULL; ) {
    const following: Ptr<VmAreaStruct> | Null = yield* load(VmAreaStruct.vmNext(at));
    const file = yield* load(VmAreaStruct.vmFile(at));
    if (file !== NULL) yield* atomicDec(File.count(file));
    yield* kmemCacheFree(rmap.vmAreaCachep, at);
    at = following;
  }
}

/** mprotect_fixup() for each area of the range. */
export function* protectArea(mm: Ptr<MmStruct>, start: number, end: number, rights: number): Op<void> {
  for (let at = start; at < end; ) {
    const { vma, prev } = yield* rmap.findVmaPrev(mm, at);
    if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) >= end) return;
    const from = Math.max(at, yield* load(VmAreaStruct.vmStart(vma)));
    const to = Math.min(end, yield* load(VmAreaStruct.vmEnd(vma)));
    yield* protectOne(mm, from > (yield* load(VmAreaStruct.vmStart(vma))) ? vma : prev, vma, from, to, rights);
    at = to;
  }
}

function* protectOne(
  mm: Ptr<MmStruct>,
  prev: Ptr<VmAreaStruct> | Null,
  vma: Ptr<VmAreaStruct>,
  from: number,
  to: number,
  rights: number,
): Op<void> {
  const oldFlags = yield* load(VmAreaStruct.vmFlags(vma));
  const vmFlags = (oldFlags & ~7) | rights;
  if (vmFlags === oldFlags) return;
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const kind = {
    vmFlags,
    anonVma: yield* load(VmAreaStruct.anonVma(vma)),
    file: yield* load(VmAreaStruct.vmFile(vma)),
  };
  const pgoff = (yield* load(VmAreaStruct.vmPgoff(vma))) + (from - start);
  const merged = yield* rmap.vmaMerge(mm, prev, from, to, kind, pgoff);
  if (merged !== NULL) {
    yield* store(VmAreaStruct.vmFlags(merged), vmFlags);
    return;
  }
  if (from > start) yield* noError(rmap.splitVma(mm, vma, from, true));
  if (to < (yield* load(VmAreaStruct.vmEnd(vma)))) yield* noError(rmap.splitVma(mm, vma, to, false));
  yield* store(VmAreaStruct.vmFlags(vma), vmFlags);
}

function* noError(op: Op<number>): Op<void> {
  const error = yield* op;
  bugOn(error !== 0, `error ${error}`);
}
