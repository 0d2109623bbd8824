// SPDX-License-Identifier: MIT
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_ATOMIC, GFP_COLD, NULL } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import {
  activatePage,
  allocPages,
  drainLocalPages,
  freeAreaInit,
  freePages,
  getPage,
  lruAddDrain,
  lruCacheAdd,
  markPageAccessed,
  nrFreePages,
  pageCacheGetSpeculative,
  pageCount,
  pageFreezeRefs,
  pageUnfreezeRefs,
  putPage,
  releasePages,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { bootUrcu, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import type { Step } from '../program.js';

/** Single pages that the program has one reference to, and whether they are on an LRU list; blocks. */
let pages: { page: Ptr<Page>; references: number; lru: boolean }[] = [];
let blocks: { page: Ptr<Page>; order: number }[] = [];

export function* boot(): Op<void> {
  pages = [];
  blocks = [];
  yield* bootUrcu(1);
  yield* freeAreaInit({ pages: 128, nrCpus: 1, minFreeKbytes: 0 });
}

function* allocate(order: number, cold: boolean): Op<number[]> {
  const page = yield* allocPages(cold ? GFP_ATOMIC | GFP_COLD : GFP_ATOMIC, order);
  if (page === NULL) return [0];
  if (order === 0) pages.push({ page, references: 1, lru: false });
  else blocks.push({ page, order });
  return [page];
}

function* dropAll(at: number): Op<void> {
  const { page, references } = pages[at];
  pages.splice(at, 1);
  for (let i = 0; i < references; i++) yield* putPage(page);
}

export function* step([kind, a, b]: Step): Op<number[]> {
  if (kind % 12 === 0) return yield* allocate(0, b % 2 === 0);
  if (kind % 12 === 1) return yield* allocate(b % 5, false);
  if (kind % 12 === 2) {
    const block = blocks.splice(a % Math.max(1, blocks.length), 1)[0];
    if (block !== undefined) yield* freePages(block.page, block.order);
    return [yield* nrFreePages()];
  }
  if (kind % 12 === 3) {
    yield* b % 2 === 0 ? drainLocalPages() : lruAddDrain();
    return [];
  }
  if (pages.length === 0) return [];
  const at = a % pages.length;
  const held = pages[at];
  const { page } = held;
  switch (kind % 12) {
    case 4:
      yield* dropAll(at);
      return [yield* nrFreePages()];
    case 5:
      yield* getPage(page);
      held.references++;
      return [yield* pageCount(page)];
    case 6: {
      yield* rcuReadLock();
      const got = yield* pageCacheGetSpeculative(page);
      yield* rcuReadUnlock();
      if (got) held.references++;
      return [got ? 1 : 0];
    }
    case 7: {
      const count = yield* pageCount(page);
      const expected = b % 2 === 0 ? count : count + 1;
      const frozen = yield* pageFreezeRefs(page, expected);
      if (frozen) yield* pageUnfreezeRefs(page, expected);
      return [count, frozen ? 1 : 0];
    }
    case 8:
      if (!held.lru) yield* lruCacheAdd(page);
      held.lru = true;
      return [yield* pageCount(page)];
    case 9:
      yield* b % 2 === 0 ? markPageAccessed(page) : activatePage(page);
      return [];
    case 10: {
      const locked = yield* trylockPage(page);
      if (locked) yield* unlockPage(page);
      return [locked ? 1 : 0];
    }
    default:
      if (held.references > 1) return [];
      pages.splice(at, 1);
      yield* releasePages([page], b % 2 === 0);
      return [yield* nrFreePages()];
  }
}
