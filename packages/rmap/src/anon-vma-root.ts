// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicDecAndTest,
  atomicRead,
  atomicSet,
  atomicXchg,
  defineGuard,
  defineWord,
  listAddTail,
  listDelInit,
  listEmpty,
  load,
  NULL,
  readOnce,
  spinLock,
  spinTrylock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import { type AnonVma, PAGE_MAPPING_ANON, Page, RootedAnonVma, VmAreaStruct } from '@lockless/mm-types';
import { pageMapped } from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';

/*
 * The lock of a page's anon_vma in later kernels, where it is that of another object: anon_vma->root. Under SLAB_DESTROY_BY_RCU not only the object may
 * have a new life when a reader has it in hand, its root may be another one then: and what was locked through the old root must not be unlocked through
 * the new one. Beside the 2.6.27 design that the rest of this package uses: an area is on the list of one anon_vma here (anon_vma_chain, 2.6.34, is not there).
 */

const savedRoot = defineGuard(
  'pageLockAnonVmaRoot.mappedRecheck',
  'page_lock_anon_vma does not ask again, under the lock of the root, whether the page is mapped (before f18194275c)',
);
const mappedNotCounted = defineGuard(
  'pageTrylockAnonVma.mappedRecheck',
  'page_lock_anon_vma takes an anon_vma with references for the one it looked for, whatever life they are of (3.0-rc)',
);

/** The free object of the slab, which is the next to be allocated. */
const freeObject: Ref<Ptr<RootedAnonVma> | Null> = defineWord('rooted_anon_vma_free');

/** anon_vma_alloc(): an anon_vma that is its own root. Of a recycled object the reference comes first, then the root. *Source*: mm/rmap.c, 3.0. */
function* rootedAnonVmaAlloc(): Op<Ptr<RootedAnonVma> | Null> {
  const anonVma = yield* atomicXchg(freeObject, NULL);
  if (anonVma === NULL) return NULL;
  yield* atomicSet(RootedAnonVma.refcount(anonVma), 1);
  yield* writeOnce(RootedAnonVma.root(anonVma), anonVma);
  return anonVma;
}

/** Puts an area on the list. *Context*: the root's lock, or nobody knows the anon_vma. */
export function* rootedAnonVmaLink(vma: Ptr<VmAreaStruct>, anonVma: Ptr<RootedAnonVma>): Op<void> {
  yield* store(VmAreaStruct.anonVma(vma), anonVma as number as Ptr<AnonVma>);
  yield* listAddTail(VmAreaStruct.anonVmaNode(vma), RootedAnonVma.head(anonVma));
}

/**
 * anon_vma_prepare(): an area without anonymous pages so far gets an anon_vma of its own, which may be one that was freed a moment ago.
 *
 * *Context*: mmap_sem. *Returns* NULL when the slab has no free one. *Source*: mm/rmap.c, 3.0. *Differs*: takes over no neighbour's.
 */
export function* rootedAnonVmaPrepare(vma: Ptr<VmAreaStruct>): Op<Ptr<RootedAnonVma> | Null> {
  const anonVma = yield* rootedAnonVmaAlloc();
  if (anonVma === NULL) return NULL;
  yield* spinLock(RootedAnonVma.lock(anonVma));
  yield* rootedAnonVmaLink(vma, anonVma);
  yield* spinUnlock(RootedAnonVma.lock(anonVma));
  return anonVma;
}

/** anon_vma_unlink(): takes an area off, under the lock of the root; the last frees the anon_vma. *Source*: anon_vma_unlink(), mm/rmap.c, 2.6.35. */
export function* rootedAnonVmaUnlink(vma: Ptr<VmAreaStruct>): Op<void> {
  const anonVma = (yield* load(VmAreaStruct.anonVma(vma))) as number as Ptr<RootedAnonVma>;
  const root = yield* load(RootedAnonVma.root(anonVma));
  yield* spinLock(RootedAnonVma.lock(root));
  yield* listDelInit(VmAreaStruct.anonVmaNode(vma));
  const empty = yield* listEmpty(RootedAnonVma.head(anonVma));
  yield* spinUnlock(RootedAnonVma.lock(root));
  if (empty && (yield* atomicDecAndTest(RootedAnonVma.refcount(anonVma)))) yield* atomicXchg(freeObject, anonVma);
}

/** What page_lock_anon_vma() reads first. NULL: the page is not anonymous, or not mapped. */
function* rootedAnonVmaOf(page: Ptr<Page>): Op<Ptr<RootedAnonVma> | Null> {
  const mapping = yield* readOnce(Page.mapping(page));
  if ((mapping & PAGE_MAPPING_ANON) === 0 || !(yield* pageMapped(page))) return NULL;
  return (mapping - PAGE_MAPPING_ANON) as Ptr<RootedAnonVma>;
}

/**
 * page_lock_anon_vma() with roots:
 *
 * 1. RCU; 2. the anon_vma, if the page is mapped; 3. its root, once; 4. the root's lock;
 * 5. is the page mapped still? Then its anon_vma has not been freed, and cannot be while we have the lock: its root stays. If not, the object may be
 * another's by now, so unlock what was locked: not what its root is now.
 *
 * *Context*: a reference on the page. *Returns* it, locked, in an RCU read-side section; NULL.
 * *Source*: page_lock_anon_vma(), mm/rmap.c, 2.6.36 (f18194275c for 5).
 */
export function* pageLockAnonVmaRoot(page: Ptr<Page>): Op<Ptr<RootedAnonVma> | Null> {
  yield* rcuReadLock(); // 1
  const anonVma = yield* rootedAnonVmaOf(page); // 2
  if (anonVma !== NULL) {
    const root = yield* readOnce(RootedAnonVma.root(anonVma)); // 3
    yield* spinLock(RootedAnonVma.lock(root)); // 4
    if (!savedRoot() || (yield* pageMapped(page))) return anonVma; // 5
    yield* spinUnlock(RootedAnonVma.lock(root));
  }
  yield* rcuReadUnlock();
  return NULL;
}

/**
 * The fast path of page_lock_anon_vma() when the lock had become a mutex: as {@link pageLockAnonVmaRoot}, but it only tries. As merged first, 5 asked
 * whether the anon_vma has references, which says nothing of whose: a recycled one has its first before it has its root.
 *
 * *Returns* NULL also when the lock is busy. *Source*: page_lock_anon_vma(), mm/rmap.c, 3.0, and Hugh Dickins' fix of 2011. *Differs*: a spin lock stands
 * for the mutex; the slow path, which takes a reference and sleeps, is left out.
 */
export function* pageTrylockAnonVma(page: Ptr<Page>): Op<Ptr<RootedAnonVma> | Null> {
  yield* rcuReadLock();
  const anonVma = yield* rootedAnonVmaOf(page);
  if (anonVma !== NULL) {
    const root = yield* readOnce(RootedAnonVma.root(anonVma));
    if (yield* spinTrylock(RootedAnonVma.lock(root))) {
      const stays = yield* mappedNotCounted() ? pageMapped(page) : hasReferences(anonVma);
      if (stays) return anonVma;
      yield* spinUnlock(RootedAnonVma.lock(root));
    }
  }
  yield* rcuReadUnlock();
  return NULL;
}

function* hasReferences(anonVma: Ptr<RootedAnonVma>): Op<boolean> {
  return (yield* atomicRead(RootedAnonVma.refcount(anonVma))) !== 0;
}

/** page_unlock_anon_vma(): the lock of the root, as it is now. */
export function* pageUnlockAnonVmaRoot(anonVma: Ptr<RootedAnonVma>): Op<void> {
  yield* spinUnlock(RootedAnonVma.lock(yield* load(RootedAnonVma.root(anonVma))));
  yield* rcuReadUnlock();
}
