// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Null, Op, Ptr } from '@lockless/cpu';
import { bugOn, NULL, readOnce } from '@lockless/cpu';
import { AddressSpace, PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK, Page } from '@lockless/mm-types';
import {
  modZonePageState,
  NR_FILE_DIRTY,
  NR_WRITEBACK,
  pageDirty,
  pageMapping,
  testClearPageWriteback as testClearWritebackFlag,
  testSetPageDirty,
  testSetPageWriteback as testSetWritebackFlag,
} from '@lockless/page';
import { radixTreeTagClear, radixTreeTagSet } from '@lockless/radix-tree';
import { markInodeDirty } from './inode-state.js';
import { swapperSpace } from './swapper-space.js';
import { lockTreeIrq, lockTreeIrqsave, unlockTreeIrq, unlockTreeIrqrestore } from './tree-lock.js';

/*
 * The flags PG_dirty and PG_writeback of a page and the tags of its slot. Tags change under tree_lock and let writeback find its pages; a
 * page may be tagged dirty and not be (the tag is cleared when writeback starts), but is never dirty for long without the tag.
 */

/**
 * Marks a page without buffers dirty: flag, statistics, tag. *Context*: page locked, or held so that truncation cannot free the inode.
 * *Returns* true when it was clean. *Source*: `__set_page_dirty_nobuffers`, mm/page-writeback.c, 2.6.27.
 */
export function* setPageDirtyNobuffers(page: Ptr<Page>): Op<boolean> {
  if (yield* testSetPageDirty(page)) return false;
  const mapping = yield* pageMapping(page);
  if (mapping === NULL) return true;
  yield* lockTreeIrq(mapping);
  // Truncation takes the page out under the same lock; then it is neither counted nor tagged.
  const now = yield* pageMapping(page);
  if (now !== NULL) {
    bugOn(now !== mapping, 'page changed its mapping while it was made dirty');
    yield* modZonePageState(NR_FILE_DIRTY, 1);
    yield* radixTreeTagSet(AddressSpace.pageTree(mapping), yield* readOnce(Page.index(page)), PAGECACHE_TAG_DIRTY);
  }
  yield* unlockTreeIrq(mapping);
  const inode = yield* readOnce(AddressSpace.host(mapping));
  if (inode !== NULL) yield* markInodeDirty(inode);
  return true;
}

/**
 * PG_writeback of a page that has no tag: in no mapping, or in the swap cache, where nobody looks for pages by tag.
 * *Source*: 2.6.27 tags pages in the swap cache too; without tags since 4.9.
 */
function* countedFlag(
  page: Ptr<Page>,
  mapping: Ptr<AddressSpace> | Null,
  change: (page: Ptr<Page>) => Access<boolean>,
  delta: number,
): Op<boolean> {
  const was = yield* change(page);
  if (mapping !== NULL && was === delta < 0) yield* modZonePageState(NR_WRITEBACK, delta);
  return was;
}

/**
 * Sets PG_writeback and its tag; drops the dirty tag unless the page is dirty again. *Context*: page locked.
 * *Returns* the old flag. *Source*: `test_set_page_writeback`, mm/page-writeback.c, 2.6.27.
 */
export function* testSetPageWriteback(page: Ptr<Page>): Op<boolean> {
  const mapping = yield* pageMapping(page);
  if (mapping === NULL || mapping === swapperSpace) return yield* countedFlag(page, mapping, testSetWritebackFlag, 1);
  const tree = AddressSpace.pageTree(mapping);
  const flags = yield* lockTreeIrqsave(mapping);
  const index = yield* readOnce(Page.index(page));
  const was = yield* testSetWritebackFlag(page);
  if (!was) {
    yield* radixTreeTagSet(tree, index, PAGECACHE_TAG_WRITEBACK);
    yield* modZonePageState(NR_WRITEBACK, 1);
  }
  if (!(yield* pageDirty(page))) yield* radixTreeTagClear(tree, index, PAGECACHE_TAG_DIRTY);
  yield* unlockTreeIrqrestore(mapping, flags);
  return was;
}

/**
 * Clears PG_writeback and its tag. *Context*: any, interrupts too. *Returns* the old flag.
 * *Source*: `test_clear_page_writeback`, mm/page-writeback.c, 2.6.27.
 */
export function* testClearPageWriteback(page: Ptr<Page>): Op<boolean> {
  const mapping = yield* pageMapping(page);
  if (mapping === NULL || mapping === swapperSpace)
    return yield* countedFlag(page, mapping, testClearWritebackFlag, -1);
  const flags = yield* lockTreeIrqsave(mapping);
  const was = yield* testClearWritebackFlag(page);
  if (was) {
    const index = yield* readOnce(Page.index(page));
    yield* radixTreeTagClear(AddressSpace.pageTree(mapping), index, PAGECACHE_TAG_WRITEBACK);
    yield* modZonePageState(NR_WRITEBACK, -1);
  }
  yield* unlockTreeIrqrestore(mapping, flags);
  return was;
}
