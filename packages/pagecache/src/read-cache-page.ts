// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, readOnce } from '@lockless/cpu';
import { type AddressSpace, EEXIST, EIO, ENOMEM, Page } from '@lockless/mm-types';
import {
  allocPage,
  lockPage,
  markPageAccessed,
  pageUptodate,
  putPage,
  unlockPage,
  waitOnPageLocked,
} from '@lockless/page';
import { addToPageCacheLru, mappingGfpMask } from './filemap.js';
import { findGetPage } from './filemap-lookup.js';

/** Fills a locked page, or begins to; who ends it unlocks the page. *Returns* 0 or -errno, the page then unlocked. */
export type Filler = (page: Ptr<Page>) => Op<number>;

/** The page of an index, added and being filled when there was none. *Returns* it with a reference, or -errno. */
function* findOrFill(mapping: Ptr<AddressSpace>, index: number, filler: Filler): Op<Ptr<Page> | number> {
  const gfp = yield* mappingGfpMask(mapping);
  for (;;) {
    const found = yield* findGetPage(mapping, index);
    if (found !== NULL) return found;
    const page = yield* allocPage(gfp);
    if (page === NULL) return -ENOMEM;
    const error = (yield* addToPageCacheLru(page, mapping, index, gfp)) || (yield* filler(page));
    if (error === 0) return page;
    yield* putPage(page);
    if (error !== -EEXIST) return error;
  }
}

/**
 * The page of an index, uptodate: read by `filler` when it is not. For a file system's own use: directories, symbolic links.
 *
 * *Context*: may sleep; no locks. *Returns* the page with a reference, unlocked; -EIO, -ENOMEM or what the filler returned.
 * *Ordering*: as with a read: the contents come after PG_uptodate.
 * *Source*: `read_cache_page`, mm/filemap.c, 2.6.27.
 */
export function* readCachePage(mapping: Ptr<AddressSpace>, index: number, filler: Filler): Op<Ptr<Page> | number> {
  for (;;) {
    const page = yield* findOrFill(mapping, index, filler);
    if (page < 0) return page;
    const held = page as Ptr<Page>;
    const error = yield* fill(held, filler);
    if (error === 0) {
      yield* markPageAccessed(held);
      return held;
    }
    yield* putPage(held);
    if (error !== TRUNCATED) return error;
  }
}

/** The page was truncated before it could be filled. */
const TRUNCATED = 1;

/** Sees to it that a page that is held is uptodate. *Returns* 0, TRUNCATED or -errno. */
function* fill(page: Ptr<Page>, filler: Filler): Op<number> {
  if (yield* pageUptodate(page)) return 0;
  yield* lockPage(page);
  if ((yield* readOnce(Page.mapping(page))) === NULL) {
    yield* unlockPage(page);
    return TRUNCATED;
  }
  if (yield* pageUptodate(page)) {
    yield* unlockPage(page);
    return 0;
  }
  const error = yield* filler(page);
  if (error !== 0) return error;
  yield* waitOnPageLocked(page);
  return (yield* pageUptodate(page)) ? 0 : -EIO;
}
