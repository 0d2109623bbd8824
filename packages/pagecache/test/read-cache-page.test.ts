// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import { type AddressSpace, EIO, ENOMEM, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import {
  lockPage,
  lruAddDrain,
  pageCount,
  pageLocked,
  pageUptodate,
  putPage,
  setPageUptodate,
  unlockPage,
} from '@lockless/page';
import { beforeEach, expect, it } from 'vitest';
import { cachedPages, findGetPage, inodeAlloc, readCachePage, truncateInodePages } from '../src/index.js';
import { bootSequential, type SequentialSystem } from './sequential-system.js';

let system: SequentialSystem;
let mapping: Ptr<AddressSpace>;
let failAllocations = false;
let filled: number[];

/** Reads at once. */
function* filler(page: Ptr<Page>): Op<number> {
  filled.push(peek(Page.index(page)));
  yield* setPageUptodate(page);
  yield* unlockPage(page);
  return 0;
}

beforeEach(() => {
  failAllocations = false;
  filled = [];
  system = bootSequential({ generation: 'freeze-refs', pages: 64 }, { failAllocation: () => failAllocations });
  mapping = Inode.data(system.run(inodeAlloc(9, 8 * PAGE_SIZE)) as Ptr<Inode>);
});

it('reads a page once, and returns it uptodate, unlocked and referenced', () => {
  system.run(
    (function* () {
      const page = (yield* readCachePage(mapping, 3, filler)) as Ptr<Page>;
      yield* lruAddDrain();
      expect([yield* pageUptodate(page), yield* pageLocked(page), yield* pageCount(page)]).toEqual([true, false, 2]);
      expect(yield* readCachePage(mapping, 3, filler)).toBe(page);
      expect(yield* pageCount(page)).toBe(3);
    })(),
  );
  expect(filled).toEqual([3]);
});

it('reads again what could not be read', () => {
  system.run(
    (function* () {
      const fails = function* (page: Ptr<Page>): Op<number> {
        yield* unlockPage(page); // Not uptodate: what end_io does after an error.
        return 0;
      };
      expect(yield* readCachePage(mapping, 1, fails)).toBe(-EIO);
      const page = (yield* findGetPage(mapping, 1)) as Ptr<Page>;
      yield* lruAddDrain();
      expect(yield* pageCount(page)).toBe(2);
      yield* putPage(page);
      expect(yield* readCachePage(mapping, 1, filler)).toBe(page);
    })(),
  );
  expect(filled).toEqual([1]);
});

it("hands on the filler's error, and -ENOMEM", () => {
  system.run(
    (function* () {
      const refuses = function* (page: Ptr<Page>): Op<number> {
        yield* unlockPage(page);
        return -77;
      };
      expect(yield* readCachePage(mapping, 2, refuses)).toBe(-77);
      failAllocations = true;
      expect(yield* readCachePage(mapping, 4, filler)).toBe(-ENOMEM);
    })(),
  );
});

it('begins anew when the page is truncated before it is read', () => {
  system.run(
    (function* () {
      let first = true;
      // The page is found, not uptodate; what fills it the first time finds it truncated afterwards.
      const truncates = function* (page: Ptr<Page>): Op<number> {
        if (first) {
          first = false;
          yield* unlockPage(page);
          yield* truncateInodePages(mapping, 0);
          expect(peek(Page.mapping(page))).toBe(NULL);
          return 0;
        }
        return yield* filler(page);
      };
      const page = (yield* readCachePage(mapping, 5, truncates)) as Ptr<Page>;
      yield* lockPage(page);
      expect([peek(Page.mapping(page)), peek(Page.index(page))]).toEqual([mapping, 5]);
      yield* unlockPage(page);
    })(),
  );
  expect(filled).toEqual([5]);
  expect(cachedPages(mapping)).toHaveLength(1);
});
