// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { load, NULL, rcuDereference, store } from '@lockless/cpu';
import type { AnonVma, File } from '@lockless/mm-types';
import {
  MmStruct,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_IO,
  VM_PFNMAP,
  VM_READ,
  VM_RESERVED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { isSpecialMapping } from './special-mapping.js';
import { findVmaPrepare, findVmaPrev, vmaLink } from './vma.js';
import { copyVmAreaStruct, vmaAdjust } from './vma-adjust.js';

/** Areas that never merge, nor have huge pages. */
export const VM_SPECIAL: number = VM_IO | VM_DONTEXPAND | VM_RESERVED | VM_PFNMAP;

/** What a request to map has in common with an area, if they can be one. */
export interface VmaKind {
  readonly vmFlags: number;
  readonly anonVma: Ptr<AnonVma> | Null;
  readonly file: Ptr<File> | Null;
}

/** is_mergeable_anon_vma(): an area without one can take the other's. */
const isMergeableAnonVma = (a: Ptr<AnonVma> | Null, b: Ptr<AnonVma> | Null): boolean =>
  a === NULL || b === NULL || a === b;

function* isMergeable(vma: Ptr<VmAreaStruct>, kind: VmaKind): Op<boolean> {
  return (
    (yield* load(VmAreaStruct.vmFlags(vma))) === kind.vmFlags &&
    (yield* load(VmAreaStruct.vmFile(vma))) === kind.file &&
    isMergeableAnonVma(kind.anonVma, yield* rcuDereference(VmAreaStruct.anonVma(vma)))
  );
}

/** can_vma_merge_before(): a request of that kind, whose page behind the end would be `pgoff`, can be put in front of `vma`. */
export function* canVmaMergeBefore(vma: Ptr<VmAreaStruct>, kind: VmaKind, pgoff: number): Op<boolean> {
  return (yield* isMergeable(vma, kind)) && (yield* load(VmAreaStruct.vmPgoff(vma))) === pgoff;
}

/** can_vma_merge_after(): a request of that kind, beginning at `pgoff`, can be put behind `vma`. */
export function* canVmaMergeAfter(vma: Ptr<VmAreaStruct>, kind: VmaKind, pgoff: number): Op<boolean> {
  if (!(yield* isMergeable(vma, kind))) return false;
  const pages = (yield* load(VmAreaStruct.vmEnd(vma))) - (yield* load(VmAreaStruct.vmStart(vma)));
  return (yield* load(VmAreaStruct.vmPgoff(vma))) + pages === pgoff;
}

/**
 * vma_merge(): covers [address, end) by moving the bounds of neighbours, instead of a new area. Either nothing is in the range (mmap, brk,
 * mremap), or it is a whole area, or one side of an area, whose flags are to become `kind` (mprotect). `P` is the area before, `N` the one
 * behind, `A` one in the range:
 *
 * ```
 *   range empty                       range = A                        range = one side of A
 *   1  P and N fit   P grows over N   6  P and N fit   P grows over N  4  N fits, range = end of P     N grows down
 *   2  P fits        P grows          7  P fits        P swallows A    5  P fits, range = start of A   P grows up
 *   3  N fits        N grows down     8  N fits        A swallows N
 * ```
 *
 * *Context*: mmap_sem for write. `prev` is the area before `address` (in cases 4 and 5 the one that holds or ends at it).
 * *Returns* the area that now covers the range, NULL when none can. mprotect sets its vm_flags: in case 8 they are still A's old ones.
 * *Source*: vma_merge(), mm/mmap.c, 2.6.27.
 */
export function* vmaMerge(
  mm: Ptr<MmStruct>,
  prev: Ptr<VmAreaStruct> | Null,
  address: number,
  end: number,
  kind: VmaKind,
  pgoff: number,
): Op<Ptr<VmAreaStruct> | Null> {
  if ((kind.vmFlags & VM_SPECIAL) !== 0) return NULL;
  const area = yield* load(prev === NULL ? MmStruct.mmap(mm) : VmAreaStruct.vmNext(prev));
  let next = area;
  if (next !== NULL && (yield* load(VmAreaStruct.vmEnd(next))) === end) next = yield* load(VmAreaStruct.vmNext(next));

  const nextFits =
    next !== NULL &&
    (yield* load(VmAreaStruct.vmStart(next))) === end &&
    (yield* canVmaMergeBefore(next, kind, pgoff + (end - address)));

  if (
    prev !== NULL &&
    (yield* load(VmAreaStruct.vmEnd(prev))) === address &&
    (yield* canVmaMergeAfter(prev, kind, pgoff))
  ) {
    const all = nextFits && next !== NULL && (yield* shareAnonVma(prev, next));
    const newEnd = all ? yield* load(VmAreaStruct.vmEnd(next as Ptr<VmAreaStruct>)) : end;
    const prevStart = yield* load(VmAreaStruct.vmStart(prev));
    yield* vmaAdjust(prev, prevStart, newEnd, yield* load(VmAreaStruct.vmPgoff(prev))); // cases 1, 6; 2, 5, 7
    return prev;
  }
  if (!nextFits || next === NULL || area === NULL) return NULL;
  if (prev !== NULL && address < (yield* load(VmAreaStruct.vmEnd(prev)))) {
    const prevStart = yield* load(VmAreaStruct.vmStart(prev));
    yield* vmaAdjust(prev, prevStart, address, yield* load(VmAreaStruct.vmPgoff(prev))); // case 4
  } else {
    yield* vmaAdjust(area, address, yield* load(VmAreaStruct.vmEnd(next)), pgoff); // cases 3, 8
  }
  return area;
}

function* shareAnonVma(a: Ptr<VmAreaStruct>, b: Ptr<VmAreaStruct>): Op<boolean> {
  return isMergeableAnonVma(yield* load(VmAreaStruct.anonVma(a)), yield* load(VmAreaStruct.anonVma(b)));
}

/** What {@link copyVma} made. */
export interface CopiedVma {
  readonly copy: Ptr<VmAreaStruct>;
  /** The area copied from: another than before when it was merged away. */
  readonly source: Ptr<VmAreaStruct>;
}

/**
 * copy_vma(): an area like `vma` at another place, for mremap to move the ptes into.
 *
 * *Context*: mmap_sem for write; nothing is mapped at the new place.
 * *Returns* NULL when memory is short.
 * *Source*: copy_vma(), mm/mmap.c, 2.6.27.
 */
export function* copyVma(vma: Ptr<VmAreaStruct>, address: number, pages: number, pgoff: number): Op<CopiedVma | Null> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const kind: VmaKind = {
    vmFlags: yield* load(VmAreaStruct.vmFlags(vma)),
    anonVma: yield* load(VmAreaStruct.anonVma(vma)),
    file: yield* load(VmAreaStruct.vmFile(vma)),
  };
  // An anonymous area without pages may be renumbered, which gives it a better chance to merge.
  if (kind.file === NULL && kind.anonVma === NULL && !(yield* isSpecialMapping(vma))) pgoff = address;
  const place = yield* findVmaPrepare(mm, address);
  const merged = yield* vmaMerge(mm, place.prev, address, address + pages, kind, pgoff);
  if (merged !== NULL) {
    const swallowed =
      start >= (yield* load(VmAreaStruct.vmStart(merged))) && start < (yield* load(VmAreaStruct.vmEnd(merged)));
    return { copy: merged, source: swallowed ? merged : vma };
  }
  const copy = yield* copyVmAreaStruct(vma);
  if (copy === NULL) return NULL;
  yield* store(VmAreaStruct.vmStart(copy), address);
  yield* store(VmAreaStruct.vmEnd(copy), address + pages);
  yield* store(VmAreaStruct.vmPgoff(copy), pgoff);
  yield* vmaLink(mm, copy, place);
  return { copy, source: vma };
}

/**
 * find_mergeable_anon_vma(): the anon_vma of a neighbour that `vma` could be merged with if their rights were equal: sharing it keeps a
 * later mprotect from ending in two areas that cannot merge.
 *
 * *Context*: mmap_sem, read is enough. *Returns* NULL: make a new one.
 * *Source*: find_mergeable_anon_vma(), mm/mmap.c, 2.6.27.
 */
export function* findMergeableAnonVma(vma: Ptr<VmAreaStruct>): Op<Ptr<AnonVma> | Null> {
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const next = yield* load(VmAreaStruct.vmNext(vma));
  if (next !== NULL && (yield* load(VmAreaStruct.vmStart(next))) === end) {
    const anonVma = yield* rcuDereference(VmAreaStruct.anonVma(next));
    if (anonVma !== NULL && (yield* adjoins(vma, next))) return anonVma;
  }
  const { prev } = yield* findVmaPrev(yield* load(VmAreaStruct.vmMm(vma)), start);
  if (prev !== NULL && (yield* load(VmAreaStruct.vmEnd(prev))) === start) {
    const anonVma = yield* rcuDereference(VmAreaStruct.anonVma(prev));
    if (anonVma !== NULL && (yield* adjoins(prev, vma))) return anonVma;
  }
  return NULL;
}

/** Whether `upper` goes on where `lower` ends, read, write and execute rights aside. */
function* adjoins(lower: Ptr<VmAreaStruct>, upper: Ptr<VmAreaStruct>): Op<boolean> {
  const rights = VM_READ | VM_WRITE | VM_EXEC;
  const pages = (yield* load(VmAreaStruct.vmEnd(lower))) - (yield* load(VmAreaStruct.vmStart(lower)));
  return (
    (((yield* load(VmAreaStruct.vmFlags(lower))) ^ (yield* load(VmAreaStruct.vmFlags(upper)))) & ~rights) === 0 &&
    (yield* load(VmAreaStruct.vmFile(lower))) === (yield* load(VmAreaStruct.vmFile(upper))) &&
    (yield* load(VmAreaStruct.vmPgoff(lower))) + pages === (yield* load(VmAreaStruct.vmPgoff(upper)))
  );
}
