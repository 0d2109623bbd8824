// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr } from '@lockless/cpu';
import { bugOn, functionPointer, readOnce, store } from '@lockless/cpu';
import {
  AddressSpace,
  type AddressSpaceOperations,
  BIO_READ,
  BIO_WRITE,
  type File,
  Inode,
  PAGE_SHIFT,
  PAGE_SIZE,
  Page,
} from '@lockless/mm-types';
import { clearPageError, setPageUptodate, unlockPage } from '@lockless/page';
import { submitPage } from './bio.js';
import { contentOf } from './content.js';
import { inoOf } from './filemap.js';
import { setPageDirtyNobuffers, testSetPageWriteback } from './page-writeback-tags.js';

/** Pages that a file of that many bytes has. */
export const pagesOf = (bytes: number): number => Math.floor((bytes + PAGE_SIZE - 1) / PAGE_SIZE);

function* beyondEnd(page: Ptr<Page>): Op<boolean> {
  const mapping = (yield* readOnce(Page.mapping(page))) as Ptr<AddressSpace>;
  const inode = (yield* readOnce(AddressSpace.host(mapping))) as Ptr<Inode>;
  const size = yield* readOnce(Inode.size(inode));
  return (yield* readOnce(Page.index(page))) >= (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/** Makes a page of zeros: a hole, or beyond the end. *Context*: page locked, not uptodate. */
export function* zeroPageContent(page: Ptr<Page>): Op<void> {
  const mapping = (yield* readOnce(Page.mapping(page))) as Ptr<AddressSpace>;
  yield* store(Page.contentIdentity(page), contentOf(inoOf(mapping), yield* readOnce(Page.index(page))));
  yield* store(Page.contentVersion(page), 0);
}

/** *Source*: `mpage_readpage`, fs/mpage.c, 2.6.27. */
function* readpage(_file: Ptr<File> | Null, page: Ptr<Page>): Op<number> {
  if (yield* beyondEnd(page)) {
    yield* zeroPageContent(page);
    yield* setPageUptodate(page);
    yield* unlockPage(page);
    return 0;
  }
  yield* clearPageError(page);
  yield* submitPage(page, BIO_READ);
  return 0;
}

/** *Source*: `block_write_full_page`, fs/buffer.c, 2.6.27. *Differs*: no buffers, a page is one block. */
function* writepage(page: Ptr<Page>, _forReclaim: boolean): Op<number> {
  if (yield* beyondEnd(page)) {
    // Truncation is on its way to this page.
    yield* unlockPage(page);
    return 0;
  }
  bugOn(yield* testSetPageWriteback(page), 'writepage of a page under writeback');
  // PG_writeback keeps the page in the cache from here on.
  yield* unlockPage(page);
  yield* submitPage(page, BIO_WRITE);
  return 0;
}

/** A file system without features: each page is a block at a place known by inode and index. */
export const diskAddressSpaceOperations: AddressSpaceOperations = {
  name: 'disk',
  readpage,
  writepage,
  setPageDirty: setPageDirtyNobuffers,
};

/** {@link diskAddressSpaceOperations} as AddressSpace.aOps names it. */
export const DISK_AOPS: FunctionPointer<AddressSpaceOperations> = functionPointer(
  'disk_aops',
  diskAddressSpaceOperations,
);
