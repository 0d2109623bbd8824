// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  containerOf,
  defineWord,
  kmemCacheCreate,
  load,
  NULL,
  peek,
  poke,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import { AddressSpace, ENOMEM, MmStruct, RbNode, VmAreaStruct } from '@lockless/mm-types';
import { anonVmaLinkLocked, anonVmaLock, anonVmaUnlock } from './anon-vma.js';
import { vmaLinkFileLocked, vmaMapping } from './i-mmap.js';
import type { RbRoot } from './rbtree.js';
import { rbErase, rbInsertColor, rbLinkNode } from './rbtree.js';

/*
 * The areas of an mm: a list by address, and a red-black tree by address over the same areas. mmap_sem protects both, for read to look
 * and for write to change. The bounds of an area that has pages are also read by the reverse mapping, under anon_vma->lock or
 * i_mmap_lock: so whoever moves bounds holds those too (vma-adjust.ts).
 */

type MaybeVma = Ptr<VmAreaStruct> | Null;

export const vmAreaCachep: KmemCache<VmAreaStruct> = kmemCacheCreate(VmAreaStruct);

const vmaOf = (node: Ptr<RbNode> | Null): MaybeVma =>
  node === NULL ? NULL : containerOf<VmAreaStruct>(node, VmAreaStruct, 'vmRb');

/**
 * find_vma(): the first area that ends after `address`, whether or not it contains it.
 *
 * *Context*: mmap_sem, read is enough. *Returns* NULL when all areas end before.
 * *Ordering*: mmap_cache is read and written by several readers at once; whatever area it names, mmap_sem keeps alive.
 * *Source*: find_vma(), mm/mmap.c, 2.6.27.
 */
export function* findVma(mm: Ptr<MmStruct>, address: number): Op<MaybeVma> {
  const cached = yield* readOnce(MmStruct.mmapCache(mm));
  if (cached !== NULL && (yield* contains(cached, address))) return cached;
  const { vma } = yield* descend(mm, address);
  if (vma !== NULL) yield* writeOnce(MmStruct.mmapCache(mm), vma);
  return vma;
}

function* contains(vma: Ptr<VmAreaStruct>, address: number): Op<boolean> {
  return (yield* load(VmAreaStruct.vmEnd(vma))) > address && (yield* load(VmAreaStruct.vmStart(vma))) <= address;
}

/** Where an area is, or would be hung: what find_vma_prepare() finds. */
export interface VmaPlace {
  /** The first area that ends after the address. */
  readonly vma: MaybeVma;
  /** The area before that one. */
  readonly prev: MaybeVma;
  /** The empty place in the tree for an area at the address, and the node above it. */
  readonly rbLink: RbRoot;
  readonly rbParent: Ptr<RbNode> | Null;
}

function* descend(mm: Ptr<MmStruct>, address: number): Op<VmaPlace> {
  let link: RbRoot = MmStruct.mmRb(mm);
  let parent: Ptr<RbNode> | Null = NULL;
  let after: MaybeVma = NULL;
  let before: MaybeVma = NULL;
  for (;;) {
    const node = yield* load(link);
    if (node === NULL) break;
    parent = node;
    const vma = vmaOf(node) as Ptr<VmAreaStruct>;
    if ((yield* load(VmAreaStruct.vmEnd(vma))) > address) {
      after = vma;
      link = RbNode.left(node);
    } else {
      before = vma;
      link = RbNode.right(node);
    }
  }
  return { vma: after, prev: before, rbLink: link, rbParent: parent };
}

/**
 * find_vma_prev(): {@link findVma}, and the area before.
 *
 * *Context*: mmap_sem. *Returns* `vma` NULL behind the last area, and then `prev` is the last.
 * *Source*: find_vma_prev(), mm/mmap.c, 2.6.27.
 */
export const findVmaPrev = (mm: Ptr<MmStruct>, address: number): Op<VmaPlace> => descend(mm, address);

/**
 * find_vma_prepare(): the place for a new area that starts at `address`.
 *
 * *Context*: mmap_sem for write. *Returns* a place; it fits only if no area overlaps, which the caller sees by `vma`.
 * *Source*: find_vma_prepare(), mm/mmap.c, 2.6.27. *Differs*: does not stop early at an area that contains the address, so `prev` is
 * right in this case too.
 */
export const findVmaPrepare = (mm: Ptr<MmStruct>, address: number): Op<VmaPlace> => descend(mm, address);

/** find_vma_intersection(): the first area that shares a page with [start, end), or NULL. *Context*: mmap_sem. */
export function* findVmaIntersection(mm: Ptr<MmStruct>, start: number, end: number): Op<MaybeVma> {
  const vma = yield* findVma(mm, start);
  return vma !== NULL && (yield* load(VmAreaStruct.vmStart(vma))) < end ? vma : NULL;
}

const areasHaveNoAnonVma: Ref<number> = defineWord('areas_have_no_anon_vma');
/** From now on areas have no anon_vma: vma->has_anon says that they have anonymous pages, and reclaim looks for areas by address. *Context*: boot. */
export const useNoAnonVma = (): void => poke(areasHaveNoAnonVma, 1);
/** Whether that is so; constant after boot. */
export const anonVmaInUse = (): boolean => peek(areasHaveNoAnonVma) === 0;

/**
 * Keeps reclaim out of an mm's areas while they change. Where the reverse mapping knows entries or address spaces, reclaim looks for the area of
 * an address under page_table_lock, as all of 2.6.5 does. With anon_vma nobody looks for an area without mmap_sem, and this does nothing.
 *
 * *Context*: mmap_sem; page_table_lock not held.
 */
export function* lockAreas(mm: Ptr<MmStruct>): Op<void> {
  if (!anonVmaInUse()) yield* spinLock(MmStruct.pageTableLock(mm));
}

/** The end of {@link lockAreas}. */
export function* unlockAreas(mm: Ptr<MmStruct>): Op<void> {
  if (!anonVmaInUse()) yield* spinUnlock(MmStruct.pageTableLock(mm));
}

/**
 * __vma_link(): into list, tree and the list of its anon_vma. map_count is the caller's.
 *
 * *Context*: mmap_sem for write; anon_vma->lock, if the area has one.
 */
export function* vmaLinkLocked(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, place: VmaPlace): Op<void> {
  const before = place.prev === NULL ? MmStruct.mmap(mm) : VmAreaStruct.vmNext(place.prev);
  yield* store(VmAreaStruct.vmNext(vma), yield* load(before));
  yield* store(before, vma);
  yield* rbLinkNode(VmAreaStruct.vmRb(vma), place.rbParent, place.rbLink);
  yield* rbInsertColor(VmAreaStruct.vmRb(vma), MmStruct.mmRb(mm));
  yield* anonVmaLinkLocked(vma);
}

/**
 * vma_link(): adds an area to its mm, and to the reverse mapping of its file and its anon_vma.
 *
 * *Context*: mmap_sem for write; `place` from {@link findVmaPrepare}, nothing changed since. Takes i_mmap_lock, then anon_vma->lock.
 * *Source*: vma_link(), mm/mmap.c, 2.6.27.
 */
export function* vmaLink(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, place: VmaPlace): Op<void> {
  const mapping = yield* vmaMapping(vma);
  if (mapping !== NULL) {
    yield* spinLock(AddressSpace.iMmapLock(mapping));
    yield* store(VmAreaStruct.vmTruncateCount(vma), yield* load(AddressSpace.truncateCount(mapping)));
  }
  const anonVma = yield* anonVmaLock(vma);
  yield* lockAreas(mm);
  yield* vmaLinkLocked(mm, vma, place);
  yield* unlockAreas(mm);
  if (mapping !== NULL) yield* vmaLinkFileLocked(vma, mapping);
  yield* anonVmaUnlock(anonVma);
  if (mapping !== NULL) yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  yield* addMapCount(mm, 1);
}

/** Changes mm->map_count. *Context*: mmap_sem for write. */
export function* addMapCount(mm: Ptr<MmStruct>, delta: number): Op<void> {
  yield* store(MmStruct.mapCount(mm), (yield* load(MmStruct.mapCount(mm))) + delta);
}

/**
 * insert_vm_struct(): adds a ready-made area, as exec does with the stack.
 *
 * *Context*: mmap_sem for write. *Returns* 0, -ENOMEM when it overlaps another one.
 * *Source*: insert_vm_struct(), mm/mmap.c, 2.6.27.
 */
export function* insertVmStruct(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>): Op<number> {
  const start = yield* load(VmAreaStruct.vmStart(vma));
  // An anonymous area's pages are numbered by where it began, until it has some.
  if ((yield* load(VmAreaStruct.vmFile(vma))) === NULL && (yield* load(VmAreaStruct.anonVma(vma))) === NULL) {
    yield* store(VmAreaStruct.vmPgoff(vma), start);
  }
  const place = yield* findVmaPrepare(mm, start);
  if (place.vma !== NULL && (yield* load(VmAreaStruct.vmStart(place.vma))) < (yield* load(VmAreaStruct.vmEnd(vma)))) {
    return -ENOMEM;
  }
  yield* vmaLink(mm, vma, place);
  return 0;
}

/**
 * __vma_unlink(): out of list and tree; the reverse mapping is the caller's.
 *
 * *Context*: mmap_sem for write. `prev` is the area before, and stays.
 * *Source*: __vma_unlink(), mm/mmap.c, 2.6.27.
 */
export function* vmaUnlink(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, prev: Ptr<VmAreaStruct>): Op<void> {
  yield* store(VmAreaStruct.vmNext(prev), yield* load(VmAreaStruct.vmNext(vma)));
  yield* rbErase(VmAreaStruct.vmRb(vma), MmStruct.mmRb(mm));
  if ((yield* load(MmStruct.mmapCache(mm))) === vma) yield* writeOnce(MmStruct.mmapCache(mm), prev);
}

/**
 * detach_vmas_to_be_unmapped(): takes `vma` and those behind it that start before `end` out of the mm; they stay linked with each
 * other by vm_next, and on the reverse mapping, whose walks still find their ptes.
 *
 * *Context*: mmap_sem for write; areas were split so that none crosses `end`. `prev` is the area before, or NULL.
 * *Source*: detach_vmas_to_be_unmapped(), mm/mmap.c, 2.6.27.
 */
export function* detachVmas(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, prev: MaybeVma, end: number): Op<void> {
  let at: MaybeVma = vma;
  let last = vma;
  yield* lockAreas(mm);
  while (at !== NULL && (yield* load(VmAreaStruct.vmStart(at))) < end) {
    yield* rbErase(VmAreaStruct.vmRb(at), MmStruct.mmRb(mm));
    yield* addMapCount(mm, -1);
    last = at;
    at = yield* load(VmAreaStruct.vmNext(at));
  }
  yield* store(prev === NULL ? MmStruct.mmap(mm) : VmAreaStruct.vmNext(prev), at);
  yield* store(VmAreaStruct.vmNext(last), NULL);
  yield* writeOnce(MmStruct.mmapCache(mm), NULL);
  yield* unlockAreas(mm);
}
