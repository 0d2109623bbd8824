// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr } from '@lockless/cpu';
import { bugOn, functionPointer, readOnce } from '@lockless/cpu';
import {
  type AddressSpaceOperations,
  BIO_READ,
  BIO_WRITE,
  Bio,
  type BioEndIo,
  type File,
  type Page,
} from '@lockless/mm-types';
import {
  clearPageReclaim,
  countVmEvent,
  PSWPIN,
  PSWPOUT,
  pageDirty,
  pageLocked,
  pageUptodate,
  setPageError,
  testSetPageDirty,
  unlockPage,
} from '@lockless/page';
import { type SwpEntry, swpOffset, swpType } from '@lockless/rmap';
import { swapDevice } from './backing-store.js';
import { bioFree, END_READ, submitBio } from './bio.js';
import { endPageWriteback } from './filemap.js';
import { testSetPageWriteback } from './page-writeback-tags.js';
import { pageSwapEntry } from './swap-state.js';
import { removeExclusiveSwapPage } from './swapfile.js';

/* mm/page_io.c, 2.6.27: pages of the swap cache to and from their places. */

const placeOf = (entry: SwpEntry): { ino: number; index: number } => ({
  ino: swapDevice(swpType(entry)),
  index: swpOffset(entry),
});

/**
 * end_swap_bio_write(). A page that could not be written is dirty again, and reclaim has no special wish: it is swapped out another time, or stays.
 * *Context*: hardirq. *Source*: mm/page_io.c, 2.6.27.
 */
function* endSwapWrite(bio: Ptr<Bio>): Op<void> {
  const page = yield* readOnce(Bio.page(bio));
  if ((yield* readOnce(Bio.error(bio))) !== 0) {
    yield* setPageError(page);
    yield* setPageDirtyNoWriteback(page);
    yield* clearPageReclaim(page);
  }
  yield* bioFree(bio);
  yield* endPageWriteback(page);
}
const END_SWAP_WRITE: FunctionPointer<BioEndIo> = functionPointer<BioEndIo>('end_swap_bio_write', endSwapWrite);

/**
 * swap_writepage(): starts to write a page to its place; when nobody wants it there any more, the page leaves it instead.
 * *Context*: page locked, in the swap cache, clean for I/O; unlocks it. *Returns* 0.
 * *Source*: mm/page_io.c, 2.6.27.
 */
export function* swapWritepage(page: Ptr<Page>): Op<number> {
  if (!(yield* removeExclusiveSwapPage(page))) {
    const entry = yield* pageSwapEntry(page);
    bugOn(yield* testSetPageWriteback(page), 'swap_writepage of a page under writeback');
    yield* countVmEvent(PSWPOUT);
    // PG_writeback keeps the page at its place from here on.
    yield* unlockPage(page);
    yield* submitBio(page, BIO_WRITE, placeOf(entry), END_SWAP_WRITE);
    return 0;
  }
  yield* unlockPage(page);
  return 0;
}

/** swap_readpage(): starts to read a page from its place; the end of it unlocks the page. *Context*: page locked. *Source*: mm/page_io.c, 2.6.27. */
export function* swapReadpage(_file: Ptr<File> | Null, page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageLocked(page)), 'swap_readpage: !PageLocked(page)');
  bugOn(yield* pageUptodate(page), 'swap_readpage: PageUptodate(page)');
  yield* countVmEvent(PSWPIN);
  yield* submitBio(page, BIO_READ, placeOf(yield* pageSwapEntry(page)), END_READ);
  return 0;
}

/**
 * set_page_dirty() of a page in the swap cache, or of a file in memory: nobody looks for such pages by tag, and they are not counted as dirty.
 * *Source*: `__set_page_dirty_no_writeback`, mm/page-writeback.c, 2.6.27; the swap cache has tags there, which went later (3.6).
 */
export function* setPageDirtyNoWriteback(page: Ptr<Page>): Op<boolean> {
  return !(yield* pageDirty(page)) && !(yield* testSetPageDirty(page));
}

/** swap_aops. *Source*: mm/swap_state.c, 2.6.27. */
const swapAops: AddressSpaceOperations = {
  name: 'swap',
  readpage: swapReadpage,
  writepage: swapWritepage,
  setPageDirty: setPageDirtyNoWriteback,
  accountsDirty: false,
};
export const SWAP_AOPS: FunctionPointer<AddressSpaceOperations> = functionPointer('swap_aops', swapAops);
