// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { configureKernel, defineGuard, NULL, poke } from '@lockless/cpu';
import { AddressSpace, type Page } from '@lockless/mm-types';
import { getPageUnlessZero, lockPage, pageCount, putPage, unlockPage } from '@lockless/page';
import { findGetPage, migratePageMoveMapping, migrationEntryWait } from '@lockless/pagecache';
import { radixTreeLookup } from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { makeMigrationEntry, swpEntryToPte } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, alwaysAt } from '../claims.js';
import { assertCount, bootIsolatedPage, mapping, newPage, reclaim } from '../pagecache/tiny-cache.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMemory, newFilePage, newProcess, newPage as newSwapPage, type Process } from '../swap/boot.js';

/*
 * Every caller of get_page_unless_zero() is an RCU reader from where it reads the pointer until it has given back a reference that turned out
 * to be one to a stranger. Then the owner of a new page knows its count after one grace period.
 */

const readsUnderRcu = defineGuard(
  'lookUpPassing.rcuReadLock',
  'a caller of get_page_unless_zero() leaves the RCU read section before it takes its reference',
);

/** Finds page 0, and takes a reference to it for a moment: the protocol of include/linux/pagemap.h. */
function* lookUpPassing(): Op<boolean> {
  yield* rcuReadLock();
  const page = (yield* radixTreeLookup(AddressSpace.pageTree(mapping), 0)) as Ptr<Page> | Null;
  if (!readsUnderRcu()) yield* rcuReadUnlock();
  const got = page !== NULL && (yield* getPageUnlessZero(page));
  if (got) yield* putPage(page);
  if (readsUnderRcu()) yield* rcuReadUnlock();
  return got;
}

/** Reclaim has freed the page; its next owner waits for a grace period and then looks at the count. */
function* useFrame(page: Ptr<Page>): Op<number | null> {
  if (!(yield* reclaim(page))) return null;
  const own = yield* newPage();
  yield* synchronizeRcu();
  return own === page ? yield* pageCount(own) : null;
}

/** With CONFIG_PROVE_RCU the caller is found; without it, what he does to the next owner. */
function stableCount(proveRcu: boolean, name: string, guard: GuardClaim): Scenario {
  return scenario({
    name,
    facts: ['F1', 'seed 3'],
    summary: `a frame is used again; one grace period later its owner is the only one who refers to it${proveRcu ? '' : '; nobody asks who takes references'}`,
    source: 'Michel Lespinasse, "[PATCH 0/9] Use RCU to stabilize page counts" (2011-08-19)',
    properties: ['I2', 'I3'],
    *setup() {
      const page = yield* bootIsolatedPage();
      configureKernel({ proveRcu });
      return page;
    },
    threads: { caller: lookUpPassing, owner: useFrame },
    *finally(_, { results, reach }): Op<void> {
      const count = results.owner as number | null;
      if (count === null) return reach('kept');
      assertThat(count === 1, 'I3: after a grace period nobody but its owner refers to a new page');
      reach(results.caller === true ? 'with a passing reference' : 'without');
    },
    mustReach: ['kept', 'without'],
    guards: [guard],
  });
}

export const readerScenarios: readonly Scenario[] = [
  stableCount(true, 'getter-outside-rcu', alwaysAt('lookUpPassing.rcuReadLock', 'no-rcu-reader', 'lookUpPassing')),
  stableCount(false, 'stable-count-after-grace-period', always('lookUpPassing.rcuReadLock', 'assertion')),
  scenario({
    name: 'lookups-and-stable-count',
    facts: ['F1', 'seed 3'],
    summary:
      'find_get_page() takes part: after a grace period no lookup has a reference to a page that it does not return',
    source: 'e286781d5f "mm: speculative page references" (2.6.27), the comment in include/linux/pagemap.h',
    properties: ['I2', 'I3'],
    setup: () => bootIsolatedPage(),
    threads: {
      *lookup() {
        const page = yield* findGetPage(mapping, 0);
        if (page !== NULL) yield* putPage(page);
        return page !== NULL;
      },
      owner: useFrame,
    },
    *finally(page, { results, reach }) {
      const count = results.owner as number | null;
      if (count === null) reach('kept');
      else {
        assertThat(count === 1, 'I3: after a grace period nobody but its owner refers to a new page');
        yield* assertCount(page, 1);
        reach('used again');
      }
    },
    mustReach: ['kept', 'used again'],
    guards: [always('findGetPage.putOnRetry', 'assertion')],
  }),
  scenario<Process & { readonly page: Ptr<Page>; readonly newpage: Ptr<Page> }>({
    name: 'migration-entry-wait-is-reader',
    facts: ['A10', 'seed 3'],
    summary: 'a fault that meets a migration entry says that it is an RCU reader before it takes its reference',
    source:
      'Michel Lespinasse, "mm: rcu read lock for getting reference on pages in migration_entry_wait()" (2011-08-19)',
    properties: ['I3'],
    *setup() {
      yield* bootMemory();
      const page = yield* newFilePage(1);
      const newpage = yield* newSwapPage(0);
      yield* lockPage(newpage);
      const process = yield* newProcess();
      poke(process.ptep, swpEntryToPte(makeMigrationEntry(page, false)));
      return { ...process, page, newpage };
    },
    threads: {
      *migrate({ page, newpage }) {
        const error = yield* migratePageMoveMapping(newpage, page);
        yield* unlockPage(page);
        return error;
      },
      fault: ({ mm }) => migrationEntryWait(mm, ADDRESS),
    },
    *finally({ page }, { results, reach }) {
      yield* assertCount(page, results.migrate === 0 ? 1 : 2);
      reach(results.migrate === 0 ? 'migrated' : 'fault first');
    },
    mustReach: ['migrated', 'fault first'],
    guards: [alwaysAt('migrationEntryWait.rcuReadLock', 'no-rcu-reader', 'migrationEntryWait')],
  }),
];
