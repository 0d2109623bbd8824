// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { GFP_KERNEL, kmemCacheAlloc, load, store } from '@lockless/cpu';
import { copyHugePmd, doHugePmdAnonymousPage, hugePagesInit, splitHugePage } from '@lockless/huge-memory';
import { type MmStruct, type Page, VM_MAYWRITE, VM_READ, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import { freeAreaInit, getPage, pageCount, pageMapcount, pfnToPage } from '@lockless/page';
import { bootRcuEvents } from '@lockless/rcu';
import {
  anonVmaLink,
  copyVmAreaStruct,
  findVmaPrepare,
  mmAlloc,
  type Pte,
  pmdAlloc,
  pmdOffset,
  pmdTransHuge,
  ptePfn,
  vmAreaCachep,
  vmaLink,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';

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

/** A process with one area of two pages, which a huge page fills. */
function* bootFamily(): Op<Family> {
  bootRcuEvents();
  yield* freeAreaInit({ pages: 16, nrCpus: 4, minFreeKbytes: 0 });
  hugePagesInit({ mode: 'always', order: 1 });
  const parent = given(yield* mmAlloc());
  const vma = given(yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL));
  yield* store(VmAreaStruct.vmMm(vma), parent);
  yield* store(VmAreaStruct.vmEnd(vma), 2);
  yield* store(VmAreaStruct.vmFlags(vma), VM_READ | VM_WRITE | VM_MAYWRITE);
  yield* vmaLink(parent, vma, yield* findVmaPrepare(parent, 0));
  const pmd = given(yield* pmdAlloc(parent, 0));
  assertThat((yield* doHugePmdAnonymousPage(parent, vma, 0, pmd)) === 'done', 'there is memory for a huge page');
  const child = given(yield* mmAlloc());
  yield* pmdAlloc(child, 0);
  const copy = given(yield* copyVmAreaStruct(vma));
  yield* store(VmAreaStruct.vmMm(copy), child);
  const head = pfnToPage(ptePfn(yield* load(pmd)));
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
