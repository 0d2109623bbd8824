// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, defineWord, NULL, poke, readOnce, vmBugOn } from '@lockless/cpu';
import { splitHugePageRefcount } from '@lockless/huge-memory';
import { Page } from '@lockless/mm-types';
import { firstPage, pageHead, pageTail, pfnToPage } from '@lockless/page';
import {
  makeMigrationEntry,
  migrationEntryOf,
  migrationEntryToPage,
  type Pte,
  ptePfn,
  ptePresent,
  swpEntryToPte,
} from '@lockless/rmap';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootHugePages, type HugePage, newHugePage } from './boot.js';

/*
 * Who reads /proc/PID/smaps holds the page table lock. That keeps a page which a present entry maps. An entry that names a page which is not mapped any
 * more, because it is being migrated or split, keeps nothing.
 */

const presentOnly = defineGuard(
  'smapsPteEntry.presentOnly',
  'the mapcount of a page is read that a migration entry names (before 24d7275ce279)',
);

const entry: Ref<Pte> = defineWord<Pte>('pte_of_smaps');

/** page_mapcount() of 5.16: of a tail, with what its head is mapped by as a whole. *Source*: mm/util.c, include/linux/page-flags.h: PageDoubleMap(). */
function* pageMapcountOfPart(page: Ptr<Page>): Op<number> {
  const own = (yield* readOnce(Page._mapcount(page))) + 1;
  if (!(yield* pageTail(page))) return own;
  const head = yield* readOnce(firstPage(page));
  vmBugOn(!(yield* pageHead(head)), 'PageDoubleMap: !PageHead(page)');
  return own + (yield* readOnce(Page._mapcount(head))) + 1;
}

/** smaps_pte_entry(). *Context*: page table lock, which nobody else wants here. */
function* smapsPteEntry(): Op<number | string> {
  const pte = yield* readOnce(entry);
  if (ptePresent(pte)) return yield* pageMapcountOfPart(pfnToPage(ptePfn(pte)));
  const migrating = migrationEntryOf(pte);
  if (migrating === NULL || presentOnly()) return 'counted as mapped once';
  return yield* pageMapcountOfPart(migrationEntryToPage(migrating));
}

export const smapsScenarios: readonly Scenario[] = [
  scenario<HugePage>({
    name: 'thp-smaps-under-split',
    facts: ['F7'],
    summary:
      'somebody reads the mapcount of a page that is not mapped any more, while the huge page that it is part of is split',
    source: '24d7275ce279 (5.17): "fs/proc: task_mmu.c: don\'t read mapcount for migration entry", Yang Shi',
    properties: ['I1'],
    *setup() {
      yield* bootHugePages('tail-mapcount');
      const huge = yield* newHugePage();
      poke(entry, swpEntryToPte(makeMigrationEntry(huge.tail, false)));
      return huge;
    },
    threads: { smaps: smapsPteEntry, split: ({ head }) => splitHugePageRefcount(head) },
    *finally(_huge, { results, reach }) {
      reach(`${results.smaps}`);
    },
    mustReach: ['counted as mapped once'],
    guards: [always('smapsPteEntry.presentOnly', 'VM_BUG')],
  }),
];
