// SPDX-License-Identifier: GPL-2.0-only
import {
  condResched,
  downRead,
  downReadTrylock,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Op,
  type Ptr,
  signalPending,
  upRead,
} from '@lockless/cpu';
import { EINTR, EIO, ENOMEM, MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import {
  activatePage,
  lockPage,
  pageDirty,
  pageSwapCache,
  pageUptodate,
  putPage,
  setPageDirty,
  unlockPage,
  waitOnPageLocked,
  waitOnPageWriteback,
} from '@lockless/page';
import {
  clearPageDirtyForIo,
  deleteFromSwapCache,
  findNextToUnuse,
  lockSwap,
  pageSwapEntry,
  readSwapCacheAsync,
  swapAreaClose,
  swapAreaRelease,
  swapAreaReopen,
  swapAreas,
  swapUsers,
  swapWritepage,
  unlockSwap,
} from '@lockless/pagecache';
import { mayHaveAnon, nextOnMmlist, type SwpEntry, swpEntry } from '@lockless/rmap';
import { mmput } from './exit.js';
import { shmemUnuse } from './shmem-unuse.js';
import { unuseVma } from './unuse-pte.js';

/*
 * swapoff, mm/swapfile.c, 2.6.27: every page of an area comes back into memory, and every entry that names a place of it becomes a mapping again, while
 * faults, forks and reclaim go on.
 *
 *   1. no place of the area is given out any more;
 *   2. for each place in use: its page, read if need be, and locked: nobody else maps it by the entry meanwhile;
 *   3. the files in memory, and each address space that may have the entry, are looked through; with the last entry gone
 *   4. the page leaves the swap cache, dirty, for it has no copy now; and from the start again, until no place is in use.
 */

/** Users of a place. */
function* usersOf(entry: SwpEntry): Op<number> {
  yield* lockSwap();
  const users = yield* swapUsers(entry);
  yield* unlockSwap();
  return users;
}

/**
 * swapoff(2): takes an area out of use. *Context*: sleeps, long.
 * *Returns* 0; -EINVAL: not in use; -ENOMEM, -EINTR, -EIO (a page cannot be read): it stays in use.
 * *Source*: `sys_swapoff`, mm/swapfile.c, 2.6.27. *Differs*: there is no account of memory by which to refuse at once what will not fit; a page that
 * cannot be read ends it, where 2.6.27 maps whatever the frame holds.
 */
export function* sysSwapoff(type: number): Op<number> {
  const inUse = yield* swapAreaClose(type); // 1
  if (inUse !== 0) return inUse;
  const error = yield* tryToUnuse(type);
  if (error !== 0) yield* swapAreaReopen(type);
  else yield* swapAreaRelease(type);
  return error;
}

/** swapoff -a. *Returns* the first error. */
export function* swapoffAll(): Op<number> {
  let error = 0;
  for (const { type, active } of swapAreas()) {
    const result = active ? yield* sysSwapoff(type) : 0;
    error ||= result;
  }
  return error;
}

/** try_to_unuse(): 2 to 4 for all places. *Source*: mm/swapfile.c, 2.6.27. */
function* tryToUnuse(type: number): Op<number> {
  for (let place = yield* findNextToUnuse(type, 0); place !== 0; place = yield* findNextToUnuse(type, place)) {
    if (yield* signalPending()) return -EINTR;
    const entry = swpEntry(type, place);
    const page = yield* readSwapCacheAsync(entry, GFP_HIGHUSER_MOVABLE);
    if (page === NULL) {
      // Freed meanwhile, by itself; or there is no memory.
      if ((yield* usersOf(entry)) === 0) continue;
      return -ENOMEM;
    }
    const error = yield* unusePlace(entry, page);
    yield* putPage(page);
    if (error !== 0) return error;
    yield* condResched();
  }
  return 0;
}

/** One place, with a reference to its page. */
function* unusePlace(entry: SwpEntry, page: Ptr<Page>): Op<number> {
  yield* waitOnPageLocked(page);
  yield* lockPage(page); // 2
  yield* waitOnPageWriteback(page);
  let error = (yield* pageUptodate(page)) || (yield* usersOf(entry)) <= 1 ? 0 : -EIO;
  if (error === 0 && (yield* usersOf(entry)) > 1) error = yield* shmemUnuse(entry, page); // 3
  if (error === 0) error = yield* unuseEverywhere(entry, page);
  if (error === 0) yield* leaveSwapCache(entry, page); // 4
  yield* unlockPage(page);
  return error;
}

/** 3. An address space that is on its way out frees its entries by itself. *Returns* 0 or -ENOMEM. */
function* unuseEverywhere(entry: SwpEntry, page: Ptr<Page>): Op<number> {
  let error = 0;
  for (let mm = yield* nextOnMmlist(NULL); mm !== NULL; ) {
    if (error === 0 && (yield* usersOf(entry)) > 1) error = yield* unuseMm(mm, entry, page);
    const goOn = error === 0 && (yield* usersOf(entry)) > 1;
    const next: typeof mm | typeof NULL = goOn ? yield* nextOnMmlist(mm) : NULL;
    yield* mmput(mm);
    mm = next;
  }
  return error;
}

/**
 * unuse_mm(): looks for the entry in one address space. mmap_sem comes before the page lock, so the one may only be tried while the other is held.
 * *Context*: page locked, and so again when it returns. *Source*: mm/swapfile.c, 2.6.27, which does not wait for
 * writeback here, and so can meet the BUG_ON() of __delete_from_swap_cache().
 */
function* unuseMm(mm: Ptr<MmStruct>, entry: SwpEntry, page: Ptr<Page>): Op<number> {
  if (!(yield* downReadTrylock(MmStruct.mmapSem(mm)))) {
    // So that reclaim does not take the mappings away while the lock is dropped, and there is progress.
    yield* activatePage(page);
    yield* unlockPage(page);
    yield* downRead(MmStruct.mmapSem(mm));
    yield* lockPage(page);
    // Reclaim may have come by all the same, and 4 takes no page under writeback out of the cache.
    yield* waitOnPageWriteback(page);
  }
  let result = 0;
  for (let vma = yield* load(MmStruct.mmap(mm)); vma !== NULL && result === 0; ) {
    if (yield* mayHaveAnon(vma)) result = yield* unuseVma(vma, entry, page);
    vma = yield* load(VmAreaStruct.vmNext(vma));
  }
  yield* upRead(MmStruct.mmapSem(mm));
  return Math.min(result, 0);
}

/**
 * 4. If an entry is left, it is of somebody who was in no list when we looked: then the page is written first, and who comes for it reads it; one that
 * cannot be written stays. While the page lock was dropped, in 3, it may have left the cache by itself, and be there again under another place.
 */
function* leaveSwapCache(entry: SwpEntry, page: Ptr<Page>): Op<void> {
  if (!(yield* isAt(page, entry))) return;
  if ((yield* usersOf(entry)) > 1 && (yield* clearPageDirtyForIo(page))) {
    yield* swapWritepage(page);
    yield* lockPage(page);
    yield* waitOnPageWriteback(page);
    if (!(yield* isAt(page, entry)) || (yield* pageDirty(page))) return;
  }
  yield* deleteFromSwapCache(page);
  yield* setPageDirty(page);
}

function* isAt(page: Ptr<Page>, entry: SwpEntry): Op<boolean> {
  return (yield* pageSwapCache(page)) && (yield* pageSwapEntry(page)) === entry;
}
