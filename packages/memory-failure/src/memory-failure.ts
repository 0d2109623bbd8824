// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, Ref } from '@lockless/cpu';
import { atomicDec, atomicInc, atomicRead, defineGuard, defineWord, NULL, readOnce } from '@lockless/cpu';
import { EBUSY, EIO, ENXIO, type MmStruct, Page } from '@lockless/mm-types';
import {
  clearPageActive,
  clearPageDirty,
  clearPageUptodate,
  drainLocalPages,
  getPageUnlessZeroExempt,
  isFreeBuddyPage,
  lockPage,
  lruAddDrain,
  pageAnon,
  pageCount,
  pageDirty,
  pageHwpoison,
  pageLru,
  pageMapped,
  pageMapping,
  pageSwapCache,
  pfnToPage,
  pfnValid,
  putPage,
  setPageError,
  testClearPageHwpoison,
  testSetPageHwpoison,
  unlockPage,
  waitOnPageWriteback,
} from '@lockless/page';
import {
  deleteFromSwapCache,
  isolateLruPageForMigration,
  mappingSetError,
  truncateCompletePage,
} from '@lockless/pagecache';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { leavesMigrationEntries, poisonMigrationPtes, tryToUnmap } from '@lockless/rmap';

/*
 * mm/memory-failure.c, 3.1: the hardware reports that the memory of a frame has failed. Whoever has the page must lose it, and nobody gets the
 * frame again:
 *
 *   1. mark the frame; 2. take a reference, if it has an owner; 3. lock the page, and wait for its writeback;
 *   4. take its mappings away; where its content is lost, leave what kills who comes there;
 *   5. take it off the LRU, out of its cache; then the reference of 2, which is never given back, is the last.
 *
 * All that is known at 1 is a number. So 2 takes a reference to a page that may be anybody's, at any time, and is not bounded by an RCU reader:
 * kernel-facts 1.3, the exempt callers.
 */

/** The caller has taken the reference already. */
export const MF_COUNT_INCREASED = 1;

const leavesReference = defineGuard(
  'memoryFailure.leaveReference',
  'memory_failure gives its reference back when it finds the mark gone, though unpoison_memory has done that',
);

/** Frames that have failed: HardwareCorrupted of /proc/meminfo. */
const mceBadPages: Ref<number> = defineWord('mce_bad_pages');
export const badPages = (): Access<number> => atomicRead(mceBadPages);
export const addBadPage = (): Access<void> => atomicInc(mceBadPages);

/** Delivers SIGBUS to the processes of an address space. */
export type KillProcs = (mm: Ptr<MmStruct>) => Op<void>;
function* killNobody(): Op<void> {}

/** shake_page(): pages on their way to a list get there. *Source*: mm/memory-failure.c, 3.1. *Differs*: those of this CPU only. */
export function* shakePage(page: Ptr<Page>): Op<void> {
  yield* lruAddDrain();
  if (!(yield* pageLru(page))) yield* drainLocalPages();
}

/**
 * memory_failure(): takes a frame out of use.
 * *Context*: may sleep. With {@link MF_COUNT_INCREASED} the caller's reference is taken over.
 * *Returns* 0: nobody uses the frame any more, or it is free and will not be allocated, or it was marked already. -EBUSY: it is in use, by
 * somebody out of reach. -ENXIO: no such frame.
 * *Source*: `__memory_failure`, mm/memory-failure.c, 3.1. *Differs*: frames are free, on the LRU or the kernel's; no filter.
 */
export function* memoryFailure(pfn: number, flags: number = 0, kill: KillProcs = killNobody): Op<number> {
  if (!pfnValid(pfn)) return -ENXIO;
  const page = pfnToPage(pfn);
  if (yield* mark(page)) return 0; // 1
  if ((flags & MF_COUNT_INCREASED) === 0 && !(yield* getPageUnlessZeroExempt(page, 'memoryFailure'))) {
    // The allocator will not hand it out. If it is on its way to the free lists, it comes across the mark later.
    return (yield* isFreeBuddyPage(page)) ? 0 : -EBUSY;
  }
  if (!(yield* pageLru(page))) yield* shakePage(page);
  if (!(yield* pageLru(page))) {
    yield* putPage(page);
    return -EBUSY;
  }
  yield* lockPage(page); // 3
  const result = yield* takeAway(page, kill);
  yield* unlockPage(page);
  return result;
}

function* mark(page: Ptr<Page>): Op<boolean> {
  if (yield* testSetPageHwpoison(page)) return true;
  yield* addBadPage();
  return false;
}

/** 3 to 5. *Context*: page locked, a reference. */
function* takeAway(page: Ptr<Page>, kill: KillProcs): Op<number> {
  if (!(yield* pageHwpoison(page))) {
    // unpoison_memory() was faster: it clears the mark under the page lock, and gives back our reference with its own.
    if (!leavesReference()) yield* putPage(page);
    return 0;
  }
  yield* waitOnPageWriteback(page);
  if (!(yield* hwpoisonUserMappings(page, kill))) return -EBUSY;
  const orphan = !(yield* pageAnon(page)) && (yield* readOnce(Page.mapping(page))) === NULL;
  if (orphan) return -EBUSY; // Truncated: only who holds a reference still has it.
  return yield* pageAction(page);
}

/**
 * 4. A clean page of a file is unmapped, and read again by who needs it; the content of any other is lost, and its users are killed.
 * *Returns* false when the page is still mapped. *Source*: `hwpoison_user_mappings`, mm/memory-failure.c, 3.1. *Differs*: mappings that leave
 * no migration entries (chains of 2.6.5) are not handled, unless there are none.
 */
function* hwpoisonUserMappings(page: Ptr<Page>, kill: KillProcs): Op<boolean> {
  if (!(yield* pageMapped(page))) return true;
  if (!leavesMigrationEntries()) return false;
  const anon = yield* pageAnon(page);
  // While no entry maps it, nothing else keeps the anon_vma.
  if (anon) yield* rcuReadLock();
  yield* tryToUnmap(page, true);
  const lost = anon || (yield* pageDirty(page));
  const mms = yield* poisonMigrationPtes(page, lost);
  if (anon) yield* rcuReadUnlock();
  if (lost) for (const mm of mms) yield* kill(mm);
  return !(yield* pageMapped(page));
}

/** 5. *Source*: `page_action` with `error_states`, mm/memory-failure.c, 3.1. */
function* pageAction(page: Ptr<Page>): Op<number> {
  const swapped = yield* pageSwapCache(page);
  let recovered = true;
  if (swapped) yield* meSwapcache(page);
  else recovered = yield* mePagecache(page);
  // A dirty page stays in the swap cache, not uptodate, for who comes there to find out.
  const cache = (yield* pageSwapCache(page)) ? 1 : 0;
  const others = (yield* pageCount(page)) - 1 - cache;
  return recovered && others === 0 ? 0 : -EBUSY;
}

function* meSwapcache(page: Ptr<Page>): Op<void> {
  yield* deleteFromLruCache(page);
  if (!(yield* pageDirty(page))) return yield* deleteFromSwapCache(page);
  yield* clearPageDirty(page);
  yield* clearPageUptodate(page);
}

/** *Returns* false when the page could not be taken out of its cache. */
function* mePagecache(page: Ptr<Page>): Op<boolean> {
  const mapping = yield* pageMapping(page);
  if ((yield* pageDirty(page)) && mapping !== NULL) {
    // What was written is lost: the next fsync() reports it.
    yield* setPageError(page);
    yield* mappingSetError(mapping, -EIO);
  }
  yield* deleteFromLruCache(page);
  if (yield* pageAnon(page)) return true;
  if (mapping === NULL) return false;
  yield* truncateCompletePage(mapping, page);
  return true;
}

/** delete_from_lru_cache(): no list refers to the page any more. */
function* deleteFromLruCache(page: Ptr<Page>): Op<void> {
  if ((yield* isolateLruPageForMigration(page)) !== 0) return;
  yield* clearPageActive(page);
  yield* putPage(page);
}

/**
 * unpoison_memory(): the frame may be used again, by who marked it to test what follows.
 * *Context*: may sleep. *Returns* 0, or -ENXIO. *Source*: mm/memory-failure.c, 3.1.
 */
export function* unpoisonMemory(pfn: number): Op<number> {
  if (!pfnValid(pfn)) return -ENXIO;
  const page = pfnToPage(pfn);
  if (!(yield* pageHwpoison(page))) return 0;
  if (!(yield* getPageUnlessZeroExempt(page, 'unpoisonMemory'))) {
    if (yield* testClearPageHwpoison(page)) yield* atomicDec(mceBadPages);
    return 0;
  }
  yield* lockPage(page);
  // memory_failure() tests the mark under the lock.
  const freeit = yield* testClearPageHwpoison(page);
  if (freeit) yield* atomicDec(mceBadPages);
  yield* unlockPage(page);
  yield* putPage(page);
  if (freeit) yield* putPage(page);
  return 0;
}
