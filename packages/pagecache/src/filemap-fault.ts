// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { NULL, readOnce, writeOnce } from '@lockless/cpu';
import {
  AddressSpace,
  EEXIST,
  ENOMEM,
  File,
  FileRaState,
  Inode,
  PAGE_SIZE,
  Page,
  VM_RAND_READ,
  VM_SEQ_READ,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  allocPage,
  clearPageError,
  countVmEvent,
  FILEMAP_HIT,
  FILEMAP_MISS,
  lockPage,
  markPageAccessed,
  PGMAJFAULT,
  pageReadahead,
  pageUptodate,
  putPage,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { modernReadahead } from './config.js';
import { addToPageCacheLru, mappingGfpMask, tallyHit, tallyMiss } from './filemap.js';
import { findGetPage, findGetPages, findLockPage, findOrCreatePage, pageBelongsTo } from './filemap-lookup.js';
import { readPageAndWait } from './filemap-read.js';
import {
  doAsyncMmapReadahead,
  doSyncMmapReadahead,
  forgiveMisses,
  MMAP_LOTSAMISS,
  pageCacheAsyncReadahead,
  pageCacheSyncReadahead,
  shrinkReadaheadSizeEio,
} from './readahead.js';
import { readPagesAhead } from './readahead-pages.js';
import { VM_FAULT_LOCKED, VM_FAULT_MAJOR, VM_FAULT_OOM, VM_FAULT_SIGBUS } from './vm-fault.js';

/** What {@link filemapFault} found: a page locked and held (`fault` has VM_FAULT_LOCKED), or none and the reason. */
export interface FaultResult {
  readonly page: Ptr<Page> | Null;
  /** VM_FAULT_* */
  readonly fault: number;
}

const failed = (fault: number): FaultResult => ({ page: NULL, fault });

/** `pgoff` is within the file. */
function* withinFile(mapping: Ptr<AddressSpace>, pgoff: number): Op<boolean> {
  const inode = (yield* readOnce(AddressSpace.host(mapping))) as Ptr<Inode>;
  return pgoff < Math.ceil((yield* readOnce(Inode.size(inode))) / PAGE_SIZE);
}

function* countFault(mapping: Ptr<AddressSpace>, hit: boolean): Op<void> {
  if (hit) tallyHit(mapping);
  else tallyMiss(mapping);
  yield* countVmEvent(hit ? FILEMAP_HIT : FILEMAP_MISS);
}

/** A locked page is not uptodate: reads it once more. *Returns* 0: look again; or the fault code to give up with. Drops the reference. */
function* readForFault(file: Ptr<File>, page: Ptr<Page>): Op<number> {
  yield* clearPageError(page);
  const error = yield* readPageAndWait(file, page);
  yield* putPage(page);
  return error < 0 ? VM_FAULT_SIGBUS : 0;
}

/** i_size may have shrunk while we waited for the lock; truncation unmaps after it has set the size, so a page within it may be mapped. */
function* finish(mapping: Ptr<AddressSpace>, page: Ptr<Page>, pgoff: number, fault: number): Op<FaultResult> {
  if (yield* withinFile(mapping, pgoff)) return { page, fault: fault | VM_FAULT_LOCKED };
  yield* unlockPage(page);
  yield* putPage(page);
  return failed(VM_FAULT_SIGBUS);
}

/** *Source*: `filemap_fault`, mm/filemap.c, 6.18. *Differs*: mmap_sem is kept while it waits. */
function* faultModern(vma: Ptr<VmAreaStruct>, file: Ptr<File>, pgoff: number): Op<FaultResult> {
  const mapping = yield* readOnce(File.mapping(file));
  if (!(yield* withinFile(mapping, pgoff))) return failed(VM_FAULT_SIGBUS);
  let fault = 0;
  let page = yield* findGetPage(mapping, pgoff);
  yield* countFault(mapping, page !== NULL);
  if (page !== NULL) yield* doAsyncMmapReadahead(vma, file, page, pgoff);
  else {
    yield* countVmEvent(PGMAJFAULT);
    fault = VM_FAULT_MAJOR;
    yield* doSyncMmapReadahead(vma, file, pgoff);
  }
  for (;;) {
    if (page === NULL) {
      page = yield* findOrCreatePage(mapping, pgoff, yield* mappingGfpMask(mapping));
      if (page === NULL) return failed(VM_FAULT_OOM);
    } else {
      yield* lockPage(page);
      // Truncated or invalidated before we had the lock (kernel-facts C3).
      if (!(yield* pageBelongsTo(page, mapping))) {
        yield* unlockPage(page);
        yield* putPage(page);
        page = NULL;
        continue;
      }
    }
    if (yield* pageUptodate(page)) return yield* finish(mapping, page, pgoff, fault);
    const error = yield* readForFault(file, page);
    if (error !== 0) return failed(error);
    page = NULL;
  }
}

/** The window around a fault of 2.6.27. *Returns* false when so many misses have been that it is not worth while. */
function* readAround(file: Ptr<File>, pgoff: number): Op<boolean> {
  const ra = File.ra(file);
  const misses = (yield* readOnce(FileRaState.mmapMiss(ra))) + 1;
  yield* writeOnce(FileRaState.mmapMiss(ra), misses);
  if (misses > MMAP_LOTSAMISS) return false;
  const raPages = yield* readOnce(FileRaState.raPages(ra));
  yield* readPagesAhead(yield* readOnce(File.mapping(file)), file, Math.max(0, pgoff - (raPages >> 1)), raPages, 0);
  return true;
}

/** Adds the page and starts to read it, alone. *Returns* 0 or a fault code. *Source*: `page_cache_read`, mm/filemap.c, 2.6.27. */
function* pageCacheRead(file: Ptr<File>, pgoff: number): Op<number> {
  const mapping = yield* readOnce(File.mapping(file));
  const gfp = yield* mappingGfpMask(mapping);
  const page = yield* allocPage(gfp);
  if (page === NULL) return VM_FAULT_OOM;
  const error = yield* addToPageCacheLru(page, mapping, pgoff, gfp);
  if (error === 0) return yield* readForFault(file, page);
  yield* putPage(page);
  return error === -EEXIST ? 0 : error === -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/** An area that is read in sequence is read ahead as a file is. *Returns* the page, locked and held, or NULL. */
function* findSequential(file: Ptr<File>, pgoff: number): Op<Ptr<Page> | Null> {
  const mapping = yield* readOnce(File.mapping(file));
  const ra = File.ra(file);
  let page = yield* findLockPage(mapping, pgoff);
  if (page === NULL) {
    yield* pageCacheSyncReadahead(mapping, ra, file, pgoff, 1);
    page = yield* findLockPage(mapping, pgoff);
  }
  if (page !== NULL && (yield* pageReadahead(page))) {
    yield* pageCacheAsyncReadahead(mapping, ra, file, page, pgoff, 1);
  }
  return page;
}

/** *Source*: `filemap_fault`, mm/filemap.c, 2.6.27. */
function* faultOndemand(vma: Ptr<VmAreaStruct>, file: Ptr<File>, pgoff: number): Op<FaultResult> {
  const mapping = yield* readOnce(File.mapping(file));
  if (!(yield* withinFile(mapping, pgoff))) return failed(VM_FAULT_SIGBUS);
  const flags = yield* readOnce(VmAreaStruct.vmFlags(vma));
  let fault = 0;
  for (let attempt = 0; ; attempt++) {
    let page: Ptr<Page> | Null;
    if ((flags & VM_SEQ_READ) !== 0) page = yield* findSequential(file, pgoff);
    else page = yield* findLockPage(mapping, pgoff);
    if (attempt === 0) yield* countFault(mapping, page !== NULL);
    if (page === NULL && attempt === 0) {
      fault = VM_FAULT_MAJOR;
      yield* countVmEvent(PGMAJFAULT);
      const around = (flags & (VM_RAND_READ | VM_SEQ_READ)) === 0 && (yield* readAround(file, pgoff));
      if (around) page = yield* findLockPage(mapping, pgoff);
    } else if (attempt === 0) yield* forgiveMisses(File.ra(file), 1);
    if (page === NULL) {
      const error = yield* pageCacheRead(file, pgoff);
      if (error !== 0) return failed(error);
      continue;
    }
    if (yield* pageUptodate(page)) {
      const found = yield* finish(mapping, page, pgoff, fault);
      if (found.page === NULL) return found;
      yield* markPageAccessed(page);
      yield* writeOnce(FileRaState.prevIndex(File.ra(file)), pgoff);
      return found;
    }
    if (fault === 0) {
      fault = VM_FAULT_MAJOR;
      yield* countVmEvent(PGMAJFAULT);
    }
    const error = yield* readForFault(file, page);
    if (error !== 0) {
      yield* shrinkReadaheadSizeEio(File.ra(file));
      return failed(error);
    }
  }
}

/**
 * Brings page `pgoff` of a mapped file into the cache for a page fault. *Context*: mmap_sem held; may sleep.
 * *Returns* the page locked and held, uptodate and within the file, and whether it was a major fault; or VM_FAULT_SIGBUS or VM_FAULT_OOM.
 * *Ordering*: the caller makes the page-table entry before it unlocks the page; truncation locks the page before it takes it out and
 * unmaps it, so no truncated page stays mapped. *Source*: `filemap_fault`, mm/filemap.c, 2.6.27 (d00806b183) or 6.18 as booted.
 */
export function* filemapFault(vma: Ptr<VmAreaStruct>, pgoff: number): Op<FaultResult> {
  const file = (yield* readOnce(VmAreaStruct.vmFile(vma))) as Ptr<File>;
  return yield* modernReadahead() ? faultModern(vma, file, pgoff) : faultOndemand(vma, file, pgoff);
}

/** Whether a page in the cache may be mapped without waiting for anything. On true it is locked. */
function* lockMappable(mapping: Ptr<AddressSpace>, page: Ptr<Page>): Op<boolean> {
  // A marked page is left to a fault of its own, so that the next window is read.
  if (!(yield* pageUptodate(page)) || (yield* pageReadahead(page))) return false;
  if (!(yield* trylockPage(page))) return false;
  if ((yield* pageBelongsTo(page, mapping)) && (yield* pageUptodate(page))) return true;
  yield* unlockPage(page);
  return false;
}

/**
 * Fault-around: offers the pages `startPgoff` to `endPgoff` that are in the cache and ready to `install`, which gets each locked and held
 * and takes a reference of its own for a page-table entry. *Context*: mmap_sem and the page-table lock held; never sleeps.
 * *Source*: `filemap_map_pages` and `next_uptodate_folio`, mm/filemap.c, 6.18. *Differs*: single pages.
 */
export function* filemapMapPages(
  vma: Ptr<VmAreaStruct>,
  startPgoff: number,
  endPgoff: number,
  install: (page: Ptr<Page>, pgoff: number) => Op<void>,
): Op<void> {
  const file = (yield* readOnce(VmAreaStruct.vmFile(vma))) as Ptr<File>;
  const mapping = yield* readOnce(File.mapping(file));
  let mapped = 0;
  for (const page of yield* findGetPages(mapping, startPgoff, endPgoff - startPgoff + 1)) {
    if (yield* lockMappable(mapping, page)) {
      // Stable under the page lock.
      const pgoff = yield* readOnce(Page.index(page));
      if (pgoff <= endPgoff && (yield* withinFile(mapping, pgoff))) {
        yield* install(page, pgoff);
        mapped++;
      }
      yield* unlockPage(page);
    }
    yield* putPage(page);
  }
  if (mapped > 0) yield* forgiveMisses(File.ra(file), mapped);
}

/**
 * Finds page `pgoff` of a mapped file for a fault that does not want it locked. *Context*: mmap_sem held; may sleep.
 * *Returns* the page held and uptodate, which may have left the file by now; or VM_FAULT_SIGBUS or VM_FAULT_OOM.
 * *Source*: `filemap_nopage`, mm/filemap.c, 2.6.6. *Differs*: no read-ahead.
 */
export function* filemapNopage(vma: Ptr<VmAreaStruct>, pgoff: number): Op<FaultResult> {
  const file = (yield* readOnce(VmAreaStruct.vmFile(vma))) as Ptr<File>;
  const mapping = yield* readOnce(File.mapping(file));
  for (;;) {
    if (!(yield* withinFile(mapping, pgoff))) return failed(VM_FAULT_SIGBUS);
    const page = yield* findGetPage(mapping, pgoff);
    if (page === NULL) {
      const error = yield* pageCacheRead(file, pgoff);
      if (error !== 0) return failed(error);
      continue;
    }
    if (yield* pageUptodate(page)) return { page, fault: 0 };
    yield* lockPage(page);
    if ((yield* pageBelongsTo(page, mapping)) && !(yield* pageUptodate(page))) {
      const error = yield* readForFault(file, page);
      if (error !== 0) return failed(error);
      continue;
    }
    yield* unlockPage(page);
    yield* putPage(page);
  }
}
