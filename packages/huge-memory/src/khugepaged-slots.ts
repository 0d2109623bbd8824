// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, KmemCache, Null, Op, Ptr, Ref, SpinLock, StructOf } from '@lockless/cpu';
import {
  clearBit,
  containerOf,
  defineGuard,
  defineStatic,
  defineWord,
  downWrite,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  listAddTail,
  listDelEntry,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  struct,
  testAndSetBit,
  upWrite,
} from '@lockless/cpu';
import { MMF_VM_HUGEPAGE, MmStruct } from '@lockless/mm-types';
import { mmdrop, mmGrab } from '@lockless/rmap';

/*
 * Which address spaces khugepaged looks through. One joins when it may have huge pages, and leaves with its last user; but if khugepaged is at it just
 * then, the last user waits until it has let go of mmap_sem, and khugepaged takes it off the list itself.
 */

/** struct mm_slot. */
export interface MmSlot {
  mmNode: Embed<ListHead>;
  mm: Ptr<MmStruct>;
}
export const MmSlot: StructOf<MmSlot> = struct<MmSlot>('mm_slot', { mmNode: ListHead, mm: 1 });
const mmSlotCachep: KmemCache<MmSlot> = kmemCacheCreate(MmSlot);

/** struct khugepaged_scan: where khugepaged is. */
export interface KhugepagedScan {
  mmHead: Embed<ListHead>;
  /** Whose turn it is, NULL: that of the first on the list. */
  mmSlot: Ptr<MmSlot> | Null;
  /** The next page in it. */
  address: number;
}
const Scan: StructOf<KhugepagedScan> = struct<KhugepagedScan>('khugepaged_scan', {
  mmHead: ListHead,
  mmSlot: 1,
  address: 1,
});
const scan: Ptr<KhugepagedScan> = defineStatic(Scan, 'khugepaged_scan');
export const scanHead: Ptr<ListHead> = Scan.mmHead(scan);
export const scanSlot: Ref<Ptr<MmSlot> | Null> = Scan.mmSlot(scan);
export const scanAddress: Ref<number> = Scan.address(scan);
/** khugepaged_mm_lock: the list, and whose turn it is. */
export const khugepagedMmLock: Ref<SpinLock> = defineWord('khugepaged_mm_lock');

const waits = defineGuard(
  'khugepagedExit.waitForScan',
  'the last user of an address space does not wait for khugepaged, which is at its page tables',
);

/** khugepaged_slab_init(). Boot. */
export const khugepagedSlotsInit = (): Op<void> => initListHead(scanHead);

/**
 * khugepaged_enter(): the address space may have huge pages from now on.
 *
 * *Context*: mmap_sem, or nobody else knows it. Without memory for the slot it does not join now. *Source*: mm/huge_memory.c, 2.6.38.
 */
export function* khugepagedEnter(mm: Ptr<MmStruct>): Op<void> {
  if (((yield* readOnce(MmStruct.flags(mm))) & (1 << MMF_VM_HUGEPAGE)) !== 0) return;
  const slot = yield* kmemCacheAlloc(mmSlotCachep, GFP_KERNEL);
  if (slot === NULL) return;
  // Another thread's fault may be here too.
  if (yield* testAndSetBit(MMF_VM_HUGEPAGE, MmStruct.flags(mm))) {
    yield* kmemCacheFree(mmSlotCachep, slot);
    return;
  }
  yield* store(MmSlot.mm(slot), mm);
  yield* mmGrab(mm);
  yield* spinLock(khugepagedMmLock);
  yield* listAddTail(MmSlot.mmNode(slot), scanHead);
  yield* spinUnlock(khugepagedMmLock);
}

/** get_mm_slot(). *Context*: khugepaged_mm_lock. *Differs*: looks through the list; there is no hash. */
function* slotOf(mm: Ptr<MmStruct>): Op<Ptr<MmSlot> | Null> {
  for (let at = yield* load(ListHead.next(scanHead)); at !== scanHead; at = yield* load(ListHead.next(at))) {
    const slot = containerOf(at, MmSlot, 'mmNode');
    if ((yield* load(MmSlot.mm(slot))) === mm) return slot;
  }
  return NULL;
}

/**
 * khugepaged_exit(): the last user is gone; khugepaged must not be in the page tables when they are taken down.
 *
 * *Context*: mm_users is 0, which khugepaged looks at whenever it has taken mmap_sem; may sleep. *Source*: mm/huge_memory.c, 2.6.38.
 */
export function* khugepagedExit(mm: Ptr<MmStruct>): Op<void> {
  if (((yield* readOnce(MmStruct.flags(mm))) & (1 << MMF_VM_HUGEPAGE)) === 0) return;
  yield* spinLock(khugepagedMmLock);
  const slot = yield* slotOf(mm);
  const ours = slot !== NULL && (yield* load(scanSlot)) !== slot;
  if (ours) yield* listDelEntry(MmSlot.mmNode(slot));
  yield* spinUnlock(khugepagedMmLock);
  if (ours) yield* freeMmSlot(slot);
  else if (slot !== NULL && waits()) {
    yield* downWrite(MmStruct.mmapSem(mm));
    yield* upWrite(MmStruct.mmapSem(mm));
  }
}

/** free_mm_slot(), and its reference to the address space. *Context*: off the list; no spin lock. */
export function* freeMmSlot(slot: Ptr<MmSlot>): Op<void> {
  const mm = yield* load(MmSlot.mm(slot));
  yield* clearBit(MMF_VM_HUGEPAGE, MmStruct.flags(mm));
  yield* kmemCacheFree(mmSlotCachep, slot);
  yield* mmdrop(mm);
}
