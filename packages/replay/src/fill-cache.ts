// SPDX-License-Identifier: GPL-2.0-only
import { GFP_HIGHUSER, load, NULL, type Op, type Ptr, store } from '@lockless/cpu';
import { Inode, Page } from '@lockless/mm-types';
import { allocPage, putPage, setPageUptodate, unlockPage } from '@lockless/page';
import { addToPageCacheLru, contentOf } from '@lockless/pagecache';

/**
 * Puts pages into the page cache that were there before the program started, as an earlier reader left them: uptodate, clean, on the LRU.
 * Stops early when memory is used up.
 */
export function* fillCache(inode: Ptr<Inode>, first: number, last: number): Op<void> {
  const ino = yield* load(Inode.ino(inode));
  for (let index = first; index <= last; index++) {
    const page = yield* allocPage(GFP_HIGHUSER);
    if (page === NULL) return;
    const error = yield* addToPageCacheLru(page, Inode.data(inode), index, GFP_HIGHUSER);
    if (error === 0) {
      yield* store(Page.contentIdentity(page), contentOf(ino, index));
      yield* store(Page.contentVersion(page), 0);
      yield* setPageUptodate(page);
      yield* unlockPage(page);
    }
    yield* putPage(page);
  }
}
