// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr, poke, type Ref } from '@lockless/cpu';
import { handleMmFault, truncatePagecache } from '@lockless/mm';
import { EAGAIN, type Page } from '@lockless/mm-types';
import { lockPage, pageCount, pageMapcount, putPage, unlockPage } from '@lockless/page';
import { iSizeWrite, truncateInodePage, unmapAndMove } from '@lockless/pagecache';
import {
  migrationEntryOf,
  type Pte,
  pgoffToPte,
  pteAllocMap,
  ptePresent,
  readPte,
  vmaMakeNonlinear,
  vmNormalPage,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { newPage } from '../rmap/boot.js';
import { type Scenario, scenario } from '../scenario.js';
import { AT, bootMappedFile, type MappedFile } from './boot.js';

/* Areas of remap_file_pages(): what is mapped where cannot be said from their bounds. */

interface Migration extends MappedFile {
  /** Fresh: the migration's. */
  readonly newpage: Ptr<Page>;
}

const migration: Scenario = scenario<Migration>({
  name: 'migration-vs-remap-file-pages',
  facts: ['D7', 'seed 4'],
  summary:
    'a page is migrated while its area becomes nonlinear, for another part of it: the migration entry is in an area that the walk back leaves out',
  source: '7e09e738afd2 "mm: fix swapops.h:131 bug if remap_file_pages raced migration" (3.14)',
  properties: ['I9', 'I12'],
  *setup() {
    const shared = yield* bootMappedFile({ shared: true, pages: 2 });
    assertThat((yield* handleMmFault(shared.mm, shared.vma, AT, false)) === 0, 'the page is mapped');
    // The scenario's reference to the page is the migration's.
    return { ...shared, newpage: yield* newPage(0) };
  },
  threads: {
    migrate: ({ newpage, page }) => unmapAndMove(newpage, page, false),
    remap: ({ vma, mapping }) => vmaMakeNonlinear(vma, mapping),
  },
  *finally({ page, newpage, ptep }, { results, reach }) {
    const moved = results.migrate === 0;
    assertThat(moved || results.migrate === -EAGAIN, 'the page moves, or it is to be tried again');
    const pte = yield* readPte(ptep);
    assertThat(migrationEntryOf(pte) === NULL, 'no migration entry is left when the migration is over');
    if (ptePresent(pte)) {
      const mapped = vmNormalPage(0, AT, pte);
      assertThat(mapped === (moved ? newpage : page), 'what is mapped is the page of the file');
      assertThat((yield* pageMapcount(moved ? newpage : page)) === 1, 'which knows its entry');
    }
    reach(moved ? 'moved' : 'stays');
  },
  mustReach: ['moved'],
  guards: [always('rmapWalk.nonlinearToo', 'assertion')],
});

/** vmtruncate() of all of the file by one who knows its page, and so need not look for it. Keeps the reference. */
function* truncate({ inode, mapping, page }: MappedFile): Op<void> {
  yield* iSizeWrite(inode, 0);
  yield* truncatePagecache(mapping, 0, function* () {
    yield* lockPage(page);
    yield* truncateInodePage(mapping, page);
    yield* unlockPage(page);
  });
}

/** Page 0 of the file is at the second address of the area. */
interface Nonlinear extends MappedFile {
  readonly elsewhere: Ref<Pte>;
}

const truncation: Scenario = scenario<Nonlinear>({
  name: 'nonlinear-fault-vs-truncation',
  facts: ['C1', 'D14', 'seed 4'],
  summary: 'a fault brings a page to a place that is not its linear one, while the file is truncated',
  source: 'unmap_mapping_range() and do_nonlinear_fault(), mm/memory.c, 2.6.27',
  properties: ['I3', 'I9', 'I12'],
  *setup() {
    const shared = yield* bootMappedFile({ shared: true, pages: 2 });
    yield* vmaMakeNonlinear(shared.vma, shared.mapping);
    const elsewhere = (yield* pteAllocMap(shared.mm, AT + 1)) as Ref<Pte>;
    poke(elsewhere, pgoffToPte(0));
    return { ...shared, elsewhere };
  },
  threads: { truncate, fault: ({ mm, vma }) => handleMmFault(mm, vma, AT + 1, false) },
  *finally({ elsewhere, page }, { results, reach }) {
    const pte = yield* readPte(elsewhere);
    assertThat(!ptePresent(pte), 'I12: nothing is mapped beyond the end of the file');
    assertThat(pte === pgoffToPte(0), 'and the entry says what belongs there');
    // The truncation's, which knows its page and keeps its reference.
    assertThat((yield* pageCount(page)) === 1, 'I3: no reference is lost, none is left');
    yield* putPage(page);
    reach(results.fault === 0 ? 'was mapped' : 'SIGBUS');
  },
  mustReach: ['was mapped', 'SIGBUS'],
  guards: [always('unmapMappingRange.nonlinearToo', 'BUG'), always('truncateInodePage.unmapUnderLock', 'BUG')],
});

export const nonlinearScenarios: readonly Scenario[] = [migration, truncation];
