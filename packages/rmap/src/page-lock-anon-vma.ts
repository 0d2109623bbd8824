// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { defineGuard, NULL, rcuDereference, spinLock, spinUnlock } from '@lockless/cpu';
import { AnonVma, PAGE_MAPPING_ANON, Page } from '@lockless/mm-types';
import { pageMapped } from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';

const asReader = defineGuard(
  'pageLockAnonVma.rcuReadLock',
  'page_lock_anon_vma relies on the spin lock to hold off the grace period (before 34bbd70405)',
);
const readLock = (): Op<void> => nested(asReader(), rcuReadLock);
const readUnlock = (): Op<void> => nested(asReader(), rcuReadUnlock);
function* nested(wanted: boolean, lockOrUnlock: () => ReturnType<typeof rcuReadLock>): Op<void> {
  if (wanted) yield* lockOrUnlock();
}

/**
 * page_lock_anon_vma(): the anon_vma of a mapped anonymous page, locked.
 *
 * Nothing that the caller holds keeps the anon_vma: its last area may be unmapped at any time. Why it is safe:
 *
 * 1. enter an RCU read-side section;
 * 2. read page->mapping: it is an anon_vma, live or freed;
 * 3. the page is mapped: so some area was still on the anon_vma's list after 1. If the object is freed at all, it is freed after 1, and
 *    its memory stays an anon_vma at least until the section ends (SLAB_DESTROY_BY_RCU);
 * 4. take its lock. If it was freed and is in use for other areas meanwhile, we hold the lock of the wrong one: harmless, its areas do
 *    not map the page, and each pte is compared with the page. Who gives it to an area takes the lock first (anon_vma_prepare, A).
 * The section goes on until the unlock, because only it keeps the lock word a lock word.
 *
 * Without 1 (D1): a spin lock does not hold off the grace period once readers are preemptible; 4 locks memory of another kind.
 * Without 3: an anon_vma that was freed long before 1 is found, gone already.
 *
 * *Context*: the caller has a reference on the page. *Returns* NULL when the page is not anonymous or not mapped.
 * *Source*: page_lock_anon_vma(), mm/rmap.c, 2.6.27 (with 34bbd70405 for 1).
 */
export function* pageLockAnonVma(page: Ptr<Page>): Op<Ptr<AnonVma> | Null> {
  yield* readLock(); // 1
  const mapping = yield* rcuDereference(Page.mapping(page)); // 2
  // An anonymous page whose mapping is PAGE_MAPPING_ANON alone has no anon_vma: another reverse mapping knows its entries.
  if ((mapping & PAGE_MAPPING_ANON) !== 0 && mapping !== PAGE_MAPPING_ANON && (yield* pageMapped(page))) {
    // 3
    const anonVma = (mapping - PAGE_MAPPING_ANON) as Ptr<AnonVma>;
    yield* spinLock(AnonVma.lock(anonVma)); // 4
    return anonVma;
  }
  yield* readUnlock();
  return NULL;
}

const whileUnmapped = defineGuard(
  'removeMigrationPtes.whileUnmapped',
  'remove_migration_ptes looks for the anon_vma with page_lock_anon_vma(), which has none for a page that no entry maps',
);

/**
 * The anon_vma of an anonymous page whose entries are migration entries, locked: {@link pageLockAnonVma} without 3, because nothing maps the
 * page (D7). What 3 says there is the caller's to see to: his RCU read-side section began while the page was mapped, and goes on.
 *
 * *Context*: page locked, so page->mapping stays; RCU as said (D6). *Returns* NULL when the page has no anon_vma.
 * *Source*: remove_anon_migration_ptes(), mm/migrate.c, 2.6.27; e8788c0cce for what it must not use.
 */
export function* lockAnonVmaOfUnmapped(page: Ptr<Page>): Op<Ptr<AnonVma> | Null> {
  if (!whileUnmapped()) return yield* pageLockAnonVma(page);
  yield* readLock();
  const mapping = yield* rcuDereference(Page.mapping(page));
  if ((mapping & PAGE_MAPPING_ANON) !== 0 && mapping !== PAGE_MAPPING_ANON) {
    const anonVma = (mapping - PAGE_MAPPING_ANON) as Ptr<AnonVma>;
    yield* spinLock(AnonVma.lock(anonVma));
    return anonVma;
  }
  yield* readUnlock();
  return NULL;
}

/** page_unlock_anon_vma(). */
export function* pageUnlockAnonVma(anonVma: Ptr<AnonVma>): Op<void> {
  yield* spinUnlock(AnonVma.lock(anonVma));
  yield* readUnlock();
}
