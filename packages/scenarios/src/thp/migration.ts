// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { configureKernel, GFP_COMP, GFP_KERNEL, load, NULL, poke } from '@lockless/cpu';
import { gupHugePmd, migrateHugePage } from '@lockless/huge-memory';
import { EAGAIN, Page } from '@lockless/mm-types';
import { allocPages, lockPage, lruAddDrain, pageCount, pageMapcount, pfnToPage } from '@lockless/page';
import { isolateLruPageForMigration } from '@lockless/pagecache';
import { pmdTransHuge, ptePfn } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, alwaysAt, notNeeded, weakOnly } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootHugeArea, type HugeArea } from './boot.js';

/* A huge page moves to another block, while somebody pins it by a walk without a lock. */

export interface Migration extends HugeArea {
  readonly newpage: Ptr<Page>;
}

/** The page is isolated and locked: mapped once, and with the migration's reference. */
export function* bootMigration(): Op<Migration> {
  configureKernel({ proveRcu: true });
  const area = yield* bootHugeArea();
  yield* lruAddDrain();
  assertThat((yield* isolateLruPageForMigration(area.head)) === 0, 'the page is isolated');
  yield* lockPage(area.head);
  poke(Page.contentIdentity(area.head), 1);
  return { ...area, newpage: given(yield* allocPages(GFP_KERNEL | GFP_COMP, 1)) };
}

export const hugeMigrationScenarios: readonly Scenario[] = [
  scenario<Migration>({
    name: 'thp-migration-vs-gup-fast',
    facts: ['C16', 'A11'],
    summary:
      'a huge page is migrated because its count says that nobody else has it, and get_user_pages_fast() has it right after',
    source:
      'migrate_misplaced_transhuge_page(), mm/migrate.c, 3.8 and later, which tests page_count(); the fix freezes it, as migrate_page_move_mapping() does',
    properties: ['I1', 'I2', 'I3', 'I9'],
    setup: bootMigration,
    threads: {
      migrate: ({ vma, pmd, head, newpage }) => migrateHugePage(vma, 0, pmd, head, newpage),
      *pin({ pmd }) {
        const page = yield* gupHugePmd(pmd);
        return page === NULL ? NULL : { page, content: yield* load(Page.contentIdentity(page)) };
      },
    },
    *finally({ pmd, head, newpage }, { results, reach }) {
      const moved = results.migrate === 0;
      assertThat(moved || results.migrate === -EAGAIN, 'the page moves, or it is to be tried again');
      const entry = yield* load(pmd);
      const mapped = pmdTransHuge(entry) ? pfnToPage(ptePfn(entry)) : NULL;
      assertThat(mapped === (moved ? newpage : head), 'the process has its page, where it is now');
      const pin = results.pin as { page: Ptr<Page>; content: number } | Null;
      const pins = pin === NULL ? 0 : 1;
      if (pin !== NULL) {
        assertThat(pin.page === mapped, 'I1: what is pinned is what the process has');
        assertThat(pin.content === 1, 'with what was in it');
      }
      // The mapping's and the pin; and the migration's, which is to the old block.
      const holders = (moved ? 1 : 2) + pins;
      assertThat((yield* pageCount(mapped as Ptr<Page>)) === holders, 'I3: no reference is lost, none is left');
      assertThat((yield* pageCount(moved ? head : newpage)) === 1, 'I3: and the other block is the migration’s alone');
      assertThat((yield* pageMapcount(mapped as Ptr<Page>)) === 1, 'I9: it is mapped once');
      reach(moved ? (pins === 1 ? 'moved, then pinned' : 'moved') : 'pinned first');
    },
    mustReach: ['moved', 'moved, then pinned', 'pinned first'],
    guards: [
      always('migrateHugePage.freezeRefs', 'assertion'),
      always('gupHugePmd.recheck', 'assertion'),
      alwaysAt('gupHugePmd.rcuReadLock', 'no-rcu-reader', 'gupHugeEntry'),
      weakOnly('setPageUptodate.smp_wmb', 'assertion'),
      // page_remove_rmap() before it is a full barrier.
      notNeeded('pageUnfreezeRefs.smp_store_release'),
    ],
  }),
];
