// SPDX-License-Identifier: GPL-2.0-only
import { bugOn, type FunctionPointer, type Null, type Ptr } from '@lockless/cpu/native';
import { type AddressSpaceOperations, BIO_READ, BIO_WRITE, type File, type Page } from '@lockless/mm-types/native';
import { clearPageError, unlockPage } from '@lockless/page/native';
import { setPageDirtyNobuffers, submitPage, testSetPageWriteback } from '@lockless/pagecache/native';
import { functionPointer } from './shared-words.js';

/*
 * As disk-aops.ts of the page cache, but without a look at i_size: the device knows where a file ends, beyond 2 GiB too, fills with zeros what a read does not
 * bring, and does not write what lies beyond the end.
 */

/** *Source*: `mpage_readpage`, fs/mpage.c, 2.6.27. */
function readpage(_file: Ptr<File> | Null, page: Ptr<Page>): number {
  clearPageError(page);
  submitPage(page, BIO_READ);
  return 0;
}

/** *Source*: `block_write_full_page`, fs/buffer.c, 2.6.27. */
function writepage(page: Ptr<Page>, _forReclaim: boolean): number {
  bugOn(testSetPageWriteback(page), 'writepage of a page under writeback');
  // PG_writeback keeps the page in the cache from here on.
  unlockPage(page);
  submitPage(page, BIO_WRITE);
  return 0;
}

const operations: AddressSpaceOperations = {
  name: 'file-cache',
  readpage,
  writepage,
  setPageDirty: setPageDirtyNobuffers,
};

export const FILE_CACHE_AOPS: FunctionPointer<AddressSpaceOperations> = functionPointer('file_cache_aops', operations);
export const fileCacheOperations: AddressSpaceOperations = operations;
