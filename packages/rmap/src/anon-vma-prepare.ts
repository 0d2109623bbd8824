// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  defineGuard,
  listAddTail,
  load,
  mightSleep,
  NULL,
  rcuAssignPointer,
  rcuDereference,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { AnonVma, ENOMEM, MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { anonVmaAlloc, anonVmaFree } from './anon-vma.js';
import { findMergeableAnonVma } from './vma-merge.js';

const lockNew = defineGuard(
  'anonVmaPrepare.lockNew',
  'a new anon_vma is given to an area without its lock, as if nobody could know it yet (before d9d332e087)',
);

/**
 * anon_vma_prepare(): gives an area an anon_vma before its first anonymous page.
 *
 * Threads of one mm may fault in the same area at once, and a late reader may hold the recycled anon_vma's lock:
 *
 * A. take anon_vma->lock, of a new one too: a reader that found it in its former life may be walking the list (page_lock_anon_vma, 4);
 * B. under page_table_lock, look again whether another thread was faster;
 * C. publish it in the area and put the area on its list. A before C keeps the walk and the insertion apart.
 *
 * *Context*: mmap_sem, read is enough. May sleep. *Returns* 0, -ENOMEM.
 * *Ordering*: C is a release: who reads vma->anon_vma without a lock finds an initialised anon_vma.
 * *Source*: anon_vma_prepare(), mm/rmap.c, 2.6.27 with the fix d9d332e087 (A for new ones; scenario D2), which came in 2.6.28.
 */
export function* anonVmaPrepare(vma: Ptr<VmAreaStruct>): Op<number> {
  mightSleep();
  if ((yield* rcuDereference(VmAreaStruct.anonVma(vma))) !== NULL) return 0;
  const shared = yield* findMergeableAnonVma(vma);
  const anonVma = shared !== NULL ? shared : yield* anonVmaAlloc();
  if (anonVma === NULL) return -ENOMEM;
  const mm = yield* load(VmAreaStruct.vmMm(vma));

  const locked = shared !== NULL || lockNew();
  if (locked) yield* spinLock(AnonVma.lock(anonVma)); // A
  yield* spinLock(MmStruct.pageTableLock(mm));
  const late = (yield* load(VmAreaStruct.anonVma(vma))) !== NULL; // B
  if (!late) {
    yield* rcuAssignPointer(VmAreaStruct.anonVma(vma), anonVma); // C
    yield* listAddTail(VmAreaStruct.anonVmaNode(vma), AnonVma.head(anonVma));
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (locked) yield* spinUnlock(AnonVma.lock(anonVma));
  if (late && shared === NULL) yield* anonVmaFree(anonVma);
  return 0;
}
