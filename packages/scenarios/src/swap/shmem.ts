// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL, spinLock, spinUnlock } from '@lockless/cpu';
import {
  ERA_MM,
  mmOptionsInit,
  moveToPageCache,
  moveToSwapCache,
  ShmemInodeInfo,
  shmemFreePlaces,
  shmemGetpage,
  shmemHole,
  shmemInfo,
  shmemInode,
  shmemPlace,
  shmemTruncateRange,
  shmemUnuse,
} from '@lockless/mm';
import { type AddressSpace, Inode, PAGE_SIZE, type Page } from '@lockless/mm-types';
import {
  clearPageDirty,
  disableVmEventCounters,
  getPage,
  lockPage,
  pageCount,
  pageSwapCache,
  putPage,
  unlockPage,
} from '@lockless/page';
import {
  addToPageCache,
  findGetPage,
  getSwapPage,
  iSizeWrite,
  MAX_PAGE_INDEX,
  swapFree,
  swapInit,
  swapUsers,
  truncateInodePage,
  truncateInodePages,
} from '@lockless/pagecache';
import type { SwpEntry } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, whereStoresWait } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootMemory, newPage } from './boot.js';

/* A page of a file in memory moves between the page cache and the swap cache. Reads from the disk are left out. */

interface MemoryFile {
  readonly inode: Ptr<Inode>;
  readonly mapping: Ptr<AddressSpace>;
  readonly info: Ptr<ShmemInodeInfo>;
  /** Page 0 of the file. */
  readonly page: Ptr<Page>;
  readonly entry: SwpEntry;
}

/** A file of one page, in the page cache, locked by reclaim, which has a reference and a place for it. */
function* bootCached(): Op<MemoryFile> {
  yield* bootMemory();
  yield* swapInit();
  yield* mmOptionsInit(ERA_MM);
  disableVmEventCounters();
  const inode = given(yield* shmemInode(1, PAGE_SIZE));
  const mapping = Inode.data(inode);
  const page = yield* newPage(1);
  assertThat((yield* addToPageCache(page, mapping, 0, GFP_KERNEL)) === 0, 'the page is in the cache');
  const entry = given(yield* getSwapPage()) as SwpEntry;
  return { inode, mapping, info: yield* shmemInfo(inode), page, entry };
}

/** The same, swapped out: in the swap cache, clean, and nobody refers to it but that. */
function* bootSwapped(): Op<MemoryFile> {
  const file = yield* bootCached();
  yield* swapOut(file);
  return file;
}

/** shmem_writepage() as reclaim calls it, but for the disk; and reclaim's reference goes. */
function* swapOut({ page, info, entry }: MemoryFile): Op<void> {
  assertThat(yield* moveToSwapCache(page, info, entry), 'there is memory for it');
  yield* clearPageDirty(page);
  yield* unlockPage(page);
  yield* putPage(page);
}

/** As shmem_getpage() looks for what is read. *Returns* false: it is a hole. */
function* isFound(file: MemoryFile): Op<boolean> {
  if (yield* isCached(file)) return true;
  yield* spinLock(ShmemInodeInfo.lock(file.info));
  const hole = yield* shmemHole(file.mapping, file.info, 0);
  yield* spinUnlock(ShmemInodeInfo.lock(file.info));
  return !hole;
}

/** A fault, when it has the page: it would map it, and unlock it. */
function* fault({ mapping }: MemoryFile): Op<boolean> {
  const { page } = yield* shmemGetpage(mapping, 0, 'cache');
  if (page === NULL) return false;
  yield* unlockPage(page);
  yield* putPage(page);
  return true;
}

/** {@link bootSwapped}, when a fault or swapoff has found the page in the swap cache, and locked it. */
function* bootFound(): Op<MemoryFile> {
  const file = yield* bootSwapped();
  yield* getPage(file.page);
  yield* lockPage(file.page);
  return file;
}

/** The step of shmem_getpage() and of shmem_unuse_inode() that brings the page back, from {@link bootFound} on. The page stays locked. */
function* bringBack({ mapping, info, page, entry }: MemoryFile): Op<boolean> {
  yield* spinLock(ShmemInodeInfo.lock(info));
  const back = (yield* shmemPlace(info, 0)) === entry && (yield* moveToPageCache(page, mapping, info, 0)) === 0;
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  if (back) yield* swapFree(entry);
  return back;
}

function* placeOf({ info }: MemoryFile): Op<SwpEntry | 0> {
  yield* spinLock(ShmemInodeInfo.lock(info));
  const entry = yield* shmemPlace(info, 0);
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  return entry;
}

function* isCached({ mapping }: MemoryFile): Op<boolean> {
  const page = yield* findGetPage(mapping, 0);
  if (page !== NULL) yield* putPage(page);
  return page !== NULL;
}

/** The page is in its file: in one place, with the references and users that this has. */
function* assertInOnePlace(file: MemoryFile): Op<'in the page cache' | 'in swap'> {
  const cached = yield* isCached(file);
  const swapped = (yield* placeOf(file)) !== 0;
  assertThat(cached !== swapped, 'a page of a file in memory is in the page cache, or has a place in swap');
  assertThat((yield* pageSwapCache(file.page)) === swapped, 'the page knows in which cache it is');
  assertThat((yield* pageCount(file.page)) === 1, 'I3: whose reference is the only one');
  assertThat((yield* swapUsers(file.entry)) === (swapped ? 2 : 0), 'the users of the place are the cache and the file');
  return cached ? 'in the page cache' : 'in swap';
}

const writepage = '2.6.27 and 3.1: shmem_writepage() and shmem_getpage(), mm/shmem.c';
const waits = whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup');

export const shmemScenarios: readonly Scenario[] = [
  scenario<MemoryFile>({
    name: 'shmem-swap-out-vs-lookup',
    facts: ['seed 4'],
    summary: 'a page of shared memory moves from the page cache to the swap cache, while somebody looks for it',
    source: writepage,
    properties: ['I3', 'I5', 'I6'],
    setup: bootCached,
    threads: {
      reclaim: ({ page, info, entry }) => moveToSwapCache(page, info, entry),
      /** As shmem_getpage() and mincore() do. */
      *look(file) {
        return (yield* isCached(file)) ? 'in the page cache' : (yield* placeOf(file)) !== 0 ? 'in swap' : 'nowhere';
      },
    },
    *finally({ page, entry }, { results, reach }) {
      assertThat(results.look !== 'nowhere', 'I5: the page is found, wherever it is');
      // The page lock and a reference are reclaim's still.
      assertThat((yield* pageSwapCache(page)) && (yield* pageCount(page)) === 2, 'I3: it is in the swap cache');
      assertThat((yield* swapUsers(entry)) === 2, 'the users of the place are the cache and the file');
      reach(`${results.look}`);
    },
    mustReach: ['in the page cache', 'in swap'],
    guards: [always('shmemWritepage.swapCacheFirst', 'assertion')],
  }),
  scenario<MemoryFile>({
    name: 'shmem-swap-in-vs-read',
    facts: ['seed 4'],
    summary: 'a page of shared memory comes back from the swap cache, while somebody reads it',
    source: writepage,
    properties: ['I3', 'I5', 'I6'],
    setup: bootFound,
    threads: { bringBack, look: isFound },
    *finally(file, { results, reach }) {
      assertThat(results.look === true, 'I5: the page is found, wherever it is');
      yield* unlockPage(file.page);
      yield* putPage(file.page);
      assertThat((yield* assertInOnePlace(file)) === 'in the page cache', 'and is back');
      reach('back');
    },
    mustReach: ['back'],
    guards: [always('shmemGetpage.lookAgain', 'assertion')],
  }),
  scenario<MemoryFile>({
    name: 'shmem-swap-in-vs-truncation',
    facts: ['seed 1', 'seed 4'],
    summary:
      'a page of shared memory comes back when truncation has been through the page cache, and not yet through swap',
    source:
      'shmem_truncate_range(), mm/shmem.c, 2.6.27, which calls truncate_inode_pages_range() for pages that were "swizzled in"',
    properties: ['I3', 'I4', 'I12'],
    setup: bootFound,
    threads: {
      bringBack,
      *truncate({ inode }) {
        yield* iSizeWrite(inode, 0);
        return yield* shmemFreePlaces(inode, 0, MAX_PAGE_INDEX);
      },
    },
    *finally(file, { results, reach }) {
      yield* unlockPage(file.page);
      yield* putPage(file.page);
      // The second half of shmem_truncate_range(), which waits for the page lock.
      if (results.truncate === true) yield* truncateInodePages(file.mapping, 0);
      assertThat(!(yield* isCached(file)), 'I12: nothing is in the file beyond its end');
      assertThat((yield* placeOf(file)) === 0, 'nor in swap');
      // Who frees the place takes the page along unless somebody has it locked, as here; then it is left to reclaim, in the swap cache.
      const left = (yield* pageSwapCache(file.page)) ? 1 : 0;
      assertThat((yield* swapUsers(file.entry)) === left, 'the place is free, or the swap cache’s');
      assertThat((yield* pageCount(file.page)) === left, 'I4: so is the page');
      reach(results.bringBack === true ? 'was brought back' : 'truncated first');
    },
    mustReach: ['was brought back', 'truncated first'],
    guards: [always('shmemTruncateRange.secondPass', 'assertion')],
  }),
  scenario<MemoryFile>({
    name: 'shmem-swap-out-vs-truncation',
    facts: ['seed 1', 'seed 4'],
    summary: 'a page of shared memory that truncation is about to take from the page cache goes to swap',
    source: writepage,
    properties: ['I3', 'I4', 'I12'],
    *setup() {
      const file = yield* bootCached();
      yield* getPage(file.page); // truncation's, which has found it in the page cache
      return file;
    },
    threads: {
      reclaim: swapOut,
      *truncate({ inode, mapping, page }) {
        yield* iSizeWrite(inode, 0);
        yield* lockPage(page);
        yield* truncateInodePage(mapping, page);
        yield* unlockPage(page);
        yield* shmemTruncateRange(inode, 0, MAX_PAGE_INDEX);
        yield* putPage(page);
      },
    },
    *finally(file, { reach }) {
      assertThat(!(yield* isCached(file)) && (yield* placeOf(file)) === 0, 'I12: the file is empty');
      assertThat((yield* swapUsers(file.entry)) <= 1, 'the file uses the place no more');
      reach('empty');
    },
    mustReach: ['empty'],
    // The page lock, which truncation waits for, keeps it from the place until its use is counted.
    guards: [notNeeded('shmemWritepage.duplicateUnderLock'), waits],
  }),
  scenario<MemoryFile>({
    name: 'shmem-swapoff-vs-fault',
    facts: ['A17', 'seed 4'],
    summary: 'swapoff brings a page of shared memory back into its file, while a fault does',
    source: 'shmem_unuse_inode(), mm/shmem.c, 2.6.27',
    properties: ['I3', 'I4', 'I5'],
    setup: bootFound,
    threads: {
      fault,
      *swapoff({ page, entry }) {
        const error = yield* shmemUnuse(entry, page);
        yield* unlockPage(page);
        yield* putPage(page);
        return error;
      },
    },
    *finally(file, { results, reach }) {
      assertThat(results.fault === true && results.swapoff === 0, 'both find it');
      assertThat((yield* assertInOnePlace(file)) === 'in the page cache', 'and it is back');
      reach('back');
    },
    mustReach: ['back'],
    guards: [waits],
  }),
];
