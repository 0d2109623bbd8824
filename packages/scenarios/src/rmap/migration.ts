// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { load, NULL, poke, spinLock, spinUnlock } from '@lockless/cpu';
import { EAGAIN, Page, VM_READ, VM_STACK_INCOMPLETE_SETUP, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import { getPage, pageCount, pageMapcount } from '@lockless/page';
import { migrationEntryWait, unmapAndMove } from '@lockless/pagecache';
import {
  type Pte,
  pteAllocMap,
  pteLockptr,
  ptePresent,
  ptepGetAndClear,
  readPte,
  setPteAt,
  vmaAdjust,
  vmNormalPage,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, type AnonPage, bootAnonPage, newPage, returnSlab, unmapLastArea } from './boot.js';

/* An anonymous page moves to another frame while the process that maps it does something to the place. */

interface Migration extends AnonPage {
  /** Fresh: the migration's. */
  readonly newpage: Ptr<Page>;
}

/** The page is isolated: beside the entry's reference it has the migration's. */
function* bootMigration(returned = false): Op<Migration> {
  const shared = yield* bootAnonPage(returned);
  poke(VmAreaStruct.vmFlags(shared.vma), VM_READ | VM_WRITE);
  yield* getPage(shared.page);
  return { ...shared, newpage: yield* newPage(0) };
}

const migrate = ({ newpage, page }: Migration): Op<number> => unmapAndMove(newpage, page, false);

function* mappedPage(ptep: Ref<Pte>): Op<Ptr<Page> | Null> {
  const pte = yield* readPte(ptep);
  return ptePresent(pte) ? vmNormalPage(NULL, ADDRESS, pte) : NULL;
}

const munmapped: Scenario = scenario<Migration>({
  name: 'migration-vs-munmap',
  facts: ['D6'],
  summary: 'the last area of a page is unmapped while the page is migrated, and no entry keeps its anon_vma',
  source:
    '989f89c57e "fix rcu_read_lock() in page migration" (2.6.24); 67b9509b2c68 "do not try to migrate unmapped anonymous pages" (2.6.35)',
  properties: ['I4', 'I9', 'I11'],
  setup: () => bootMigration(true),
  threads: {
    migrate,
    *unmap(shared) {
      yield* unmapLastArea(shared);
      yield* returnSlab();
    },
  },
  *finally({ page, newpage }, { results, reach }) {
    assertThat(
      (yield* pageCount(page)) === 1 && (yield* pageCount(newpage)) === 1,
      'both pages are the migration’s alone',
    );
    assertThat((yield* pageMapcount(page)) === 0 && (yield* pageMapcount(newpage)) === 0, 'nobody maps them');
    reach(results.migrate === 0 ? 'moved' : 'unmapped first');
  },
  mustReach: ['moved'],
  guards: [
    always('unmapAndMove.rcuReadLock', 'use-after-free'),
    // Unmapped before the reader began: what 2.6.27 does not see.
    always('unmapAndMove.mappedCheck', 'use-after-free'),
  ],
});

const comesBack: Scenario = scenario<Migration>({
  name: 'fault-on-migrating-page',
  facts: ['D7', 'A10'],
  summary:
    'a fault meets the migration entry of an anonymous page; when the page has moved, or has not, its process has it again',
  source:
    'e8788c0cce "[PATCH] page migration: Fix remove_from_swap() locking" (2.6.16); migration_entry_wait(), mm/migrate.c, 2.6.27',
  properties: ['I3', 'I9', 'I12'],
  setup: () => bootMigration(),
  threads: { migrate, fault: ({ mm }) => migrationEntryWait(mm, ADDRESS) },
  *finally({ page, newpage, ptep }, { results, reach }) {
    const moved = results.migrate === 0;
    assertThat(moved || results.migrate === -EAGAIN, 'the page moves, or it is to be tried again');
    const mapped = yield* mappedPage(ptep);
    assertThat(mapped === (moved ? newpage : page), 'its process has it, where it is now');
    assertThat((yield* load(Page.contentIdentity(mapped as Ptr<Page>))) === 1, 'with what was in it');
    assertThat((yield* pageMapcount(mapped as Ptr<Page>)) === 1, 'and it knows its entry');
    assertThat((yield* pageCount(mapped as Ptr<Page>)) === 2, 'no reference is lost, none is left');
    reach(moved ? 'moved' : 'fault first');
  },
  mustReach: ['moved', 'fault first'],
  guards: [always('removeMigrationPtes.whileUnmapped', 'assertion')],
});

/** A stack of one page that exec moves down by one. */
interface Stack extends Migration {
  readonly newPtep: Ref<Pte>;
}
const OLD = ADDRESS + 1;
const NEW = ADDRESS;

/** shift_arg_pages(). *Source*: fs/exec.c, 2.6.27 with a8bef8ff6ea1. *Differs*: one entry; the flags are given back by the caller of exec. */
function* shiftArgPages({ vma, mm, ptep, newPtep }: Stack): Op<void> {
  // The area covers both places; pages have their index as of the new one.
  yield* vmaAdjust(vma, NEW, OLD + 1, OLD);
  yield* spinLock(pteLockptr(mm, ptep));
  yield* setPteAt(mm, NEW, newPtep, yield* ptepGetAndClear(mm, OLD, ptep));
  yield* spinUnlock(pteLockptr(mm, ptep));
  yield* vmaAdjust(vma, NEW, OLD, OLD);
}

const stackMoves: Scenario = scenario<Stack>({
  name: 'migration-vs-exec-stack',
  facts: ['D9'],
  summary: 'exec moves the entries of the stack that it builds, while the page in it is migrated',
  source:
    'a8bef8ff6ea1 "mm: migration: avoid race between shift_arg_pages() and rmap_walk() during migration" (2.6.34)',
  properties: ['I9', 'I12'],
  *setup() {
    const shared = yield* bootMigration();
    const { vma, mm, ptep } = shared;
    poke(VmAreaStruct.vmStart(vma), OLD);
    poke(VmAreaStruct.vmEnd(vma), OLD + 1);
    poke(VmAreaStruct.vmPgoff(vma), OLD);
    poke(VmAreaStruct.vmFlags(vma), VM_READ | VM_WRITE | VM_STACK_INCOMPLETE_SETUP);
    poke(Page.index(shared.page), OLD);
    const old = yield* pteAllocMap(mm, OLD);
    if (old === NULL) throw new RangeError('no page table');
    poke(old, yield* readPte(ptep));
    poke(ptep, 0 as Pte);
    return { ...shared, ptep: old, newPtep: ptep };
  },
  threads: { migrate, shift: shiftArgPages },
  *finally({ page, newpage, newPtep }, { results }) {
    const mapped = yield* mappedPage(newPtep);
    assertThat(mapped === (results.migrate === 0 ? newpage : page), 'the stack has its page, in its new place');
  },
  guards: [always('tryToUnmap.temporaryStack', 'assertion')],
});

export const migrationScenarios: readonly Scenario[] = [munmapped, comesBack, stackMoves];
