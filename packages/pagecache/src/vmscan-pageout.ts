// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { NULL, pointedFunction, readOnce } from '@lockless/cpu';
import { AddressSpace, AOP_WRITEPAGE_ACTIVATE, type Page } from '@lockless/mm-types';
import {
  clearPageReclaim,
  getPage,
  lockPage,
  modZonePageState,
  NR_VMSCAN_WRITE,
  pageCount,
  pageMapping,
  pagePrivate,
  pageWriteback,
  putPage,
  setPageReclaim,
  unlockPage,
} from '@lockless/page';
import { mappingSetError } from './bio.js';
import { clearPageDirtyForIo } from './page-writeback.js';
import type { ScanControl } from './scan-control.js';

/** What became of a dirty page: still locked and dirty; locked, wanted elsewhere; being written, unlocked; locked and clean. */
export type PageoutResult = 'keep' | 'activate' | 'success' | 'clean';

/** is_page_cache_freeable(): besides the cache, its private data and us nobody refers to it. A hint: lookups go on. */
function* isPageCacheFreeable(page: Ptr<Page>): Op<boolean> {
  const count = yield* pageCount(page);
  return count - ((yield* pagePrivate(page)) ? 1 : 0) === 2;
}

/**
 * Tells the mappings of writes that failed. writepage unlocked the page, so it may have left the mapping meanwhile, and the mapping may be
 * gone: the page lock tells. *Context*: no page locked or isolated. *Source*: `handle_write_error`, mm/vmscan.c, 2.6.27.
 */
export function* handleWriteErrors(sc: ScanControl): Op<void> {
  for (const { page, mapping, error } of sc.failedWrites.splice(0)) {
    yield* lockPage(page);
    if ((yield* pageMapping(page)) === mapping) yield* mappingSetError(mapping, error);
    yield* unlockPage(page);
    yield* putPage(page);
  }
}

/**
 * Starts the writing of a dirty page that reclaim wants. PG_reclaim has the end of the writeback move it to the tail of the inactive list.
 * *Context*: page locked and not mapped, one reference is the caller's; may enter the file system.
 * *Source*: `pageout`, mm/vmscan.c, 2.6.27. *Differs*: no congested queues.
 */
export function* pageout(page: Ptr<Page>, mapping: Ptr<AddressSpace> | Null, sc: ScanControl): Op<PageoutResult> {
  if (mapping === NULL || !(yield* isPageCacheFreeable(page))) return 'keep';
  const { writepage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  if (!(yield* clearPageDirtyForIo(page))) return 'clean';
  yield* setPageReclaim(page);
  const error = yield* writepage(page, true);
  if (error === AOP_WRITEPAGE_ACTIVATE) {
    yield* clearPageReclaim(page);
    return 'activate';
  }
  if (error < 0) {
    yield* getPage(page);
    sc.failedWrites.push({ page, mapping, error });
  }
  // Written already: nobody is left to clear it, and on a clean page the bit means read-ahead.
  if (!(yield* pageWriteback(page))) yield* clearPageReclaim(page);
  yield* modZonePageState(NR_VMSCAN_WRITE, 1);
  return 'success';
}
