// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { peek } from '@lockless/cpu';
import { handleMmFault, unuseVma } from '@lockless/mm';
import { getPage, lockPage, pageCount, pageMapcount, unlockPage } from '@lockless/page';
import { swapInit, swapUsers } from '@lockless/pagecache';
import { pteNone, zapPageRange } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import {
  ADDRESS,
  bootMemory,
  mappedPage,
  newArea,
  newSwappedPage,
  type ProcessWithArea,
  type SwappedPage,
} from './boot.js';

/* swapoff against what a process does to its entry meanwhile. */

interface Area extends ProcessWithArea, SwappedPage {}

/** A process with one area of one page, which is swapped out and in the swap cache, where swapoff has found and locked it. */
function* bootSwappedArea(): Op<Area> {
  yield* bootMemory();
  yield* swapInit();
  const swapped = yield* newSwappedPage(1, 1);
  yield* getPage(swapped.page);
  yield* lockPage(swapped.page);
  const process = yield* newArea(swapped.entry);
  return { ...process, ...swapped };
}

/** What swapoff does in one area, and that it unlocks the page: the page was read and locked before. *Returns* whether it has mapped it. */
function* unuse({ vma, entry, page }: Area): Op<boolean> {
  const found = yield* unuseVma(vma, entry, page);
  yield* unlockPage(page);
  return found === 1;
}

export const swapoffScenarios: readonly Scenario[] = [
  scenario<Area>({
    name: 'swapoff-against-fault',
    facts: ['A17'],
    summary: 'a process faults on its entry, while swapoff maps the page there',
    source: 'unuse_pte(), mm/swapfile.c, and do_swap_page(), mm/memory.c, 2.6.27',
    properties: ['I3', 'I9'],
    setup: bootSwappedArea,
    threads: { fault: ({ mm, vma }) => handleMmFault(mm, vma, ADDRESS, false), swapoff: unuse },
    *finally({ ptep, page, entry }, { results, reach }) {
      // The page lock is swapoff's first, so the fault comes too late, however early it has read the entry.
      assertThat(results.swapoff === true && mappedPage(ptep) === page, 'swapoff has mapped the page');
      assertThat((yield* pageMapcount(page)) === 1, 'once');
      assertThat((yield* pageCount(page)) === 3, 'with one reference: the others are the cache and swapoff');
      assertThat((yield* swapUsers(entry)) === 1, 'the cache is the only user of the place');
      reach('done');
    },
    mustReach: ['done'],
    // The page lock keeps faults away; what it does not keep away is in swapoff-against-unmap.
    guards: [notNeeded('unusePte.pteSame'), whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup')],
  }),
  scenario<Area>({
    name: 'swapoff-against-unmap',
    facts: ['A17'],
    summary:
      'swapoff has seen the entry of a page, which madvise(MADV_DONTNEED) takes away before it has the lock of the page table',
    source: 'unuse_pte(), mm/swapfile.c, 2.6.27: pte_same() under the lock; 2.6.6 holds the lock for the whole area',
    properties: ['I3', 'I4', 'I9'],
    setup: bootSwappedArea,
    threads: {
      *unmap({ vma }) {
        yield* zapPageRange(vma, ADDRESS, ADDRESS + 1);
      },
      swapoff: unuse,
    },
    *finally({ ptep, page, entry }, { results, reach }) {
      assertThat(pteNone(peek(ptep)), 'nothing is mapped');
      assertThat((yield* pageMapcount(page)) === 0, 'nor counted');
      assertThat((yield* pageCount(page)) === 2, 'the references are the cache and swapoff');
      assertThat((yield* swapUsers(entry)) === 1, 'the cache is the only user of the place');
      reach(results.swapoff === true ? 'mapped first' : 'unmapped first');
    },
    mustReach: ['mapped first', 'unmapped first'],
    guards: [always('unusePte.pteSame', 'assertion')],
  }),
];
