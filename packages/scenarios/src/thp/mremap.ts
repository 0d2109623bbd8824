// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { load, store } from '@lockless/cpu';
import { moveHugePmd, splitHugePage } from '@lockless/huge-memory';
import { type MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { getPage, pageMapcount } from '@lockless/page';
import { anonVmaLink, copyVmAreaStruct, type Pte, pmdAlloc, pmdTransHuge } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootHugeArea } from './boot.js';

/* A huge page of two pages that mremap moves to an area that comes before its own on the list of the anon_vma: one that it was merged into. */

interface TwoAreas {
  readonly mm: Ptr<MmStruct>;
  /** Where the huge page is, and its entry. */
  readonly from: Ptr<VmAreaStruct>;
  readonly source: Ref<Pte>;
  readonly target: Ref<Pte>;
  readonly head: Ptr<Page>;
}

function* bootTwoAreas(): Op<TwoAreas> {
  const { mm, vma, pmd: target, head } = yield* bootHugeArea();
  const from = given(yield* copyVmAreaStruct(vma));
  yield* store(VmAreaStruct.vmStart(from), 2);
  yield* store(VmAreaStruct.vmEnd(from), 4);
  yield* anonVmaLink(from);
  const source = given(yield* pmdAlloc(mm, 2));
  assertThat(yield* moveHugePmd(mm, vma, target, 2), 'there is room for a huge page');
  yield* getPage(head);
  return { mm, from, source, target, head };
}

export const hugeMremapScenarios: readonly Scenario[] = [
  scenario<TwoAreas>({
    name: 'thp-split-under-mremap',
    facts: ['F6'],
    summary:
      'a huge page is split, area by area, while mremap moves its entry to an area that the split has looked at already',
    source: 'move_huge_pmd(), mm/huge_memory.c, 3.2',
    properties: ['I3', 'I9'],
    setup: bootTwoAreas,
    threads: {
      *mremap({ mm, from, source }) {
        return (yield* moveHugePmd(mm, from, source, 0)) ? 'moved' : 'not moved';
      },
      split: ({ head }) => splitHugePage(head),
    },
    *finally({ source, target, head }, { results, reach }) {
      const [was, is] = results.mremap === 'moved' ? [source, target] : [target, source];
      assertThat((yield* load(was)) === 0, 'nothing is mapped at one place');
      const table = yield* load(is);
      assertThat(table !== 0 && !pmdTransHuge(table), 'and a table at the other');
      assertThat((yield* pageMapcount(head)) === 1, 'the page is mapped once');
      reach(`${results.mremap}`);
    },
    mustReach: ['moved', 'not moved'],
    guards: [always('moveHugePmd.anonVmaLock', 'BUG')],
  }),
];
