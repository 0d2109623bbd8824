// SPDX-License-Identifier: GPL-2.0-only
import {
  defineGuard,
  GFP_ATOMIC,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  readOnce,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { AddressSpace, EEXIST, EINVAL, EIO, ENOMEM, Inode, PAGE_SIZE, type Page } from '@lockless/mm-types';
import {
  allocPage,
  countVmEvent,
  lruCacheAddAnon,
  PGMAJFAULT,
  pageSwapCache,
  pageUptodate,
  pageWriteback,
  putPage,
  setPageUptodate,
  trylockPage,
  unlockPage,
  waitOnPageLocked,
  waitOnPageWriteback,
} from '@lockless/page';
import {
  addToPageCache,
  addToPageCacheLocked,
  deleteFromSwapCache,
  findGetPage,
  findLockPage,
  lookupSwapCache,
  pageSwapEntry,
  setPageDirtyNoWriteback,
  swapFree,
  swapinReadahead,
  zeroPageContent,
} from '@lockless/pagecache';
import type { SwpEntry } from '@lockless/rmap';
import { ShmemInodeInfo, shmemInfo, shmemPlace, shmemPlaceClear } from './shmem-info.js';

const lookAgain = defineGuard(
  'shmemGetpage.lookAgain',
  'a reader that finds a page neither in the page cache nor, after that, in swap takes it for a hole: it may have come back between',
);

/** For what: to be read, where a hole is nothing; to be mapped; to be written to, beyond the end of the file too. */
export type ShmemGetpageFlags = 'read' | 'cache' | 'write';

export interface ShmemPage {
  /** Locked, uptodate, with a reference; NULL: a hole that is read, or an error. */
  readonly page: Ptr<Page> | Null;
  /** 0, -ENOMEM, -EIO; -EINVAL is beyond the end of the file. */
  readonly error: number;
  /** The disk was waited for. */
  readonly major: boolean;
}

/** What a look under info->lock came to: the page, an error, or that something else was waited for, and all is to be looked at again. */
type Step = { readonly page: Ptr<Page> | Null; readonly error: number } | 'again' | 'read in';
const failed = (error: number): Step => ({ page: NULL, error });

/**
 * shmem_getpage(): a page of a file in memory, from the page cache, from swap, or made.
 *
 * 1. in the page cache: locked, done. Else, under info->lock: 2. the file has a place for it: {@link swapIn}; 3. no place: in the page cache after all? It
 * came back from swap between 1 and 2: again; 4. a hole: nothing for a reader; 5. or a new page, added under the lock, unless a place appeared.
 *
 * *Context*: sleeps. *Returns* see {@link ShmemPage}.
 * *Ordering*: info->lock; i_size is looked at under it, so whoever truncates and then takes the lock finds in the page cache what came before.
 * *Source*: `shmem_getpage`, mm/shmem.c, 2.6.27.
 */
export function* shmemGetpage(mapping: Ptr<AddressSpace>, index: number, sgp: ShmemGetpageFlags): Op<ShmemPage> {
  const inode = (yield* load(AddressSpace.host(mapping))) as Ptr<Inode>;
  const info = yield* shmemInfo(inode);
  let fresh: Ptr<Page> | Null = NULL;
  let major = false;
  for (;;) {
    const found = yield* findLockPage(mapping, index); // 1
    let step: Step | 'make' = found === NULL ? 'make' : { page: found, error: 0 };
    if (found === NULL) {
      yield* spinLock(ShmemInodeInfo.lock(info));
      step = yield* lookUnderLock({ mapping, inode, info, index, sgp, fresh });
    }
    if (step === 'read in') major = true;
    if (typeof step === 'object') {
      if (fresh !== NULL && step.page !== fresh) yield* putPage(fresh);
      return { ...step, major };
    }
    if (step !== 'make') continue;
    fresh = yield* allocPage(GFP_HIGHUSER_MOVABLE);
    if (fresh === NULL) return { page: NULL, error: -ENOMEM, major };
  }
}

interface Wanted {
  readonly mapping: Ptr<AddressSpace>;
  readonly inode: Ptr<Inode>;
  readonly info: Ptr<ShmemInodeInfo>;
  readonly index: number;
  readonly sgp: ShmemGetpageFlags;
  /** A frame for a new page. */
  readonly fresh: Ptr<Page> | Null;
}

/** 2 to 5. *Context*: info->lock, which it gives back. */
function* lookUnderLock(wanted: Wanted): Op<Step | 'make'> {
  const { mapping, inode, info, index, sgp, fresh } = wanted;
  const beyond = sgp !== 'write' && index * PAGE_SIZE >= (yield* readOnce(Inode.size(inode)));
  const entry = beyond ? NULL : yield* shmemPlace(info, index);
  if (entry !== NULL) return yield* swapIn(wanted, entry); // 2
  let step: Step | 'make' = beyond ? failed(-EINVAL) : 'make';
  if (!beyond && sgp === 'read')
    step = (yield* shmemHole(mapping, info, index)) ? failed(0) : 'again'; // 3, 4
  else if (!beyond && fresh !== NULL) step = yield* addNew(mapping, index, fresh); // 5
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  return step;
}

/** 3 and 4: whether a page that was not in the page cache a moment ago is a hole. *Context*: info->lock. */
export function* shmemHole(mapping: Ptr<AddressSpace>, info: Ptr<ShmemInodeInfo>, index: number): Op<boolean> {
  if ((yield* shmemPlace(info, index)) !== NULL) return false;
  if (!lookAgain()) return true;
  const page = yield* findGetPage(mapping, index);
  if (page !== NULL) yield* putPage(page);
  return page === NULL;
}

/** *Context*: info->lock. */
function* addNew(mapping: Ptr<AddressSpace>, index: number, fresh: Ptr<Page>): Op<Step> {
  const error = yield* addToPageCache(fresh, mapping, index, GFP_ATOMIC);
  if (error === -EEXIST) return 'again';
  if (error !== 0) return failed(error);
  yield* zeroPageContent(fresh);
  yield* setPageUptodate(fresh);
  yield* lruCacheAddAnon(fresh);
  return { page: fresh, error: 0 };
}

/**
 * 2: the page of a place moves from the swap cache to the page cache.
 *
 * It is locked with info->lock held, so by trying. Then it is the page of that place for certain: ask it, because swapoff takes a page out of the swap cache,
 * when it has written it, though somebody uses its place still.
 *
 * *Context*: info->lock, which it gives back. *Source*: the middle of `shmem_getpage`, mm/shmem.c, 2.6.27; the question is of 3.1.
 */
function* swapIn({ mapping, info, index }: Wanted, entry: SwpEntry): Op<Step> {
  const page = yield* lookupSwapCache(entry);
  const locked = page !== NULL && (yield* trylockPage(page));
  if (page === NULL || !locked || (yield* pageWriteback(page)) || (yield* isElsewhere(page, entry))) {
    yield* spinUnlock(ShmemInodeInfo.lock(info));
    return page === NULL ? yield* readIn(info, index, entry) : yield* waitFor(page, locked);
  }
  const error = (yield* pageUptodate(page)) ? yield* moveToPageCache(page, mapping, info, index) : -EIO;
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  if (error === 0) {
    yield* swapFree(entry);
    return { page, error: 0 };
  }
  yield* unlockPage(page);
  yield* putPage(page);
  return failed(error);
}

/** *Context*: page locked. */
function* isElsewhere(page: Ptr<Page>, entry: SwpEntry): Op<boolean> {
  return !(yield* pageSwapCache(page)) || (yield* pageSwapEntry(page)) !== entry;
}

function* readIn(info: Ptr<ShmemInodeInfo>, index: number, entry: SwpEntry): Op<Step> {
  yield* countVmEvent(PGMAJFAULT);
  const page = yield* swapinReadahead(entry, GFP_HIGHUSER_MOVABLE);
  if (page !== NULL) {
    yield* waitOnPageLocked(page);
    yield* putPage(page);
    return 'read in';
  }
  yield* spinLock(ShmemInodeInfo.lock(info));
  const same = (yield* shmemPlace(info, index)) === entry;
  yield* spinUnlock(ShmemInodeInfo.lock(info));
  return same ? failed(-ENOMEM) : 'again';
}

/** Somebody has the page locked, or it is being written, or it is another by now. */
function* waitFor(page: Ptr<Page>, locked: boolean): Op<Step> {
  if (!locked) yield* waitOnPageLocked(page);
  else {
    yield* waitOnPageWriteback(page);
    yield* unlockPage(page);
  }
  yield* putPage(page);
  return 'again';
}

/**
 * Out of the swap cache, into the page cache: first in, then out, so that it is always in one of them. The file's own use of the place is the caller's.
 * *Context*: info->lock; page locked, in the swap cache, uptodate, not under writeback; a reference. *Returns* 0; -ENOMEM, -EEXIST: nothing was done.
 */
export function* moveToPageCache(
  page: Ptr<Page>,
  mapping: Ptr<AddressSpace>,
  info: Ptr<ShmemInodeInfo>,
  index: number,
): Op<number> {
  const error = yield* addToPageCacheLocked(page, mapping, index, GFP_ATOMIC);
  if (error !== 0) return error;
  yield* shmemPlaceClear(info, index);
  yield* deleteFromSwapCache(page);
  yield* setPageDirtyNoWriteback(page);
  return 0;
}
