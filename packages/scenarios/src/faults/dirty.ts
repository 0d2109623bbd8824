// SPDX-License-Identifier: GPL-2.0-only
import { GFP_KERNEL, NULL, type Op, poke, spinLock, spinUnlock } from '@lockless/cpu';
import { doWpPage } from '@lockless/mm';
import { MmStruct, Page } from '@lockless/mm-types';
import {
  allocPage,
  getPage,
  lockPage,
  pageDirty,
  putPage,
  setPageUptodate,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { clearPageDirtyForIo, setPageDirty, truncateCompletePage } from '@lockless/pagecache';
import {
  mkPte,
  type Pgprot,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXEC,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pageRemoveRmap,
  pteDirty,
  pteLockptr,
  ptePresent,
  ptepClearFlush,
  ptepModifyProtCommit,
  ptepModifyProtStart,
  pteWrite,
  readPte,
  setPteAt,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { AT, bootMappedFile, type MappedFile } from './boot.js';

const READ_ONLY = (PTE_PRESENT | PTE_USER | PTE_ACCESSED) as Pgprot;
const WRITTEN = (READ_ONLY | PTE_RW | PTE_DIRTY) as Pgprot;

/** The process has mapped the page of its shared mapping, with these rights. */
function* bootSharedPage(prot: Pgprot): Op<MappedFile> {
  const shared = yield* bootMappedFile({ shared: true });
  yield* getPage(shared.page);
  poke(Page._mapcount(shared.page), 0);
  poke(MmStruct.fileRss(shared.mm), 1);
  poke(shared.ptep, mkPte(shared.page, prot));
  return shared;
}

/** Writeback, up to where it would send the page to the disk. */
function* writeback({ page }: MappedFile): Op<boolean> {
  yield* lockPage(page);
  const toWrite = yield* clearPageDirtyForIo(page);
  yield* unlockPage(page);
  return toWrite;
}

/** handle_pte_fault() of a write, which has found the entry present and read-only. */
function* writeFault({ mm, vma, ptep }: MappedFile): Op<number> {
  yield* spinLock(pteLockptr(mm, ptep));
  const pte = yield* readPte(ptep);
  if (ptePresent(pte)) return yield* doWpPage({ mm, vma, address: AT, write: true, pte: ptep, origPte: pte });
  yield* spinUnlock(pteLockptr(mm, ptep));
  return 0;
}

/** A page that can be written, or was, through an entry must be dirty, or nobody ever writes it to the disk. */
function* assertTracked({ ptep, page }: MappedFile): Op<void> {
  const pte = yield* readPte(ptep);
  assertThat(
    !(pteDirty(pte) || pteWrite(pte)) || (yield* pageDirty(page)),
    'I6: what is written through an entry is of a dirty page',
  );
}

/**
 * Takes the page out of the process and of the file, unless it is locked, and maps a new one at the same place, maybe in the same frame.
 */
function* replace({ mm, mapping, page, ptep }: MappedFile): Op<string> {
  if (!(yield* trylockPage(page))) return 'locked';
  const lock = pteLockptr(mm, ptep);
  yield* spinLock(lock);
  yield* ptepClearFlush(mm, AT, ptep);
  yield* pageRemoveRmap(page, ptep);
  yield* spinUnlock(lock);
  yield* putPage(page);
  yield* truncateCompletePage(mapping, page);
  yield* unlockPage(page);
  yield* putPage(page);
  const fresh = yield* allocPage(GFP_KERNEL);
  assertThat(fresh !== NULL, 'there is a free frame');
  yield* setPageUptodate(fresh);
  yield* spinLock(lock);
  yield* setPteAt(mm, AT, ptep, mkPte(fresh, READ_ONLY));
  yield* spinUnlock(lock);
  return fresh === page ? 'the same frame' : 'another frame';
}

export const dirtyScenarios: readonly Scenario[] = [
  scenario<MappedFile>({
    name: 'mkwrite-vs-reuse',
    facts: ['C9'],
    summary: 'while page_mkwrite works without the page-table lock, the page is truncated and its frame is mapped anew',
    source: 'c3704ceb4a: the reference to the page is dropped when the page-table lock is held again',
    properties: ['I1', 'I6'],
    setup: () => bootSharedPage(READ_ONLY),
    threads: { fault: writeFault, replace },
    *finally({ ptep }, { results, reach }) {
      const again = results.replace !== 'locked' && pteWrite(yield* readPte(ptep));
      assertThat(!again, 'C9: an entry becomes writable for the page that page_mkwrite was asked about, and no other');
      reach(results.replace as string);
    },
    mustReach: ['the same frame', 'another frame', 'locked'],
    guards: [always('doWpPage.referenceUntilLock', 'assertion')],
  }),
  scenario<MappedFile>({
    name: 'mkclean-vs-mprotect',
    facts: ['C10'],
    summary: 'writeback cleans the entries of a page while mprotect, in the middle of changing one, has emptied it',
    source: '479db0bf40 "mm: dirty page tracking race fix" (2.6.27)',
    properties: ['I6', 'I9'],
    *setup() {
      const shared = yield* bootSharedPage(WRITTEN);
      yield* setPageDirty(shared.page);
      return shared;
    },
    threads: {
      writeback,
      *mprotect({ mm, ptep }) {
        yield* spinLock(pteLockptr(mm, ptep));
        const old = yield* ptepModifyProtStart(mm, AT, ptep);
        yield* ptepModifyProtCommit(mm, AT, ptep, (old | PTE_EXEC) as Pte);
        yield* spinUnlock(pteLockptr(mm, ptep));
      },
    },
    *finally(shared, { results }) {
      assertThat(results.writeback === true, 'the page is written');
      yield* assertTracked(shared);
    },
    guards: [always('pageMkclean.underLock', 'assertion')],
  }),
  scenario<MappedFile>({
    name: 'mkclean-vs-write-fault',
    facts: ['C11'],
    summary:
      'a write fault makes an entry writable between the cleaning of the entries and that of the page, and finds the page dirty still',
    source: '79352894b2 "mm: fix clear_page_dirty_for_io vs fault race" (2007)',
    properties: ['I6'],
    *setup() {
      const shared = yield* bootSharedPage(READ_ONLY);
      yield* setPageDirty(shared.page);
      return shared;
    },
    threads: { fault: writeFault, writeback },
    *finally(shared, { reach }) {
      yield* assertTracked(shared);
      reach(pteWrite(yield* readPte(shared.ptep)) ? 'the fault last' : 'writeback last');
    },
    mustReach: ['the fault last', 'writeback last'],
    guards: [always('doWpPage.waitOnPageLocked', 'assertion')],
  }),
];
