// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr, readOnce } from '@lockless/cpu';
import { EFAULT, EINVAL, File, Inode, PAGE_SHIFT, PAGE_SIZE, Page, VmAreaStruct } from '@lockless/mm-types';
import { lockPage, pageMapping, unlockPage } from '@lockless/page';
import { balanceDirtyPages, setPageDirty } from '@lockless/pagecache';

/**
 * page_mkwrite(): a page of a shared mapping is about to become writable; the file system allocates its blocks here.
 *
 * *Context*: sleeps; the caller holds a reference and no page-table lock. It keeps the reference until it holds that lock again: the frame
 * would otherwise be freed, used anew and be found in the same entry (C9, c3704ceb4a).
 * *Returns* 0; -EINVAL beyond the end of the file; -EFAULT when the page left the file, so the fault must start anew.
 * *Source*: `block_page_mkwrite`, fs/buffer.c, 2.6.27; -EFAULT for a truncated page since 3.0.
 * *Differs*: there are no blocks to allocate.
 */
export function* pageMkwrite(vma: Ptr<VmAreaStruct>, page: Ptr<Page>): Op<number> {
  const file = (yield* load(VmAreaStruct.vmFile(vma))) as Ptr<File>;
  const inode = yield* load(File.inode(file));
  const mapping = yield* load(File.mapping(file));
  yield* lockPage(page);
  let error = 0;
  const pages = ((yield* readOnce(Inode.size(inode))) + PAGE_SIZE - 1) >>> PAGE_SHIFT;
  if ((yield* load(Page.index(page))) >= pages) error = -EINVAL;
  else if ((yield* load(Page.mapping(page))) !== (mapping as number)) error = -EFAULT;
  yield* unlockPage(page);
  return error;
}

/**
 * set_page_dirty_balance(): dirty, and if there is too much of that, the caller writes some first.
 *
 * *Context*: sleeps; reference held. *Source*: mm/page-writeback.c, 2.6.27.
 */
export function* setPageDirtyBalance(page: Ptr<Page>): Op<void> {
  if (!(yield* setPageDirty(page))) return;
  const mapping = yield* pageMapping(page);
  if (mapping !== NULL) yield* balanceDirtyPages(mapping);
}
