// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { load, NULL, poke, readOnce, spinLock, spinUnlock, writeOnce } from '@lockless/cpu';
import { EAGAIN, Page } from '@lockless/mm-types';
import { lockPage, lruAddDrain, lruCacheAdd, pageCount, putPage, unlockPage } from '@lockless/page';
import {
  configure,
  findGetPage,
  type Generation,
  isolateLruPageForMigration,
  migratePageMoveMapping,
  migrationEntryWait,
} from '@lockless/pagecache';
import {
  makeMigrationEntry,
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_USER,
  pteLockptr,
  ptePresent,
  ptepGetAndClear,
  swpEntryToPte,
  vmNormalPage,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMemory, mapping, newFilePage, newPage, newProcess, type Process } from './boot.js';

/** Page of the file that migrates; not 0, so that a page whose index is not yet set does not look like it. */
const INDEX = 1;

interface Migration {
  /** Locked by the migration, which has one reference; the cache has another. */
  readonly page: Ptr<Page>;
  /** Locked and fresh. */
  readonly newpage: Ptr<Page>;
}

function* bootMigration(): Op<Migration> {
  yield* bootMemory();
  const page = yield* newFilePage(INDEX);
  const newpage = yield* newPage(0);
  yield* lockPage(newpage);
  return { page, newpage };
}

/** The steps of move_to_new_page() up to the replacement. */
function* moveToNewPage({ page, newpage }: Migration): Op<number> {
  yield* writeOnce(Page.index(newpage), yield* readOnce(Page.index(page)));
  yield* writeOnce(Page.mapping(newpage), mapping);
  return yield* migratePageMoveMapping(newpage, page);
}

function migrationUnderLookup(
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'properties' | 'guards'>,
  generation: Generation,
): Scenario {
  return scenario<Migration>({
    ...declared,
    *setup() {
      configure({ generation });
      return yield* bootMigration();
    },
    threads: {
      migrate: moveToNewPage,
      *lookup() {
        const page = yield* findGetPage(mapping, INDEX);
        return page === NULL ? NULL : { page, index: yield* load(Page.index(page)) };
      },
    },
    *finally({ page, newpage }, { results, reach }) {
      const found = results.lookup as { page: Ptr<Page>; index: number };
      const moved = results.migrate === 0;
      assertThat(moved || results.migrate === -EAGAIN, 'migration succeeds or is to be tried again');
      assertThat(found.page === (moved ? newpage : page), 'the lookup has the page that is in the cache');
      assertThat(found.index === INDEX, 'and finds it complete');
      assertThat((yield* pageCount(page)) === (moved ? 1 : 3), 'the old page has the references that are left');
      assertThat((yield* pageCount(newpage)) === (moved ? 3 : 1), 'the new page has its own');
      reach(moved ? 'migrated' : 'lookup first');
    },
    mustReach: ['migrated', 'lookup first'],
  });
}

export const migrationScenarios: readonly Scenario[] = [
  migrationUnderLookup(
    {
      name: 'migration-under-lookup',
      facts: ['A11', 'A7', 'B12', 'C16'],
      summary: 'a page is replaced by another in its slot while a lookup takes a reference to it',
      source:
        'migrate_page_move_mapping(), mm/migrate.c, e286781d5f (2.6.27); Will Deacon, 2017, on page_ref_unfreeze()',
      properties: ['I2', 'I3', 'I5', 'I8'],
      guards: [
        always('findGetPage.slotRecheck', 'assertion'),
        always('migratePageMoveMapping.freezeRefs', 'assertion'),
        weakOnly('pageUnfreezeRefs.smp_store_release', 'assertion'),
        // Ordered already, by the freeze before it, which is a full barrier.
        notNeeded('radixTreeReplaceSlot.rcu_assign_pointer'),
        weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
      ],
    },
    'freeze-refs',
  ),
  migrationUnderLookup(
    {
      name: 'nonewrefs-migration-under-lookup',
      facts: ['A1', 'A2', 'seed 0'],
      summary: 'the same in the first protocol: PG_nonewrefs on the old page and on the new one makes lookups wait',
      source: 'migrate_page_remove_references() in Nick Piggin, "speculative get page" (2006)',
      properties: ['I2', 'I3', 'I5', 'I7'],
      guards: [
        always('findGetPage.slotRecheck', 'assertion'),
        always('migratePageRemoveReferences.noNewRefs', 'assertion'),
        weakOnly('setPageNoNewRefs.fullBarrier', 'assertion'),
        weakOnly('getPageInSlot.smp_rmb', 'assertion'),
      ],
    },
    'nonewrefs',
  ),
  scenario<Migration & Process>({
    name: 'fault-on-migration-entry',
    facts: ['A10'],
    summary: 'a fault meets the migration entry of a page that is frozen at any moment',
    source: 'KAMEZAWA Hiroyuki and KOSAKI Motohiro, on migration_entry_wait() under the lockless page cache',
    properties: ['I3', 'I8'],
    *setup() {
      const migration = yield* bootMigration();
      const process = yield* newProcess();
      poke(process.ptep, swpEntryToPte(makeMigrationEntry(migration.page, false)));
      return { ...migration, ...process };
    },
    threads: {
      *migrate(shared) {
        const error = yield* migratePageMoveMapping(shared.newpage, shared.page);
        yield* unlockPage(shared.page);
        return error;
      },
      fault: ({ mm }) => migrationEntryWait(mm, ADDRESS),
    },
    *finally({ page }, { results, reach }) {
      assertThat((yield* pageCount(page)) === (results.migrate === 0 ? 1 : 2), 'no reference is lost, none is left');
      reach(results.migrate === 0 ? 'migrated' : 'fault first');
    },
    mustReach: ['migrated', 'fault first'],
    guards: [
      always('migrationEntryWait.getUnlessZero', 'VM_BUG'),
      whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
    ],
  }),
  scenario<Process & { page: Ptr<Page> }>({
    name: 'unmap-of-isolated-page',
    facts: ['A23'],
    summary: 'a page is isolated for migration while its only mapping goes',
    source: '053837fce7 "migration page refcounting fix" (2.6.16)',
    properties: ['I1', 'I3', 'I4'],
    *setup() {
      yield* bootMemory();
      const page = yield* newPage(1);
      yield* lruCacheAdd(page);
      yield* lruAddDrain();
      const process = yield* newProcess();
      poke(process.ptep, mkPte(page, (PTE_PRESENT | PTE_USER) as Pgprot));
      return { ...process, page };
    },
    threads: {
      *migrate({ mm, ptep, page }) {
        yield* spinLock(pteLockptr(mm, ptep));
        const isolated = ptePresent(yield* readOnce(ptep)) && (yield* isolateLruPageForMigration(page)) === 0;
        yield* spinUnlock(pteLockptr(mm, ptep));
        return isolated;
      },
      *unmap({ mm, ptep }) {
        yield* spinLock(pteLockptr(mm, ptep));
        const page = vmNormalPage(0, ADDRESS, yield* ptepGetAndClear(mm, ADDRESS, ptep));
        yield* spinUnlock(pteLockptr(mm, ptep));
        if (page !== NULL) yield* putPage(page);
      },
    },
    *finally({ page }, { results, reach }) {
      const isolated = results.migrate === true;
      assertThat((yield* pageCount(page)) === (isolated ? 1 : 0), 'an isolated page stays, another is freed');
      reach(isolated ? 'isolated' : 'unmapped first');
    },
    mustReach: ['isolated', 'unmapped first'],
    guards: [always('isolateLruPageForMigration.ownReference', 'assertion')],
  }),
];
