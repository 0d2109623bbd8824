// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Null, Op, Ptr, Ref, SpinLock, StructOf } from '@lockless/cpu';
import {
  defineStatic,
  functionPointer,
  GFP_NOFS,
  initWaitqueueHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  pointedFunction,
  readOnce,
  setBit,
  smpMb,
  spinLockIrqsave,
  spinUnlockIrqrestore,
  store,
  struct,
  submitIo,
  WaitQueueHead,
  waitEvent,
  wakeUp,
} from '@lockless/cpu';
import {
  AddressSpace,
  AS_EIO,
  AS_ENOSPC,
  type BIO_READ,
  BIO_WRITE,
  Bio,
  type BioEndIo,
  DISK_DEVICE,
  ENOSPC,
  Page,
} from '@lockless/mm-types';
import { clearPageUptodate, pageMapping, setPageError, setPageUptodate, unlockPage } from '@lockless/page';
import { endPageWriteback, inoOf } from './filemap.js';

/*
 * Requests of one page. A request must always be had, or memory could not be cleaned to make more of it: behind the slab stands a reserve,
 * filled at boot, whose waiters are served as requests complete (the kernel's mempool fs_bio_set).
 */
/** Exported for who looks for requests that nobody ends any more. */
export const bioCachep: KmemCache<Bio> = kmemCacheCreate(Bio);

const RESERVE = 16;
interface BioPool {
  lock: SpinLock;
  /** Free bios, linked by Bio.private. */
  first: Ptr<Bio> | Null;
  wait: Embed<WaitQueueHead>;
}
const BioPool: StructOf<BioPool> = struct<BioPool>('bio_pool', { lock: 1, first: 1, wait: WaitQueueHead });
const pool: Ptr<BioPool> = defineStatic(BioPool, 'fs_bio_set');
const reserve: readonly Ptr<Bio>[] = Array.from({ length: RESERVE }, (_, i) => defineStatic(Bio, `fs_bio[${i}]`));

const nextFree = (bio: Ptr<Bio>): Ref<Ptr<Bio> | Null> => Bio.private(bio) as Ref<number> as Ref<Ptr<Bio> | Null>;

/** Fills the reserve. Boot. */
export function* bioInit(): Op<void> {
  yield* initWaitqueueHead(BioPool.wait(pool));
  for (const bio of reserve) {
    yield* store(nextFree(bio), yield* load(BioPool.first(pool)));
    yield* store(BioPool.first(pool), bio);
  }
}

function* takeFromReserve(): Op<Ptr<Bio> | Null> {
  const flags = yield* spinLockIrqsave(BioPool.lock(pool));
  const bio = yield* load(BioPool.first(pool));
  if (bio !== NULL) yield* store(BioPool.first(pool), yield* load(nextFree(bio)));
  yield* spinUnlockIrqrestore(BioPool.lock(pool), flags);
  return bio;
}

/**
 * Allocates a request. *Context*: may sleep, until another request completes. Never fails.
 * *Source*: `bio_alloc`, fs/bio.c, 2.6.27.
 */
export function* bioAlloc(): Op<Ptr<Bio>> {
  const fresh = yield* kmemCacheAlloc(bioCachep, GFP_NOFS);
  if (fresh !== NULL) return fresh;
  let bio: Ptr<Bio> | Null = NULL;
  yield* waitEvent(BioPool.wait(pool), function* () {
    bio = yield* takeFromReserve();
    return bio !== NULL;
  });
  return bio as unknown as Ptr<Bio>;
}

/** Frees a request. *Context*: any. *Source*: `bio_put`, fs/bio.c, 2.6.27. */
export function* bioFree(bio: Ptr<Bio>): Op<void> {
  if (!reserve.includes(bio)) return yield* kmemCacheFree(bioCachep, bio);
  const flags = yield* spinLockIrqsave(BioPool.lock(pool));
  yield* store(nextFree(bio), yield* load(BioPool.first(pool)));
  yield* store(BioPool.first(pool), bio);
  yield* spinUnlockIrqrestore(BioPool.lock(pool), flags);
  yield* wakeUp(BioPool.wait(pool));
}

/** mapping_set_error(): remembers an error of writeback for the next fsync. *Source*: include/linux/pagemap.h, 2.6.27. */
export function* mappingSetError(mapping: Ptr<AddressSpace>, error: number): Op<void> {
  if (error !== 0) yield* setBit(error === -ENOSPC ? AS_ENOSPC : AS_EIO, AddressSpace.flags(mapping));
}

/** A read is done: uptodate or in error, and unlocked. *Source*: `mpage_end_io_read`, fs/mpage.c, and `end_swap_bio_read`, mm/page_io.c, 2.6.27. */
function* endRead(bio: Ptr<Bio>): Op<void> {
  const page = yield* readOnce(Bio.page(bio));
  if ((yield* readOnce(Bio.error(bio))) === 0) yield* setPageUptodate(page);
  else {
    yield* clearPageUptodate(page);
    yield* setPageError(page);
  }
  yield* bioFree(bio);
  yield* unlockPage(page);
}

/** A write is done. *Source*: `mpage_end_io_write` and `end_buffer_async_write`, 2.6.27. */
function* endWrite(bio: Ptr<Bio>): Op<void> {
  const page = yield* readOnce(Bio.page(bio));
  const error = yield* readOnce(Bio.error(bio));
  if (error !== 0) {
    yield* setPageError(page);
    const mapping = yield* pageMapping(page);
    if (mapping !== NULL) yield* mappingSetError(mapping, error);
  }
  yield* bioFree(bio);
  yield* endPageWriteback(page);
}

export const END_READ: FunctionPointer<BioEndIo> = functionPointer<BioEndIo>('mpage_end_io_read', endRead);
const END_WRITE: FunctionPointer<BioEndIo> = functionPointer<BioEndIo>('mpage_end_io_write', endWrite);

/**
 * What the disk's interrupt handler does with a finished request. *Context*: hardirq.
 * *Ordering*: full barrier first, which a driver gets by reading its device's completion queue: what the submitter put in the bio and what
 * the device put in the page is seen. Pairs with submit_io. *Source*: `bio_endio`, fs/bio.c, 2.6.27.
 */
export function* bioEndIo(bio: Ptr<Bio>): Op<void> {
  yield* smpMb();
  yield* pointedFunction(yield* readOnce(Bio.endIo(bio)))(bio);
}

/**
 * Sends one page to or from the disk. *Context*: may sleep; page locked (read) or under writeback (write).
 * *Ordering*: submit_io is a full barrier: the device sees the page as it is now. *Source*: `submit_bio`, `mpage_bio_submit`, 2.6.27.
 */
export function* submitPage(page: Ptr<Page>, rw: BioRw): Op<void> {
  const mapping = (yield* readOnce(Page.mapping(page))) as Ptr<AddressSpace>;
  const block = { ino: inoOf(mapping), index: yield* readOnce(Page.index(page)) };
  yield* submitBio(page, rw, block, rw === BIO_WRITE ? END_WRITE : END_READ);
}

export type BioRw = typeof BIO_READ | typeof BIO_WRITE;

/** {@link submitPage} to or from any place of the disk; `endIo` is called in the interrupt. */
export function* submitBio(
  page: Ptr<Page>,
  rw: BioRw,
  block: { readonly ino: number; readonly index: number },
  endIo: FunctionPointer<BioEndIo>,
): Op<void> {
  const bio = yield* bioAlloc();
  yield* store(Bio.page(bio), page);
  yield* store(Bio.rw(bio), rw);
  yield* store(Bio.ino(bio), block.ino);
  yield* store(Bio.index(bio), block.index);
  yield* store(Bio.error(bio), 0);
  yield* store(Bio.endIo(bio), endIo);
  yield* submitIo(DISK_DEVICE, bio);
}
