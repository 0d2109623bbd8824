// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { current, GFP_KERNEL, NULL, omitGuards, poke, spinLock, spinUnlock } from '@lockless/cpu';
import { ERA_MM, FOLL_FORCE, FOLL_WRITE, getUserPages, getUserPagesFast, mmOptionsInit } from '@lockless/mm';
import { type MmStruct, type Page, taskMm } from '@lockless/mm-types';
import { allocPage, disableVmEventCounters, pageAnon, pageCount, putPage } from '@lockless/page';
import {
  freePgdRange,
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_USER,
  type Pte,
  pteLockptr,
  ptepClearFlush,
  setPteAt,
  tlbFinishMmu,
  tlbGatherMmu,
  zapPageRange,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMemory, newPage, newProcess } from '../swap/boot.js';
import { AT, bootMappedFile, type MappedFile } from './boot.js';

/** A process with one page, which its page table alone refers to. It has no areas: who needs a fault is told -EFAULT. */
interface OnePage {
  readonly mm: Ptr<MmStruct>;
  readonly ptep: Ref<Pte>;
  readonly page: Ptr<Page>;
}

function* bootOnePage(gupSpeculative: number): Op<OnePage> {
  yield* bootMemory();
  disableVmEventCounters();
  yield* mmOptionsInit({ ...ERA_MM, gupSpeculative });
  const page = yield* newPage(1);
  const { mm, ptep } = yield* newProcess();
  yield* setPteAt(mm, ADDRESS, ptep, mkPte(page, (PTE_PRESENT | PTE_USER) as Pgprot));
  return { mm, ptep, page };
}

/** The page that get_user_pages_fast() finds, with the reference, or NULL. */
function* gupFast({ mm }: OnePage): Op<Ptr<Page> | 0> {
  poke(taskMm(current()), mm);
  const pages: Ptr<Page>[] = [];
  const got = yield* getUserPagesFast(ADDRESS, 1, false, pages);
  return got === 1 ? pages[0] : NULL;
}

/** zap_pte_range() of one entry, with the flush that comes before the page is let go; and the next who wants a frame. */
function* unmapAndAllocate({ mm, ptep, page }: OnePage): Op<Ptr<Page> | 0> {
  yield* spinLock(pteLockptr(mm, ptep));
  yield* ptepClearFlush(mm, ADDRESS, ptep);
  yield* spinUnlock(pteLockptr(mm, ptep));
  yield* putPage(page);
  return yield* allocPage(GFP_KERNEL);
}

const unmapScenario = (
  name: string,
  gupSpeculative: number,
  summary: string,
  guards: readonly GuardClaim[],
): Scenario =>
  scenario<OnePage>({
    name,
    facts: ['seed 2'],
    summary,
    source:
      'get_user_pages_fast(): 8174c430e4 "x86: lockless get_user_pages_fast()"; powerpc: ce0ad7f095 (both 2.6.27)',
    properties: ['I1', 'I3', 'I4'],
    *setup() {
      // Here a flush does not wait for the walk: the reference has to see to itself.
      if (gupSpeculative !== 0) omitGuards(['getUserPagesFast.irqsOff']);
      return yield* bootOnePage(gupSpeculative);
    },
    threads: { gup: gupFast, unmap: unmapAndAllocate },
    *finally({ page }, { results, reach }) {
      const got = results.gup === page;
      const reused = results.unmap === page;
      assertThat(!(got && reused), "I1: the page that was found is not somebody else's");
      assertThat((yield* pageCount(page)) === (got || reused ? 1 : 0), 'I3: no reference is lost, none is left');
      reach(got ? 'got it' : 'unmapped first');
    },
    mustReach: ['got it', 'unmapped first'],
    guards,
  });

export const gupScenarios: readonly Scenario[] = [
  unmapScenario(
    'gup-fast-vs-unmap',
    0,
    'get_user_pages_fast walks the page table with interrupts off while an entry is cleared, flushed, and its page freed',
    [always('getUserPagesFast.irqsOff', 'VM_BUG')],
  ),
  unmapScenario(
    'gup-fast-speculative-vs-unmap',
    1,
    'get_user_pages_fast, where a flush sends no interrupts: a speculative reference, while the page is unmapped and its frame reused',
    [always('getUserPagesFast.getUnlessZero', 'VM_BUG'), always('getUserPagesFast.pteRecheck', 'assertion')],
  ),
  scenario<OnePage>({
    name: 'gup-fast-vs-table-freeing',
    facts: ['seed 2'],
    summary: 'get_user_pages_fast walks page tables that munmap frees after the flush',
    source: '8174c430e4 "x86: lockless get_user_pages_fast()" (2.6.27)',
    properties: ['I11'],
    *setup() {
      const one = yield* bootOnePage(1);
      yield* setPteAt(one.mm, ADDRESS, one.ptep, 0 as Pte);
      return one;
    },
    threads: {
      gup: gupFast,
      *munmap({ mm }) {
        const tlb = tlbGatherMmu(mm, false);
        yield* freePgdRange(tlb, ADDRESS, ADDRESS + 1, 0, 0);
        yield* tlbFinishMmu(tlb);
      },
    },
    *finally(_one, { results }) {
      assertThat(results.gup === NULL, 'nothing is mapped');
    },
    guards: [always('getUserPagesFast.irqsOff', 'use-after-free')],
  }),
  scenario<MappedFile>({
    name: 'forced-write-vs-dontneed',
    facts: ['C14'],
    summary:
      'ptrace has a private copy made of a page that is mapped read-only, and madvise throws it away before it is looked for',
    source:
      '4ceb5db975 and f33ea7f404 (2005); 19be0eaffa3a "mm: remove gup_flags FOLL_WRITE games from __get_user_pages()" (4.9): Dirty COW',
    properties: ['I6'],
    *setup() {
      const shared = yield* bootMappedFile({ shared: false, writable: false });
      yield* putPage(shared.page);
      const pages: Ptr<Page>[] = [];
      yield* getUserPages(shared.mm, AT, 1, FOLL_WRITE | FOLL_FORCE, pages);
      yield* putPage(pages[0]);
      return shared;
    },
    threads: {
      *ptrace({ mm }) {
        const pages: Ptr<Page>[] = [];
        yield* getUserPages(mm, AT, 1, FOLL_WRITE | FOLL_FORCE, pages);
        return pages[0];
      },
      madvise: ({ vma }) => zapPageRange(vma, AT, AT + 1),
    },
    *finally({ page }, { results, reach }) {
      const written = results.ptrace as Ptr<Page>;
      assertThat(
        written !== page && (yield* pageAnon(written)),
        'C14: a write through a private mapping does not go to the file',
      );
      reach('a private copy');
    },
    mustReach: ['a private copy'],
    guards: [always('getUserPages.follCow', 'assertion')],
  }),
];
