// SPDX-License-Identifier: GPL-2.0-only
import { load, type Op, readOnce } from '@lockless/cpu';
import { doCowFault, handleMmFault } from '@lockless/mm';
import { Inode, Page } from '@lockless/mm-types';
import { getPage, lockPage, putPage, unlockPage } from '@lockless/page';
import { PTE_NONE, pteNone, readPte, unmapMappingRange } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { AT, bootMappedFile, type MappedFile, truncate } from './boot.js';

/** What a fault has done when filemap_fault() has found the page, until it has checked it under the page lock; and then the real copy. */
function* cowFault({ mm, vma, inode, ptep, page }: MappedFile): Op<boolean> {
  yield* lockPage(page);
  const inFile = (yield* load(Page.mapping(page))) !== 0 && (yield* readOnce(Inode.size(inode))) > 0;
  if (inFile) yield* doCowFault({ mm, vma, address: AT, write: true, pte: ptep, origPte: PTE_NONE }, page);
  else {
    yield* unlockPage(page);
    yield* putPage(page);
  }
  return inFile;
}

/** The claim of both designs. */
function* assertNothingBeyondTheEnd({ ptep }: MappedFile): Op<void> {
  assertThat(pteNone(yield* readPte(ptep)), 'I12: nothing is mapped beyond the end of the file');
}

/** A fault in the design of 2.6.6. */
const noPageFault = ({ mm, vma }: MappedFile): Op<number> => handleMmFault(mm, vma, AT, false);
const bootNoPage = (): Op<MappedFile> => bootMappedFile({ shared: true, mm: { truncateCountFaults: 1 } });

export const truncateScenarios: readonly Scenario[] = [
  scenario<MappedFile>({
    name: 'cow-fault-vs-truncation',
    facts: ['C2'],
    summary: 'a write fault on a private mapping copies a page that truncation has unmapped, and not yet taken out',
    source: 'vmtruncate(), mm/memory.c, 2.6.27, which calls unmap_mapping_range() twice',
    properties: ['I9', 'I12'],
    *setup() {
      const shared = yield* bootMappedFile({ shared: false });
      yield* getPage(shared.page); // the fault's
      return shared;
    },
    threads: { truncate, fault: cowFault },
    *finally(shared, { results, reach }) {
      yield* assertNothingBeyondTheEnd(shared);
      reach(results.fault === true ? 'copied' : 'SIGBUS');
    },
    mustReach: ['copied', 'SIGBUS'],
    guards: [always('vmtruncate.secondUnmap', 'assertion')],
  }),
  scenario<MappedFile>({
    name: 'no-page-vs-truncation',
    facts: ['C1'],
    summary:
      'a fault that does not lock the page counts on truncate_count to notice truncation, under a lockless lookup',
    source:
      'do_no_page() and unmap_mapping_range(), mm/memory.c, 2.6.6; replaced by the page lock in d00806b183 (2.6.23)',
    properties: ['I12'],
    setup: bootNoPage,
    threads: { truncate, fault: noPageFault },
    *finally(shared, { results, reach }) {
      yield* assertNothingBeyondTheEnd(shared);
      reach(results.fault === 0 ? 'was mapped' : 'SIGBUS');
    },
    mustReach: ['was mapped', 'SIGBUS'],
    guards: [
      always('doNoPage.truncateCountRecheck', 'assertion'),
      weakOnly('doNoPage.smp_rmb#1', 'BUG'),
      weakOnly('nextTruncateCount.smp_wmb', 'BUG'),
    ],
  }),
  scenario<MappedFile>({
    name: 'no-page-retry-vs-truncation',
    facts: ['C1'],
    summary: 'a fault starts over because of one truncation, and meets the next one',
    source: 'do_no_page(), mm/memory.c: 2.6.18 has a read barrier where it starts over, 2.6.6 has none',
    properties: ['I12'],
    setup: bootNoPage,
    threads: {
      *truncate(shared) {
        yield* unmapMappingRange(shared.mapping, 7, 1, true);
        yield* truncate(shared);
      },
      fault: noPageFault,
    },
    *finally(shared, { results, reach }) {
      yield* assertNothingBeyondTheEnd(shared);
      reach(results.fault === 0 ? 'was mapped' : 'SIGBUS');
    },
    mustReach: ['was mapped', 'SIGBUS'],
    guards: [
      // The reference to the page that it gave up goes before: a full barrier. And between the lookup and the look under the lock there is
      // none, and none is missing, however lockless the lookup: what was to be shown (C1) is not so.
      notNeeded('doNoPage.smp_rmb#2'),
    ],
  }),
];
