// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  containerOf,
  ListHead,
  listAddTail,
  listDelInit,
  load,
  NULL,
  rcuDereference,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { AddressSpace, File, VM_NONLINEAR, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';

/*
 * mapping->i_mmap: the areas that map a file, here in a list in the order of mapping, where 2.6.27 has a priority search tree by file
 * offset. A walk tests each area's range, so it finds the same; it costs O(areas of the file) instead of O(log + hits), and an
 * area need not leave and re-enter when vma_adjust() moves its bounds. Areas with VM_NONLINEAR are on mapping->i_mmap_nonlinear instead:
 * which pages they show cannot be said from their bounds.
 */

/** The address_space of a file area: vma->vm_file->f_mapping; NULL for anonymous areas. *Context*: mmap_sem, or a lock of the reverse mapping. */
export function* vmaMapping(vma: Ptr<VmAreaStruct>): Op<Ptr<AddressSpace> | Null> {
  const file = yield* load(VmAreaStruct.vmFile(vma));
  return file === NULL ? NULL : yield* rcuDereference(File.mapping(file));
}

/**
 * __vma_link_file(): puts a file area where the reverse mapping finds it.
 *
 * *Context*: i_mmap_lock held. At the tail, so a walk meets a parent before the child that fork is copying it into.
 * *Source*: __vma_link_file(), mm/mmap.c, vma_prio_tree_add(), mm/prio_tree.c, 2.6.27.
 */
export function* vmaLinkFileLocked(vma: Ptr<VmAreaStruct>, mapping: Ptr<AddressSpace>): Op<void> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  if ((flags & VM_SHARED) !== 0) yield* addWritable(mapping, 1);
  if ((flags & VM_NONLINEAR) !== 0) yield* vmaNonlinearInsert(vma, mapping);
  else yield* listAddTail(VmAreaStruct.shared(vma), AddressSpace.iMmap(mapping));
}

/** vma_nonlinear_insert(). *Context*: i_mmap_lock held. *Source*: include/linux/mm.h, 2.6.27. */
const vmaNonlinearInsert = (vma: Ptr<VmAreaStruct>, mapping: Ptr<AddressSpace>): Op<void> =>
  listAddTail(VmAreaStruct.shared(vma), AddressSpace.iMmapNonlinear(mapping));

/**
 * From now on the area may show its file's pages in any order: VM_NONLINEAR, and it changes the list.
 *
 * *Context*: mmap_sem for write; before the first entry that is not linear. Takes i_mmap_lock.
 * *Source*: the middle of sys_remap_file_pages(), mm/fremap.c, 2.6.27.
 */
export function* vmaMakeNonlinear(vma: Ptr<VmAreaStruct>, mapping: Ptr<AddressSpace>): Op<void> {
  yield* spinLock(AddressSpace.iMmapLock(mapping));
  yield* store(VmAreaStruct.vmFlags(vma), (yield* load(VmAreaStruct.vmFlags(vma))) | VM_NONLINEAR);
  yield* listDelInit(VmAreaStruct.shared(vma));
  yield* vmaNonlinearInsert(vma, mapping);
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
}

/** Calls `visit` for the areas on one of a file's lists until it returns true. *Context*: i_mmap_lock. *Returns* whether it did. */
export function* eachVmaOn(head: Ptr<ListHead>, visit: (vma: Ptr<VmAreaStruct>) => Op<boolean>): Op<boolean> {
  for (let at = yield* load(ListHead.next(head)); at !== head; at = yield* load(ListHead.next(at))) {
    if (yield* visit(containerOf<VmAreaStruct>(at, VmAreaStruct, 'shared'))) return true;
  }
  return false;
}

/** The areas that may show a page of the file at its linear place: all, because those that are not linear may too. *Context*: i_mmap_lock. */
export function* eachFileVma(mapping: Ptr<AddressSpace>, visit: (vma: Ptr<VmAreaStruct>) => Op<boolean>): Op<void> {
  if (!(yield* eachVmaOn(AddressSpace.iMmap(mapping), visit))) {
    yield* eachVmaOn(AddressSpace.iMmapNonlinear(mapping), visit);
  }
}

/** __remove_shared_vm_struct(): takes a file area off. *Context*: i_mmap_lock held. */
export function* removeSharedVmStruct(vma: Ptr<VmAreaStruct>, mapping: Ptr<AddressSpace>): Op<void> {
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) !== 0) yield* addWritable(mapping, -1);
  yield* listDelInit(VmAreaStruct.shared(vma));
}

function* addWritable(mapping: Ptr<AddressSpace>, delta: number): Op<void> {
  const count = AddressSpace.iMmapWritable(mapping);
  yield* store(count, (yield* load(count)) + delta);
}

/**
 * unlink_file_vma(): {@link removeSharedVmStruct} under the lock, before the page tables below the area may be freed.
 *
 * *Context*: mmap_sem for write, or the last user of the mm.
 * *Source*: unlink_file_vma(), mm/mmap.c, 2.6.27.
 */
export function* unlinkFileVma(vma: Ptr<VmAreaStruct>): Op<void> {
  const mapping = yield* vmaMapping(vma);
  if (mapping === NULL) return;
  yield* spinLock(AddressSpace.iMmapLock(mapping));
  yield* removeSharedVmStruct(vma, mapping);
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
}

/**
 * The step of dup_mmap() that makes a fork's copy of a file area findable, before its ptes are copied.
 *
 * *Context*: both mmap_sems for write. Takes i_mmap_lock; the copy inherits how far an interrupted zap had come, because the ptes
 * copied are those that it left.
 * *Source*: dup_mmap(), kernel/fork.c, 2.6.27.
 */
export function* vmaLinkFileCopy(copy: Ptr<VmAreaStruct>, parent: Ptr<VmAreaStruct>): Op<void> {
  const mapping = yield* vmaMapping(copy);
  if (mapping === NULL) return;
  yield* spinLock(AddressSpace.iMmapLock(mapping));
  yield* store(VmAreaStruct.vmTruncateCount(copy), yield* load(VmAreaStruct.vmTruncateCount(parent)));
  yield* vmaLinkFileLocked(copy, mapping);
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
}
