// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { pointedFunction, readOnce, store } from '@lockless/cpu';
import { AddressSpace, EEXIST, ENOMEM, type File, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import { allocPage, countVmEvent, putPage, READAHEAD_PAGES, setPageReadahead } from '@lockless/page';
import { addToPageCacheLru, mappingGfpMask } from './filemap.js';
import { pageCached } from './filemap-lookup.js';

/** Last page that a file has, or -1 for an empty file. */
export function* lastPageIndex(mapping: Ptr<AddressSpace>): Op<number> {
  const inode = (yield* readOnce(AddressSpace.host(mapping))) as Ptr<Inode>;
  return Math.ceil((yield* readOnce(Inode.size(inode))) / PAGE_SIZE) - 1;
}

/** Starts to read a page that {@link addForReadahead} has added, and drops the reader's reference. */
export function* startRead(mapping: Ptr<AddressSpace>, file: Ptr<File> | 0, page: Ptr<Page>): Op<void> {
  const { readpage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  yield* readpage(file, page);
  yield* putPage(page);
}

/**
 * Adds a new page for read-ahead, which gives up rather than press for memory. *Returns* the page, locked and with a reference, or -errno.
 * `mark`: whoever touches it first starts the next window. `order`: of the folio it is part of (6.18), kept in page->private.
 */
export function* addForReadahead(
  mapping: Ptr<AddressSpace>,
  index: number,
  mark: boolean,
  order: number,
): Op<Ptr<Page> | number> {
  const gfp = yield* mappingGfpMask(mapping);
  const page = yield* allocPage(gfp);
  if (page === 0) return -ENOMEM;
  yield* store(Page.private(page), order);
  // Before it is added: nobody else sees the flags yet.
  if (mark) yield* setPageReadahead(page);
  const error = yield* addToPageCacheLru(page, mapping, index, gfp);
  if (error === 0) {
    yield* countVmEvent(READAHEAD_PAGES);
    return page;
  }
  yield* putPage(page);
  return error;
}

/**
 * Reads pages `start` to `start + count - 1` ahead, as far as the file goes and memory lasts; pages in the cache already stay. The page
 * `lookahead` pages before the end of the window is marked. *Context*: may sleep. *Returns* how many reads were started.
 * *Source*: `__do_page_cache_readahead` and `read_pages`, mm/readahead.c, 2.6.27; `page_cache_ra_unbounded`, 6.18.
 */
export function* readPagesAhead(
  mapping: Ptr<AddressSpace>,
  file: Ptr<File> | 0,
  start: number,
  count: number,
  lookahead: number,
): Op<number> {
  const last = yield* lastPageIndex(mapping);
  const added: Ptr<Page>[] = [];
  for (let i = 0; i < count && start + i <= last; i++) {
    if (yield* pageCached(mapping, start + i)) continue;
    const page = yield* addForReadahead(mapping, start + i, i === count - lookahead, 0);
    if (page === -EEXIST) continue;
    if (page < 0) break;
    added.push(page as Ptr<Page>);
  }
  for (const page of added) yield* startRead(mapping, file, page);
  return added.length;
}
