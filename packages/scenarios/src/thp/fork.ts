// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { load, store } from '@lockless/cpu';
import { copyHugePmd, splitHugePage } from '@lockless/huge-memory';
import { type MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { getPage, pageCount, pageMapcount } from '@lockless/page';
import { anonVmaLink, copyVmAreaStruct, mmAlloc, type Pte, pmdAlloc, pmdOffset, pmdTransHuge } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootHugeArea } from './boot.js';

/* A huge page of two pages in a process that forks. */

interface Family {
  readonly parent: Ptr<MmStruct>;
  readonly child: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  /** The child's area, on no list yet. */
  readonly copy: Ptr<VmAreaStruct>;
  readonly pmd: Ref<Pte>;
  readonly head: Ptr<Page>;
}

function* bootFamily(): Op<Family> {
  const { mm: parent, vma, pmd, head } = yield* bootHugeArea();
  const child = given(yield* mmAlloc());
  yield* pmdAlloc(child, 0);
  const copy = given(yield* copyVmAreaStruct(vma));
  yield* store(VmAreaStruct.vmMm(copy), child);
  yield* getPage(head);
  return { parent, child, vma, copy, pmd, head };
}

/** dup_mmap(), as far as a split can see it. *Returns* whether the child has the huge entry; else it copies ordinary ones. */
function* fork({ parent, child, vma, copy, pmd }: Family): Op<string> {
  yield* anonVmaLink(copy);
  return yield* copyHugePmd(child, parent, vma, 0, pmd);
}

export const forkScenarios: readonly Scenario[] = [
  scenario<Family>({
    name: 'thp-split-under-fork',
    facts: ['F6'],
    summary: 'a huge page is split while fork gives it to a child, whose area the split may look at before or after',
    source: '__split_huge_page(), mm/huge_memory.c, 2.6.38: new areas go to the tail of the list of the anon_vma',
    properties: ['I3', 'I9'],
    setup: bootFamily,
    threads: { fork, split: ({ head }) => splitHugePage(head) },
    *finally({ parent, child, head }, { results, reach }) {
      const shared = results.fork === 'copied';
      for (const mm of [parent, child]) {
        const pmd = given(yield* pmdOffset(mm, 0));
        const entry = yield* load(pmd);
        assertThat(!pmdTransHuge(entry), 'no entry maps the page as a huge one after the split');
        assertThat(mm === parent || (entry !== 0) === shared, 'the child has a table if it had the huge page');
      }
      assertThat((yield* pageMapcount(head)) === (shared ? 2 : 1), 'mapped as often as there are tables');
      // The split's own, and the pagevec's.
      assertThat((yield* pageCount(head)) === (shared ? 2 : 1) + 2, 'a reference for each mapping');
      reach(`${results.fork}`);
    },
    mustReach: ['copied', 'no huge page'],
    guards: [always('anonVmaLink.atTail', 'BUG'), always('copyHugePmd.waitSplitting', 'BUG')],
  }),
];
