// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { condResched, defineGuard, NULL, pointedFunction, readOnce, writeOnce } from '@lockless/cpu';
import {
  AddressSpace,
  AOP_TRUNCATED_PAGE,
  EEXIST,
  EIO,
  ENOMEM,
  File,
  FileRaState,
  Inode,
  PAGE_SHIFT,
  PAGE_SIZE,
  Page,
} from '@lockless/mm-types';
import {
  allocPage,
  countVmEvent,
  FILEMAP_HIT,
  FILEMAP_MISS,
  lockPage,
  markPageAccessed,
  pageReadahead,
  pageUptodate,
  putPage,
  unlockPage,
} from '@lockless/page';
import { modernReadahead } from './config.js';
import { addToPageCacheLru, mappingGfpMask, tallyHit, tallyMiss } from './filemap.js';
import { findGetPage } from './filemap-lookup.js';
import { pageCacheAsyncReadahead, pageCacheSyncReadahead, shrinkReadaheadSizeEio } from './readahead.js';

/** Kernel-facts C7. */
const mappingCheck = defineGuard(
  'doGenericFileRead.mappingCheck',
  'a page that is not uptodate is read without a look whether it was truncated before it was locked',
);
/** Kernel-facts C6. */
const sizeAfterUptodate = defineGuard(
  'doGenericFileRead.sizeAfterUptodate',
  'i_size is read before the page is known to be uptodate (before a32ea1e1f9)',
);

/** Takes `count` bytes from offset `offset` of a page, which is uptodate and held. Returns how many it took. May sleep and fault. */
export type ReadActor = (page: Ptr<Page>, offset: number, count: number) => Op<number>;

/** The page must be looked up again: it was truncated meanwhile, or another task was faster. */
const AGAIN = AOP_TRUNCATED_PAGE;

/** Calls readpage on a locked page and waits until it is done. *Returns* 0, AGAIN or -errno; the page stays held, unlocked. */
export function* readPageAndWait(file: Ptr<File>, page: Ptr<Page>): Op<number> {
  const mapping = yield* readOnce(File.mapping(file));
  const { readpage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  const error = yield* readpage(file, page);
  if (error !== 0) return error;
  if (yield* pageUptodate(page)) return 0;
  // Sleeps until the disk's interrupt has unlocked it.
  yield* lockPage(page);
  let result = 0;
  if (!(yield* pageUptodate(page))) result = (yield* readOnce(Page.mapping(page))) === NULL ? AGAIN : -EIO;
  yield* unlockPage(page);
  if (result === -EIO) yield* shrinkReadaheadSizeEio(File.ra(file));
  return result;
}

/**
 * A page was found that is not uptodate. *Context*: reference held, may sleep. *Returns* 0 when it is now, AOP_TRUNCATED_PAGE when it is out of
 * the cache, or -errno. *Source*: `page_not_up_to_date` in `do_generic_file_read`, mm/filemap.c, 2.6.27.
 */
export function* makeUptodate(file: Ptr<File>, page: Ptr<Page>): Op<number> {
  yield* lockPage(page);
  // A reference does not keep a page in its mapping: it may have been truncated before we had the lock (kernel-facts C7).
  if (mappingCheck() && (yield* readOnce(Page.mapping(page))) === NULL) {
    yield* unlockPage(page);
    return AGAIN;
  }
  // Somebody else has filled it.
  if (yield* pageUptodate(page)) {
    yield* unlockPage(page);
    return 0;
  }
  return yield* readPageAndWait(file, page);
}

/** Read-ahead did not bring the page: it is added and read alone. *Returns* the page held and uptodate, AGAIN or -errno. */
function* readAlone(file: Ptr<File>, index: number): Op<Ptr<Page> | number> {
  const mapping = yield* readOnce(File.mapping(file));
  const gfp = yield* mappingGfpMask(mapping);
  const page = yield* allocPage(gfp);
  if (page === NULL) return -ENOMEM;
  let error = yield* addToPageCacheLru(page, mapping, index, gfp);
  if (error === 0) error = yield* readPageAndWait(file, page);
  if (error === 0) return page;
  yield* putPage(page);
  return error === -EEXIST ? AGAIN : error;
}

const isPage = (found: Ptr<Page> | number): found is Ptr<Page> => found > 0 && found !== AGAIN;

/** *Returns* the page held and uptodate, AGAIN or -errno. `lastIndex`: one past the last page of the whole request. */
function* uptodatePage(file: Ptr<File>, index: number, lastIndex: number): Op<Ptr<Page> | number> {
  const mapping = yield* readOnce(File.mapping(file));
  const ra = File.ra(file);
  let page = yield* findGetPage(mapping, index);
  if (page === NULL) {
    tallyMiss(mapping);
    yield* countVmEvent(FILEMAP_MISS);
    yield* pageCacheSyncReadahead(mapping, ra, file, index, lastIndex - index);
    page = yield* findGetPage(mapping, index);
    if (page === NULL) return yield* readAlone(file, index);
  } else {
    tallyHit(mapping);
    yield* countVmEvent(FILEMAP_HIT);
  }
  if (yield* pageReadahead(page)) {
    yield* pageCacheAsyncReadahead(mapping, ra, file, page, index, lastIndex - index);
  }
  if (yield* pageUptodate(page)) return page;
  const error = yield* makeUptodate(file, page);
  if (error === 0) return page;
  yield* putPage(page);
  return error;
}

/** Where a read is. */
interface ReadPosition {
  pos: number;
  left: number;
  /** Page that was marked accessed last, so that reads of parts of it count once. */
  prevIndex: number;
}

/** Hands one page to the actor. *Returns* false when the read is over: end of file, or the actor wants no more. */
function* copyFromPage(
  inode: Ptr<Inode>,
  page: Ptr<Page>,
  at: ReadPosition,
  actor: ReadActor,
  earlySize: number | null,
): Op<boolean> {
  // After the page is known to be uptodate: with an older size a page truncated and grown again could be copied beyond what the file
  // ever held (kernel-facts C6).
  const size = earlySize ?? (yield* readOnce(Inode.size(inode)));
  const offset = at.pos % PAGE_SIZE;
  const count = Math.min(PAGE_SIZE - offset, at.left, size - at.pos);
  if (count <= 0) return false;
  const index = at.pos >> PAGE_SHIFT;
  if (at.prevIndex !== index || offset === 0) yield* markPageAccessed(page);
  at.prevIndex = index;
  const copied = yield* actor(page, offset, count);
  at.pos += copied;
  at.left -= copied;
  return copied === count && at.left > 0;
}

/**
 * Reads `count` bytes from byte `pos` of a file through the page cache. *Context*: may sleep; no locks.
 * *Returns* the number of bytes, short at the end of the file; or -errno when nothing was read.
 * *Ordering*: a page's content is read after PG_uptodate (page_uptodate has the read barrier, SetPageUptodate the write barrier).
 * *Source*: `do_generic_file_read`, mm/filemap.c, 2.6.27; with 6.18's read-ahead as `filemap_read`, 6.18.
 */
export function* genericFileRead(file: Ptr<File>, pos: number, count: number, actor: ReadActor): Op<number> {
  const inode = yield* readOnce(File.inode(file));
  const ra = File.ra(file);
  const lastIndex = Math.ceil((pos + count) / PAGE_SIZE);
  const at: ReadPosition = { pos, left: count, prevIndex: yield* readOnce(FileRaState.prevIndex(ra)) };
  let error = 0;
  while (at.left > 0) {
    yield* condResched();
    // 2.6.27 finds out that it is at the end when it has the page.
    if (modernReadahead() && at.pos >= (yield* readOnce(Inode.size(inode)))) break;
    const earlySize = sizeAfterUptodate() ? null : yield* readOnce(Inode.size(inode));
    const page = yield* uptodatePage(file, at.pos >> PAGE_SHIFT, lastIndex);
    if (page === AGAIN) continue;
    if (!isPage(page)) {
      error = page;
      break;
    }
    const more = yield* copyFromPage(inode, page, at, actor, earlySize);
    yield* putPage(page);
    if (!more) break;
  }
  if (at.pos > pos || !modernReadahead()) {
    yield* writeOnce(FileRaState.prevIndex(ra), modernReadahead() ? at.pos >> PAGE_SHIFT : at.prevIndex);
  }
  return at.pos > pos ? at.pos - pos : error;
}
