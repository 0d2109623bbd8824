// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import {
  atomicInc,
  atomicRead,
  defineGuard,
  defineStatic,
  functionPointer,
  initListHead,
  load,
  NULL,
  poke,
  readOnce,
  store,
} from '@lockless/cpu';
import { AddressSpace, type AddressSpaceOperations, File, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import {
  clearPageUptodate,
  getPage,
  lockPage,
  pageDirty,
  pageMapped,
  pageUptodate,
  putPage,
  setPageDirty,
  setPageUptodate,
  unlockPage,
} from '@lockless/page';
import {
  findGetPage,
  findLockPage,
  genericFileRead,
  invalidateCompletePage2,
  invalidateMappingPages,
  iSizeWrite,
  makeUptodate,
} from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { truncate } from './orphan.js';
import { assertCount, bootCachedPage, cached, mapping, newPage } from './tiny-cache.js';

/* What a page contains, and who may read, map or drop it. */

const inode: Ptr<Inode> = defineStatic(Inode, 'inode');
const file: Ptr<File> = defineStatic(File, 'file');

/** The file system: reading a page finds in it as many valid bytes as the file has. */
const AOPS: FunctionPointer<AddressSpaceOperations> = functionPointer<AddressSpaceOperations>('scenario_aops', {
  name: 'scenario',
  *readpage(_file, page) {
    assertThat(
      (yield* readOnce(Page.mapping(page))) !== NULL,
      'I5: page->mapping->host is not dereferenced when mapping is NULL',
    );
    yield* fill(page);
    return 0;
  },
  *writepage() {
    return 0;
  },
});

/** The end of a read: content, then PG_uptodate, then the lock. A page's content is the number of its valid bytes. */
function* fill(page: Ptr<Page>): Op<void> {
  yield* store(Page.contentVersion(page), yield* readOnce(Inode.size(inode)));
  yield* setPageUptodate(page);
  yield* unlockPage(page);
}

/** An open file of `size` bytes with its page 0 in the cache. */
function* bootFile(size: number): Op<Ptr<Page>> {
  const page = yield* bootCachedPage();
  poke(Inode.size(inode), size);
  poke(AddressSpace.host(mapping), inode);
  poke(AddressSpace.aOps(mapping), AOPS);
  yield* initListHead(AddressSpace.iMmap(mapping));
  yield* initListHead(AddressSpace.iMmapNonlinear(mapping));
  poke(File.inode(file), inode);
  poke(File.mapping(file), mapping);
  return page;
}

/** read(2) of a page's worth of bytes. Returns how many it got; the page must have had as many. */
function* read(): Op<number> {
  return yield* genericFileRead(file, 0, PAGE_SIZE, function* (page, _offset, count) {
    assertThat(
      count <= (yield* load(Page.contentVersion(page))),
      'I6: read(2) returns no bytes that the file never had',
    );
    return count;
  });
}

/** Kernel-facts C3. */
const faultLocks = defineGuard(
  'filemapFault.pageLock',
  'a fault maps the page that it found without having locked it (before d00806b183)',
);

/** A fault: finds the page and maps it, which a count stands for here. Returns whether it did. */
function* fault(): Op<boolean> {
  const page = yield* faultLocks() ? findLockPage(mapping, 0) : findGetPage(mapping, 0);
  if (page === NULL) return false;
  yield* atomicInc(Page._mapcount(page));
  if (faultLocks()) yield* unlockPage(page);
  return true;
}

export const contentScenarios: readonly Scenario[] = [
  scenario({
    name: 'uptodate-publishes-content',
    facts: ['C5'],
    summary: 'a reader sees PG_uptodate without having locked the page, and reads its content',
    source: '0ed361dec3 "mm: fix PageUptodate data race" (2.6.25)',
    properties: ['I6'],
    *setup() {
      yield* bootFile(0);
      return yield* newPage();
    },
    threads: {
      *reader(page) {
        return (yield* pageUptodate(page)) ? yield* load(Page.contentVersion(page)) : null;
      },
      *filler(page) {
        yield* store(Page.contentVersion(page), 42);
        yield* setPageUptodate(page);
      },
    },
    *finally(_page, { results, reach }) {
      assertThat(results.reader === null || results.reader === 42, 'I6: what an uptodate page has is its content');
      reach(results.reader === null ? 'not yet' : 'uptodate');
    },
    mustReach: ['not yet', 'uptodate'],
    guards: [weakOnly('setPageUptodate.smp_wmb', 'assertion'), weakOnly('pageUptodate.smp_rmb', 'assertion')],
  }),
  scenario({
    name: 'read-vs-size-change',
    facts: ['C6'],
    summary: 'read(2) beside a truncation, after which the page is read from the disk with fewer valid bytes',
    source: 'a32ea1e1f9 "Fix read/truncate race" (2.6.23)',
    properties: ['I6'],
    *setup() {
      const page = yield* bootFile(200);
      yield* lockPage(page);
      yield* clearPageUptodate(page);
      return page;
    },
    threads: {
      read,
      *truncate(page) {
        yield* iSizeWrite(inode, 100);
        yield* fill(page);
      },
    },
    *finally(_page, { results, reach }) {
      reach(`${results.read as number} bytes`);
    },
    mustReach: ['100 bytes'],
    guards: [
      always('doGenericFileRead.sizeAfterUptodate', 'assertion'),
      weakOnly('setPageUptodate.smp_wmb', 'assertion'),
      weakOnly('pageUptodate.smp_rmb', 'assertion'),
      whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'read-vs-truncation',
    facts: ['C7'],
    summary: 'read(2) finds a page that is not uptodate, and truncation takes it out before the reader has locked it',
    source:
      'mail "do_generic_file_read: s/EINTR/EIO/" thread of 2010; stable 40179d1: a NULL dereference after 70 hours',
    properties: ['I5'],
    *setup() {
      const page = yield* bootFile(PAGE_SIZE);
      yield* clearPageUptodate(page);
      yield* getPage(page);
      return page;
    },
    threads: {
      *read() {
        const page = yield* findGetPage(mapping, 0);
        if (page === NULL) return 'absent';
        const error = yield* makeUptodate(file, page);
        yield* putPage(page);
        return error === 0 ? 'read' : 'truncated';
      },
      truncate,
    },
    *finally(page, { results, reach }) {
      const truncated = results.truncate === true;
      assertThat((yield* cached()) === (truncated ? NULL : page), 'I5: a truncated page is out of the cache');
      yield* assertCount(page, truncated ? 0 : 1);
      reach(results.read as string);
    },
    mustReach: ['absent', 'read', 'truncated'],
    guards: [always('doGenericFileRead.mappingCheck', 'assertion')],
  }),
  scenario({
    name: 'fault-vs-invalidation',
    facts: ['C3'],
    summary: 'a fault maps the page that direct I/O takes out of the cache',
    source: 'd00806b183 "mm: fix fault vs invalidate race for linear mappings" (2.6.23)',
    properties: ['I12'],
    *setup() {
      const page = yield* bootCachedPage();
      yield* getPage(page);
      return page;
    },
    threads: {
      fault,
      *invalidate(page) {
        yield* lockPage(page);
        const removed = !(yield* pageMapped(page)) && (yield* invalidateCompletePage2(mapping, page));
        yield* unlockPage(page);
        yield* putPage(page);
        return removed;
      },
    },
    *finally(page, { results, reach }) {
      const mapped = (yield* atomicRead(Page._mapcount(page))) >= 0;
      assertThat(mapped === (results.fault === true), 'I9: a page is mapped if a fault mapped it');
      assertThat(!mapped || (yield* cached()) === page, 'I12: a page that a process maps is in the cache');
      reach(mapped ? 'mapped' : 'invalidated');
    },
    mustReach: ['mapped', 'invalidated'],
    guards: [always('filemapFault.pageLock', 'BUG'), always('findLockPage.mappingCheck', 'assertion')],
  }),
  scenario({
    name: 'write-vs-invalidation',
    facts: ['C4'],
    summary:
      'somebody finds a clean page, writes into it and drops his reference, while invalidation takes the page out',
    source: '016eb4a0ed "invalidate_complete_page() race fix" (2.6.18)',
    properties: ['I3', 'I6'],
    setup: () => bootCachedPage(),
    threads: {
      *writer() {
        const page = yield* findGetPage(mapping, 0);
        if (page === NULL) return false;
        yield* setPageDirty(page);
        yield* putPage(page);
        return true;
      },
      invalidate: () => invalidateMappingPages(mapping, 0, 0),
    },
    *finally(page, { results, reach }) {
      const kept = (yield* cached()) === page;
      assertThat(kept || results.writer === false, 'I6: a page that was written to is not dropped');
      assertThat(kept === (results.invalidate === 0), 'invalidate_mapping_pages() counts what it removes');
      if (kept) assertThat(yield* pageDirty(page), 'I6: the page is dirty');
      yield* assertCount(page, kept ? 1 : 0);
      reach(kept ? 'kept' : 'dropped');
    },
    mustReach: ['kept', 'dropped'],
    guards: [
      always('invalidateCompletePage.checkCount', 'assertion'),
      always('removeMapping.countBeforeDirty', 'assertion'),
      weakOnly('pageFreezeRefs.atomic_cmpxchg', 'assertion'),
    ],
  }),
];
