// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { current, GFP_KERNEL, load, NULL, omitGuards, poke, readOnce } from '@lockless/cpu';
import { gupHugePmd, nthPage } from '@lockless/huge-memory';
import { getUserPagesFastOnly, type UserAccess, userWrite } from '@lockless/mm';
import { MmStruct, Page, taskMm } from '@lockless/mm-types';
import { allocPage, lockPage, pageCount, pageMapcount, pfnToPage, pfnValid } from '@lockless/page';
import {
  isSwapPte,
  makeMigrationEntry,
  pageRemoveRmap,
  pmdTransHuge,
  ptePfn,
  readPte,
  removeMigrationPtes,
  setPteAt,
  swpEntryToPte,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly } from '../claims.js';
import { given } from '../given.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { AFTER, AT, BEFORE, bootSmallPage, collapse, pageOf, SECRET, type SmallPage } from './collapse-boot.js';

/* Small pages become a huge one while others are at them. */

const pinScenario = (
  name: string,
  gupSpeculative: number,
  summary: string,
  source: string,
  guards: readonly GuardClaim[],
): Scenario =>
  scenario<SmallPage>({
    name,
    facts: ['A11', 'seed 2'],
    summary,
    source,
    properties: ['I1', 'I3', 'I9'],
    *setup() {
      // Here the flush does not wait for the walk.
      if (gupSpeculative !== 0) omitGuards(['getUserPagesFast.irqsOff']);
      return yield* bootSmallPage(gupSpeculative);
    },
    threads: {
      collapse,
      *pin({ mm }) {
        poke(taskMm(current()), mm);
        const pages: Ptr<Page>[] = [];
        return (yield* getUserPagesFastOnly(AT, 1, true, pages)) === 1 ? pages[0] : NULL;
      },
    },
    *finally(shared, { results, reach }) {
      const { page, pmd } = shared;
      const pinned = results.pin === page;
      const done = results.collapse === 'succeed';
      const has = yield* pageOf(shared);
      assertThat(has !== NULL, 'the process has a page');
      assertThat(pmdTransHuge(yield* load(pmd)) === done, 'a huge one, if it says so');
      assertThat(!pinned || has === page, 'I1: what is pinned is what the process has');
      assertThat((yield* load(Page.contentIdentity(has))) === BEFORE, 'with what was in it');
      assertThat(done || (yield* pageCount(page)) === (pinned ? 2 : 1), 'I3: no reference is lost, none is left');
      assertThat((yield* pageMapcount(done ? pfnToPage(ptePfn(yield* load(pmd))) : page)) === 1, 'I9: mapped once');
      reach(`${results.collapse}, ${pinned ? 'pinned' : 'not pinned'}`);
    },
    mustReach: ['succeed, not pinned', 'page-count, pinned'],
    guards,
  });

export const collapseScenarios: readonly Scenario[] = [
  pinScenario(
    'thp-collapse-vs-gup-fast',
    0,
    'small pages become a huge one while get_user_pages_fast walks their table with interrupts off: the flush waits for it, and its reference is counted',
    'collapse_huge_page(), mm/huge_memory.c, 2.6.38',
    [
      always('collapseHugePage.clearFirst', 'VM_BUG'),
      always('collapseHugePage.flush', 'VM_BUG'),
      always('collapseHugePage.pageCount', 'assertion'),
      always('collapseHugePage.undo', 'assertion'),
      always('getUserPagesFast.irqsOff', 'VM_BUG'),
    ],
  ),
  pinScenario(
    'thp-collapse-vs-gup-fast-without-ipi',
    1,
    'the same where a flush waits for nobody: get_user_pages_fast looks at the entry above the table again, for those in it do not change until the pages are copied',
    '70cbc3cc78a9 "mm: gup: fix the fast GUP race against THP collapse" (6.1)',
    [
      always('getUserPagesFast.pmdRecheck', 'assertion'),
      always('collapseHugePage.clearFirst', 'assertion'),
      always('collapseHugePage.pageCount', 'assertion'),
      notNeeded('getUserPagesFast.pteRecheck'),
    ],
  ),
  scenario<SmallPage>({
    name: 'thp-collapse-vs-write',
    facts: ['A11'],
    summary: 'a program writes to a page that is being copied into a huge one',
    source:
      'collapse_huge_page(), mm/huge_memory.c, 2.6.38: pmdp_clear_flush_notify() before __collapse_huge_page_isolate()',
    properties: ['I1', 'I2'],
    setup: () => bootSmallPage(0),
    threads: {
      collapse,
      *program({ mm }) {
        poke(taskMm(current()), mm);
        return yield* userWrite(AT, { identity: AFTER, version: 0 });
      },
    },
    *finally(shared, { results, reach }) {
      const { error, faults } = results.program as UserAccess;
      const has = yield* pageOf(shared);
      assertThat(error === 0 && has !== NULL, 'the process has a page');
      assertThat((yield* load(Page.contentIdentity(has))) === AFTER, 'I2: no write is lost');
      reach(`${results.collapse}, ${faults === 0 ? 'no fault' : 'a fault'}`);
    },
    mustReach: ['succeed, no fault', 'succeed, a fault'],
    guards: [
      always('collapseHugePage.clearFirst', 'assertion'),
      always('collapseHugePage.flush', 'assertion'),
      always('collapseHugePage.mmapSem', 'BUG'),
    ],
  }),
  scenario<SmallPage>({
    name: 'thp-collapse-publishes-content',
    facts: ['C12'],
    summary: 'a huge page is found by its entry as soon as that is there: its content must be there before',
    source: 'collapse_huge_page(), mm/huge_memory.c, 2.6.38: smp_wmb() before set_pmd_at()',
    properties: ['I1', 'I3'],
    *setup() {
      const shared = yield* bootSmallPage(0);
      // What was in other frames before is nobody's business.
      for (let page = pfnToPage(1), pfn = 1; pfnValid(pfn); page = pfnToPage(++pfn))
        if (page !== shared.page) poke(Page.contentIdentity(page), SECRET);
      return shared;
    },
    threads: {
      collapse,
      *pin({ pmd }) {
        const head = yield* gupHugePmd(pmd);
        if (head === NULL) return NULL;
        return `${yield* readOnce(Page.contentIdentity(head))} and ${yield* readOnce(Page.contentIdentity(nthPage(head, 1)))}`;
      },
    },
    *finally({ pmd }, { results, reach }) {
      assertThat(
        results.pin === NULL || results.pin === `${BEFORE} and 0`,
        'I1: what was in the small page, and zeros',
      );
      const head = pfnToPage(ptePfn(yield* load(pmd)));
      // Its entry, a pagevec, and the pin.
      assertThat((yield* pageCount(head)) === (results.pin === NULL ? 2 : 3), 'I3: each reference is counted');
      reach(results.pin === NULL ? 'not yet' : 'found');
    },
    mustReach: ['not yet', 'found'],
    guards: [weakOnly('setPageUptodate.smp_wmb', 'assertion')],
  }),
  scenario<SmallPage & { old: Ptr<Page> }>({
    name: 'thp-collapse-vs-migration-entry',
    facts: ['D6', 'D7'],
    summary:
      'the page of a migration entry comes back while a collapse has the entry above its table empty, and is about to put the table back',
    source: 'collapse_huge_page(), mm/huge_memory.c, 2.6.38: anon_vma_lock() before pmdp_clear_flush_notify()',
    properties: ['I8', 'I9'],
    *setup() {
      const shared = yield* bootSmallPage(0);
      const old = shared.page;
      const page = given(yield* allocPage(GFP_KERNEL));
      for (const locked of [old, page]) yield* lockPage(locked);
      poke(Page.mapping(page), yield* load(Page.mapping(old)));
      poke(Page.index(page), yield* load(Page.index(old)));
      yield* setPteAt(shared.mm, AT, shared.ptep, swpEntryToPte(makeMigrationEntry(old, true)));
      yield* pageRemoveRmap(old, shared.ptep);
      poke(MmStruct.anonRss(shared.mm), 0);
      return { ...shared, page, old };
    },
    threads: {
      collapse,
      migrate: ({ old, page }) => removeMigrationPtes(old, page),
    },
    *finally(shared, { results, reach }) {
      const { ptep, pmd } = shared;
      const done = results.collapse === 'succeed';
      assertThat(done || !isSwapPte(yield* readPte(ptep)), 'I8: no migration entry is left of a page that has moved');
      assertThat(pmdTransHuge(yield* load(pmd)) === done, 'the table is in its place, or the huge page');
      reach(`${results.collapse}`);
    },
    mustReach: ['pte-non-present'],
    guards: [always('collapseHugePage.anonVmaLock', 'assertion')],
  }),
];
