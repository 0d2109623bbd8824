// SPDX-License-Identifier: MIT
import type { Op, Ptr } from '@lockless/cpu';
import {
  GFP_KERNEL,
  HARDIRQ_OFFSET,
  load,
  mutexLock,
  mutexUnlock,
  NULL,
  readOnce,
  thisCpu,
  words,
} from '@lockless/cpu';
import type { AddressSpace, Bio, File } from '@lockless/mm-types';
import { FMODE_READ, FMODE_WRITE, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import { freeAreaInit, nrFreePages, putPage, trylockPage, unlockPage } from '@lockless/page';
import {
  attachBlockMap,
  BackingStore,
  bioEndIo,
  filemapWriteAndWait,
  fileOpen,
  findGetPage,
  findGetPages,
  freeBlocks,
  genericFileRead,
  genericFileWrite,
  inodeAlloc,
  invalidateMappingPages,
  iSizeWrite,
  pagecacheInit,
  removeMapping,
  truncateInodePages,
  tryToFreePages,
} from '@lockless/pagecache';
import { bootUrcu, urcuReclaim } from '@lockless/rcu';
import type { Step } from '../program.js';

const INO = 7;
let disk = new BackingStore();
let inode = 0 as Ptr<Inode>;
let file = 0 as Ptr<File>;
const mapping = (): Ptr<AddressSpace> => Inode.data(inode);

export function* boot(): Op<void> {
  disk = new BackingStore();
  attachBlockMap(disk);
  yield* bootUrcu(1);
  yield* freeAreaInit({ pages: 96, nrCpus: 1, minFreeKbytes: 16 });
  yield* pagecacheInit({});
  inode = (yield* inodeAlloc(INO, 0)) as Ptr<Inode>;
  file = (yield* fileOpen(inode, FMODE_READ | FMODE_WRITE)) as Ptr<File>;
}

/** The disk's interrupt. */
export function* serve(request: number): Op<void> {
  const bio = request as Ptr<Bio>;
  disk.transfer(bio, words);
  const cpu = thisCpu;
  const { irqsDisabled } = cpu;
  cpu.irqsDisabled = true;
  cpu.preemptCount += HARDIRQ_OFFSET;
  yield* bioEndIo(bio);
  cpu.preemptCount -= HARDIRQ_OFFSET;
  cpu.irqsDisabled = irqsDisabled;
}

function* truncate(size: number): Op<void> {
  yield* mutexLock(Inode.mutex(inode));
  yield* iSizeWrite(inode, size);
  yield* truncateInodePages(mapping(), size);
  freeBlocks(INO, Math.ceil(size / PAGE_SIZE));
  yield* mutexUnlock(Inode.mutex(inode));
}

function* read(pos: number, count: number): Op<number[]> {
  const seen: number[] = [];
  const total = yield* genericFileRead(file, pos, count, function* (page, _offset, bytes) {
    seen.push(yield* readOnce(Page.index(page)), yield* readOnce(Page.contentVersion(page)), bytes);
    return bytes;
  });
  return [total, ...seen];
}

/** Takes a page out of the cache as reclaim does. */
function* remove(index: number): Op<number[]> {
  const page = yield* findGetPage(mapping(), index);
  if (page === NULL) return [0];
  if (!(yield* trylockPage(page))) return [page];
  const removed = yield* removeMapping(mapping(), page);
  yield* unlockPage(page);
  yield* putPage(page);
  return [page, removed ? 1 : 0];
}

export function* step([kind, a, b]: Step): Op<number[]> {
  const index = a % 24;
  switch (kind % 10) {
    case 0:
    case 1:
      return [
        yield* genericFileWrite(file, index * PAGE_SIZE, 1 + (b % (3 * PAGE_SIZE)), function* (_page, _offset, n) {
          return n;
        }),
      ];
    case 2:
    case 3:
      return yield* read(index * PAGE_SIZE, 1 + (b % (8 * PAGE_SIZE)));
    case 4:
      yield* truncate(index * PAGE_SIZE);
      return [];
    case 5:
      return [yield* filemapWriteAndWait(mapping())];
    case 6: {
      const pages = yield* findGetPages(mapping(), index, 1 + (b % 14));
      for (const page of pages) yield* putPage(page);
      return pages;
    }
    case 7:
      return b % 2 === 0 ? yield* remove(index) : [yield* invalidateMappingPages(mapping(), index, index + (b % 20))];
    case 8:
      return [yield* tryToFreePages(0, GFP_KERNEL), yield* nrFreePages()];
    default:
      yield* urcuReclaim();
      return [yield* load(Inode.size(inode))];
  }
}
