// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { current, GFP_COMP, GFP_KERNEL, load, poke, store } from '@lockless/cpu';
import {
  doHugePmdWpPage,
  doHugePmdZeroPage,
  hugeZeroPageInit,
  migrateHugePage,
  nthPage,
  replaceHugePage,
  splitHugePage,
  splitHugePagePmd,
} from '@lockless/huge-memory';
import { sysMincore } from '@lockless/mm';
import { MmStruct, type Page, taskMm } from '@lockless/mm-types';
import { allocPages, getPage, pageMapcount, pfnToPage } from '@lockless/page';
import {
  type Pte,
  pageDupRmap,
  pmdTransHuge,
  ptePfn,
  pteWrprotect,
  type RmapSpare,
  rmapPrepare,
  zapPageRange,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootAreaForHugePage, bootHugeArea, type HugeArea } from './boot.js';
import { bootMigration, type Migration } from './migration.js';

/*
 * MADV_DONTNEED of a huge page of two pages, while somebody changes its entry under the page table lock. Both have mmap_sem for reading, or not at all,
 * so neither keeps the other off. The zap reads the entry before it takes the lock, and passes by what is empty.
 */

interface Copied extends HugeArea {
  readonly copy: Ptr<Page>;
  /** As it was when the write faulted. */
  readonly entry: Pte;
}

type Area = Omit<HugeArea, 'head'>;

const zap = ({ vma }: Area): Op<number> => zapPageRange(vma, 0, 2);

/** Nothing is mapped any more: whatever the entry became meanwhile. *Returns* whether there is a table. */
function* assertGone({ mm, pmd }: Area): Op<boolean> {
  const entry = yield* load(pmd);
  assertThat(!pmdTransHuge(entry), 'no huge page is mapped where one was zapped');
  for (let i = 0; entry !== 0 && i < 2; i++)
    assertThat((yield* load((entry + i) as Ref<Pte>)) === 0, 'no page is mapped where it was zapped');
  assertThat((yield* load(MmStruct.anonRss(mm))) === 0, 'and none is counted');
  return entry !== 0;
}

const EMPTY_FOR_A_MOMENT = always('pmdpInvalidate.staysHuge', 'assertion');

/** Somebody else has a reference. */
function* bootHeldHugePage(): Op<HugeArea> {
  const area = yield* bootHugeArea();
  yield* getPage(area.head);
  return area;
}

/** Somebody else maps it. */
function* bootSharedHugePage(): Op<HugeArea> {
  const area = yield* bootHeldHugePage();
  yield* pageDupRmap(area.head, area.pmd, (yield* rmapPrepare()) as RmapSpare);
  yield* store(area.pmd, pteWrprotect(yield* load(area.pmd)));
  return area;
}

export const hugeZapScenarios: readonly Scenario[] = [
  scenario<HugeArea>({
    name: 'thp-zap-vs-split',
    facts: ['C10'],
    summary: 'a huge page is zapped while it is split, by somebody who found it by the reverse mapping',
    source:
      '__split_huge_page_map(), mm/huge_memory.c, 2.6.38: the entry stays one of a huge page, being split and not present, until the table is there',
    properties: ['I3', 'I9'],
    setup: bootHeldHugePage,
    threads: { zap, split: ({ head }) => splitHugePage(head) },
    *finally(area, { results, reach }) {
      const split = yield* assertGone(area);
      assertThat(split === (results.split === 0), 'there is a table if there was a page to split');
      for (const i of [0, 1])
        assertThat((yield* pageMapcount(nthPage(area.head, i))) === 0, 'I9: a page that is not mapped counts so');
      reach(split ? 'split, then zapped' : 'zapped');
    },
    mustReach: ['split, then zapped', 'zapped'],
    guards: [EMPTY_FOR_A_MOMENT],
  }),
  scenario<Area>({
    name: 'thp-zap-vs-split-of-zeros',
    facts: ['C10'],
    summary: 'the huge zero page is zapped while somebody who wants but a part of it splits its entry',
    source: '__split_huge_zero_page_pmd(), mm/huge_memory.c, 3.8, which empties the entry',
    properties: ['I9'],
    *setup() {
      const area = yield* bootAreaForHugePage();
      yield* hugeZeroPageInit();
      assertThat((yield* doHugePmdZeroPage(area.mm, area.vma, area.pmd)) === 'done', 'there is a table to lay by');
      return area;
    },
    threads: { zap, split: ({ mm, pmd }) => splitHugePagePmd(mm, 0, pmd) },
    *finally(area, { reach }) {
      reach((yield* assertGone(area)) ? 'split, then zapped' : 'zapped');
    },
    mustReach: ['split, then zapped', 'zapped'],
    guards: [EMPTY_FOR_A_MOMENT],
  }),
  scenario<HugeArea>({
    name: 'thp-zap-vs-copy',
    facts: ['C10'],
    summary: 'a huge page is zapped by one thread, while another one’s write puts a copy in its place',
    source:
      'do_huge_pmd_wp_page(), mm/huge_memory.c, 3.1, which empties the entry; as ced108037c2a (4.11) for another change',
    properties: ['I9'],
    setup: bootSharedHugePage,
    threads: {
      zap,
      *write({ mm, vma, pmd }) {
        const orig = yield* load(pmd);
        return pmdTransHuge(orig) ? yield* doHugePmdWpPage(mm, vma, 0, pmd, orig) : 'nothing there';
      },
    },
    *finally(area, { results, reach }) {
      yield* assertGone(area);
      assertThat((yield* pageMapcount(area.head)) === 1, 'I9: the other process maps it');
      reach(`${results.write}`);
    },
    mustReach: ['copied', 'done', 'nothing there'],
    guards: [EMPTY_FOR_A_MOMENT],
  }),
  scenario<Migration>({
    name: 'thp-zap-vs-migration',
    facts: ['C10'],
    summary: 'a huge page is zapped while it moves to another block',
    source: 'ced108037c2a "thp: fix MADV_DONTNEED vs. numa balancing race" (4.11), of a change of rights',
    properties: ['I9'],
    setup: bootMigration,
    threads: { zap, migrate: ({ vma, pmd, head, newpage }) => migrateHugePage(vma, 0, pmd, head, newpage) },
    *finally(area, { results, reach }) {
      yield* assertGone(area);
      reach(results.migrate === 0 ? 'moved, then zapped' : 'zapped');
    },
    mustReach: ['moved, then zapped', 'zapped'],
    guards: [EMPTY_FOR_A_MOMENT],
  }),
  scenario<HugeArea>({
    name: 'thp-mincore-vs-split',
    facts: ['C10'],
    summary: 'mincore() looks at a huge page that is being split: it is in memory all the time',
    source: 'mincore_pmd_range(), mm/mincore.c, 2.6.38; one read of the entry as in 1a5a9906d4e8 (3.4)',
    properties: ['I9'],
    setup: bootHeldHugePage,
    threads: {
      *mincore({ mm }) {
        poke(taskMm(current()), mm);
        return `${yield* sysMincore(0, 2)}`;
      },
      split: ({ head }) => splitHugePage(head),
    },
    *finally({ pmd }, { results }) {
      assertThat(!pmdTransHuge(yield* load(pmd)), 'it is split');
      assertThat(results.mincore === 'true,true', 'a page that is in memory all the time is told to be');
    },
    guards: [EMPTY_FOR_A_MOMENT],
  }),
  scenario<Copied>({
    name: 'thp-copy-vs-split-of-entry',
    facts: ['C10'],
    summary:
      'one thread wants ordinary pages in the place of a huge one, and finds a copy of it there, which another thread’s write has made',
    source: '__split_huge_page_pmd(), mm/huge_memory.c: Hugh Dickins, 2013: instead of a BUG_ON, try again',
    properties: ['I9'],
    *setup() {
      const area = yield* bootHeldHugePage();
      const copy = given(yield* allocPages(GFP_KERNEL | GFP_COMP, 1));
      yield* getPage(copy);
      return { ...area, copy, entry: yield* load(area.pmd) };
    },
    threads: {
      write: ({ mm, vma, pmd, entry, head, copy }) => replaceHugePage(mm, vma, 0, pmd, entry, head, copy),
      split: ({ mm, pmd }) => splitHugePagePmd(mm, 0, pmd),
    },
    *finally({ pmd, head, copy }, { results, reach }) {
      const entry = yield* load(pmd);
      assertThat(entry !== 0, 'something is mapped');
      const split = !pmdTransHuge(entry);
      const first = pfnToPage(ptePfn(split ? yield* load(entry as number as Ref<Pte>) : entry));
      assertThat(first === (results.write === 'copied' ? copy : head), 'the copy if one was made');
      assertThat((yield* pageMapcount(first)) === 1, 'I9: mapped once');
      reach(`${results.write}, ${split ? 'split' : 'not split'}`);
    },
    mustReach: ['copied, split', 'copied, not split', 'done, split'],
    guards: [always('splitHugePagePmd.anotherHugePage', 'BUG')],
  }),
];
