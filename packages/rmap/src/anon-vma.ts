// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicXchg,
  bugOn,
  defineGuard,
  defineWord,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  listAdd,
  listAddTail,
  listDelInit,
  listEmpty,
  load,
  NULL,
  peek,
  poke,
  rcuDereference,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { AnonVma, VmAreaStruct } from '@lockless/mm-types';

/**
 * SLAB_DESTROY_BY_RCU: a reader that found an anon_vma through page->mapping inside an RCU read-side section may lock it although it
 * has been freed, and even reused for other areas meanwhile; it never becomes memory of another kind before the reader is done.
 */
export const anonVmaCachep: KmemCache<AnonVma> = kmemCacheCreate(AnonVma, { typesafeByRcu: true });

const keptObjects: Ref<number> = defineWord('anon_vma_kept');
const freeObject: Ref<Ptr<AnonVma> | Null> = defineWord('anon_vma_free_object');
const keepsFreeObject = (): boolean => peek(keptObjects) !== 0;

/**
 * From now on the object that was freed last is the next to be allocated, as where a slab has one free object. Allocators of engines differ: some do not
 * hand an object out twice, and nobody would see what reuse does. *Context*: boot.
 */
export const keepFreeAnonVma = (): void => poke(keptObjects, 1);

/**
 * anon_vma_alloc(): an anon_vma with no areas.
 *
 * *Returns* NULL when memory is short.
 * *Source*: anon_vma_alloc(), anon_vma_ctor(), mm/rmap.c, 2.6.27.
 * *Differs*: the slab has no constructors: the list head is set up when the object is first used. A recycled one is left as
 * anon_vma_free() got it, empty and unlocked, because a late reader may be looking at it.
 */
export function* anonVmaAlloc(): Op<Ptr<AnonVma> | Null> {
  const again = keepsFreeObject() ? yield* atomicXchg(freeObject, NULL) : NULL;
  const anonVma = again === NULL ? yield* kmemCacheAlloc(anonVmaCachep, GFP_KERNEL) : again;
  if (anonVma === NULL) return NULL;
  const head = AnonVma.head(anonVma);
  if ((yield* load(ListHead.next(head))) === NULL) yield* initListHead(head);
  return anonVma;
}

/** Kernel-facts F6. */
const atTail = defineGuard(
  'anonVmaLink.atTail',
  'the area of a child comes before its parent in the list of the anon_vma, so a split of a huge page may look at it too early',
);

/** anon_vma_free(): *Context*: its list is empty. */
export function* anonVmaFree(anonVma: Ptr<AnonVma>): Op<void> {
  const other = keepsFreeObject() ? yield* atomicXchg(freeObject, anonVma) : anonVma;
  if (other !== NULL) yield* kmemCacheFree(anonVmaCachep, other);
}

/**
 * __anon_vma_link(): puts an area on the list of its anon_vma, if it has one.
 *
 * *Context*: anon_vma->lock held.
 * At the tail: a walk that removes ptes meets a parent before the child that fork is copying it into, so nothing that fork copied after the
 * walk had passed the child is missed.
 */
export function* anonVmaLinkLocked(vma: Ptr<VmAreaStruct>): Op<void> {
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  if (anonVma !== NULL) yield* listAddTail(VmAreaStruct.anonVmaNode(vma), AnonVma.head(anonVma));
}

/**
 * anon_vma_link(): the same, taking the lock: fork gives the copy of an area its place.
 *
 * *Context*: mmap_sem for write; vma->anon_vma was copied from the parent's area, which keeps it alive.
 * *Source*: anon_vma_link(), mm/rmap.c, 2.6.27.
 */
export function* anonVmaLink(vma: Ptr<VmAreaStruct>): Op<void> {
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  if (anonVma === NULL) return;
  yield* spinLock(AnonVma.lock(anonVma));
  if (atTail()) yield* listAddTail(VmAreaStruct.anonVmaNode(vma), AnonVma.head(anonVma));
  else yield* listAdd(VmAreaStruct.anonVmaNode(vma), AnonVma.head(anonVma));
  yield* spinUnlock(AnonVma.lock(anonVma));
}

/**
 * anon_vma_unlink(): takes an area off; the last one frees the anon_vma.
 *
 * *Context*: mmap_sem for write (or the last user of the mm). The area's anonymous pages are unmapped, so nobody can reach the
 * anon_vma but RCU readers that read page->mapping before: they find an empty list, or the list of a successor, whose areas
 * they test pte by pte.
 * *Source*: anon_vma_unlink(), mm/rmap.c, 2.6.27.
 */
export function* anonVmaUnlink(vma: Ptr<VmAreaStruct>): Op<void> {
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  if (anonVma === NULL) return;
  yield* spinLock(AnonVma.lock(anonVma));
  yield* listDelInit(VmAreaStruct.anonVmaNode(vma));
  // Nobody can join an empty one: that takes an area on the list as the source.
  const empty = yield* listEmpty(AnonVma.head(anonVma));
  yield* spinUnlock(AnonVma.lock(anonVma));
  if (empty) yield* anonVmaFree(anonVma);
}

/**
 * __anon_vma_merge(): `next` disappears into `vma`, which is on the same list.
 *
 * *Context*: anon_vma->lock held.
 * *Source*: __anon_vma_merge(), mm/rmap.c, 2.6.27.
 */
export function* anonVmaMerge(vma: Ptr<VmAreaStruct>, next: Ptr<VmAreaStruct>): Op<void> {
  bugOn(
    (yield* load(VmAreaStruct.anonVma(vma))) !== (yield* load(VmAreaStruct.anonVma(next))),
    'vma->anon_vma != next->anon_vma',
  );
  yield* listDelInit(VmAreaStruct.anonVmaNode(next));
}

/** anon_vma_lock(): *Returns* the anon_vma of an area, locked; NULL when it has none. *Context*: mmap_sem. */
export function* anonVmaLock(vma: Ptr<VmAreaStruct>): Op<Ptr<AnonVma> | Null> {
  const anonVma = yield* rcuDereference(VmAreaStruct.anonVma(vma));
  if (anonVma !== NULL) yield* spinLock(AnonVma.lock(anonVma));
  return anonVma;
}

/** anon_vma_unlock(). */
export function* anonVmaUnlock(anonVma: Ptr<AnonVma> | Null): Op<void> {
  if (anonVma !== NULL) yield* spinUnlock(AnonVma.lock(anonVma));
}
