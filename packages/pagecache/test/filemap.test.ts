// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, kmemCacheAlloc, kmemCacheCreate, NULL, peek, store } from '@lockless/cpu';
import type { AddressSpace, File } from '@lockless/mm-types';
import {
  EEXIST,
  EIO,
  ENOMEM,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  Page,
  VM_READ,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  allocPage,
  lockPage,
  pageCount,
  pageLocked,
  putPage,
  setPageReadahead,
  setPageUptodate,
  trylockPage,
  unlockPage,
  vmEvents,
} from '@lockless/page';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  addToPageCache,
  addToPageCacheLocked,
  cachedPages,
  filemapFault,
  filemapMapPages,
  filemapWriteAndWait,
  fileOpen,
  filePut,
  findGetPage,
  findGetPages,
  findGetPagesContig,
  findLockPage,
  type Generation,
  genericFileRead,
  genericFileWrite,
  grabCachePageNowait,
  inodeAlloc,
  inodePut,
  invalidateMappingPages,
  iSizeWrite,
  removeMapping,
  setPageCacheObserver,
  setPageDirty,
  truncateInodePages,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
} from '../src/index.js';
import { bootSequential, type SequentialSystem } from './sequential-system.js';

const areas = kmemCacheCreate(VmAreaStruct);
const takeAll = function* (_page: unknown, _offset: number, count: number): Op<number> {
  return count;
};

describe.each<Generation>(['freeze-refs', 'tree-lock'])('filemap, generation %s', (generation) => {
  let system: SequentialSystem;
  let failAllocations = false;
  let inode: Ptr<Inode>;
  let file: Ptr<File>;
  let mapping: Ptr<AddressSpace>;
  const run = <T>(op: () => Op<T>): T => system.run(op());

  beforeEach(() => {
    failAllocations = false;
    system = bootSequential({ generation, pages: 128 }, { failAllocation: () => failAllocations });
    inode = run(() => inodeAlloc(9, 50 * PAGE_SIZE)) as Ptr<Inode>;
    file = run(() => fileOpen(inode, FMODE_READ | FMODE_WRITE)) as Ptr<File>;
    mapping = Inode.data(inode);
  });

  /** Adds an uptodate page without I/O and returns it, unlocked, with the caller's reference. */
  function* addPage(index: number): Op<Ptr<Page>> {
    const page = (yield* allocPage(GFP_KERNEL)) as Ptr<Page>;
    expect(yield* addToPageCache(page, mapping, index, GFP_KERNEL)).toBe(0);
    yield* setPageUptodate(page);
    yield* unlockPage(page);
    return page;
  }

  it('add_to_page_cache: locked, referenced by the cache, known to the observer; a second page at the index is -EEXIST', () => {
    const told: string[] = [];
    setPageCacheObserver({
      added: (ino, i) => told.push(`+${ino}:${i}`),
      removed: (ino, i) => told.push(`-${ino}:${i}`),
    });
    run(function* () {
      const page = (yield* allocPage(GFP_KERNEL)) as Ptr<Page>;
      expect(yield* addToPageCache(page, mapping, 5, GFP_KERNEL)).toBe(0);
      expect(yield* pageLocked(page)).toBe(true);
      expect(yield* pageCount(page)).toBe(2);
      const other = (yield* allocPage(GFP_KERNEL)) as Ptr<Page>;
      expect(yield* addToPageCache(other, mapping, 5, GFP_KERNEL)).toBe(-EEXIST);
      expect([yield* pageLocked(other), yield* pageCount(other), peek(Page.mapping(other))]).toEqual([false, 1, 0]);
      expect(yield* removeMapping(mapping, page)).toBe(true);
      expect(yield* pageCount(page)).toBe(1);
    });
    setPageCacheObserver(null);
    expect(told).toEqual(['+9:5', '-9:5']);
  });

  it("add_to_page_cache_locked leaves the caller's lock alone when it fails (kernel-facts A14)", () => {
    run(function* () {
      yield* putPage(yield* addPage(5));
      const page = (yield* allocPage(GFP_KERNEL)) as Ptr<Page>;
      expect(yield* trylockPage(page)).toBe(true);
      expect(yield* addToPageCacheLocked(page, mapping, 5, GFP_KERNEL)).toBe(-EEXIST);
      expect(yield* pageLocked(page)).toBe(true);
    });
  });

  it('add_to_page_cache without memory for tree nodes is -ENOMEM and changes nothing', () => {
    run(function* () {
      const page = (yield* allocPage(GFP_KERNEL)) as Ptr<Page>;
      failAllocations = true;
      expect(yield* addToPageCache(page, mapping, 5, GFP_KERNEL)).toBe(-ENOMEM);
      expect([yield* pageCount(page), cachedPages(mapping).length]).toEqual([1, 0]);
    });
  });

  it('remove_mapping refuses a page that somebody refers to, and one that is dirty', () => {
    run(function* () {
      const page = yield* addPage(1);
      yield* lockPage(page);
      const held = yield* findGetPage(mapping, 1);
      expect(yield* removeMapping(mapping, page)).toBe(false);
      yield* putPage(held as Ptr<Page>);
      yield* setPageDirty(page);
      expect(yield* removeMapping(mapping, page)).toBe(false);
      expect(yield* pageCount(page)).toBe(2);
    });
  });

  it('find_get_pages leaves out holes, find_get_pages_contig stops at one, and neither keeps references it does not return', () => {
    run(function* () {
      for (const index of [3, 4, 5, 7, 70]) yield* putPage(yield* addPage(index));
      const indexes = (pages: Ptr<Page>[]) => pages.map((page) => peek(Page.index(page)));
      const all = yield* findGetPages(mapping, 0, 10);
      expect(indexes(all)).toEqual([3, 4, 5, 7, 70]);
      const run3 = yield* findGetPagesContig(mapping, 3, 10);
      expect(indexes(run3)).toEqual([3, 4, 5]);
      expect(yield* findGetPagesContig(mapping, 6, 10)).toEqual([]);
      for (const page of [...all, ...run3]) yield* putPage(page);
      for (const { page } of cachedPages(mapping)) expect(yield* pageCount(page)).toBe(1);
    });
  });

  it('grab_cache_page_nowait gives up on a locked page, and makes one where there is none', () => {
    run(function* () {
      const page = yield* addPage(1);
      expect(yield* grabCachePageNowait(mapping, 1)).toBe(page);
      expect(yield* grabCachePageNowait(mapping, 1)).toBe(NULL);
      expect(yield* pageCount(page)).toBe(3);
      const made = (yield* grabCachePageNowait(mapping, 2)) as Ptr<Page>;
      expect([yield* pageLocked(made), peek(Page.index(made))]).toEqual([true, 2]);
    });
  });

  it('truncation takes pages out from under their holders; invalidation does not', () => {
    run(function* () {
      const page = yield* addPage(3);
      expect(yield* invalidateMappingPages(mapping, 0, 100)).toBe(0);
      yield* truncateInodePages(mapping, 0);
      expect([peek(Page.mapping(page)), cachedPages(mapping).length, yield* pageCount(page)]).toEqual([0, 0, 1]);
      expect(yield* findLockPage(mapping, 3)).toBe(NULL);
      yield* putPage(page);
    });
  });

  it('a read of a bad sector is -EIO and leaves the page for another try', () => {
    system.engine.failRequest = () => true;
    expect(run(() => genericFileRead(file, 0, 100, takeAll))).toBe(-EIO);
    system.engine.failRequest = () => false;
    expect(run(() => genericFileRead(file, 0, 100, takeAll))).toBe(100);
  });

  it('a page that is truncated between lookup and lock is looked up again (kernel-facts C7)', () => {
    system.engine.failRequest = () => true;
    expect(run(() => genericFileRead(file, 0, 100, takeAll))).toBe(-EIO);
    system.engine.failRequest = () => false;
    // The page is there and not uptodate, so the next read locks it.
    system.engine.interpose = { primitive: 'test_and_set_bit', op: () => truncateInodePages(mapping, 0) };
    expect(run(() => genericFileRead(file, 0, 100, takeAll))).toBe(100);
    expect(system.engine.interpose).toBeNull();
  });

  it('a page that is truncated between lookup and lock is not what find_lock_page returns', () => {
    run(function* () {
      yield* putPage(yield* addPage(1));
      system.engine.interpose = { primitive: 'test_and_set_bit', op: () => truncateInodePages(mapping, 0) };
      expect(yield* findLockPage(mapping, 1)).toBe(NULL);
    });
  });

  it('an error of writeback is reported once, by the next sync', () => {
    expect(run(() => genericFileWrite(file, 0, PAGE_SIZE, takeAll))).toBe(PAGE_SIZE);
    system.engine.failRequest = () => true;
    expect(run(() => filemapWriteAndWait(mapping))).toBe(-EIO);
    expect(run(() => filemapWriteAndWait(mapping))).toBe(0);
  });

  it('a write without memory is -ENOMEM', () => {
    failAllocations = true;
    expect(run(() => genericFileWrite(file, 0, PAGE_SIZE, takeAll))).toBe(-ENOMEM);
  });

  it('the last reference to an inode without links takes its pages, blocks and memory', () => {
    expect(run(() => genericFileWrite(file, 0, 3 * PAGE_SIZE, takeAll))).toBe(3 * PAGE_SIZE);
    run(() => filemapWriteAndWait(mapping));
    expect(system.store.versionOf(9, 2)).toBe(1);
    const before = system.engine.heap.live.reduce((sum, n) => sum + n, 0);
    run(function* () {
      yield* store(Inode.nlink(inode), 0);
      yield* inodePut(inode);
      yield* filePut(file);
    });
    expect(system.store.versionOf(9, 2)).toBe(0);
    expect(system.engine.heap.live.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(before - 2);
  });

  describe('filemap_fault', () => {
    function* area(): Op<Ptr<VmAreaStruct>> {
      const vma = (yield* kmemCacheAlloc(areas, GFP_KERNEL)) as Ptr<VmAreaStruct>;
      yield* store(VmAreaStruct.vmEnd(vma), 50);
      yield* store(VmAreaStruct.vmFlags(vma), VM_READ);
      yield* store(VmAreaStruct.vmFile(vma), file);
      return vma;
    }
    function* done(page: Ptr<Page> | 0): Op<void> {
      yield* unlockPage(page as Ptr<Page>);
      yield* putPage(page as Ptr<Page>);
    }

    it('is major the first time, minor the next, and reads around', () => {
      run(function* () {
        const vma = yield* area();
        const first = yield* filemapFault(vma, 20);
        expect(first.fault).toBe(VM_FAULT_MAJOR | VM_FAULT_LOCKED);
        yield* done(first.page);
        const second = yield* filemapFault(vma, 21);
        expect(second.fault).toBe(VM_FAULT_LOCKED);
        yield* done(second.page);
        expect(cachedPages(mapping).map(({ index }) => index)).toEqual(Array.from({ length: 32 }, (_, i) => i + 4));
        expect(vmEvents().pgmajfault).toBe(1);
      });
    });

    it('beyond the end, and on a bad sector, is SIGBUS; without memory OOM; nothing stays locked or held', () => {
      run(function* () {
        const vma = yield* area();
        expect(yield* filemapFault(vma, 50)).toEqual({ page: NULL, fault: VM_FAULT_SIGBUS });
        system.engine.failRequest = () => true;
        expect(yield* filemapFault(vma, 3)).toEqual({ page: NULL, fault: VM_FAULT_SIGBUS });
        yield* truncateInodePages(mapping, 0);
        failAllocations = true;
        expect(yield* filemapFault(vma, 3)).toEqual({ page: NULL, fault: VM_FAULT_OOM });
        expect(yield* findGetPage(mapping, 3)).toBe(NULL);
        for (const { page } of cachedPages(mapping)) expect(yield* pageLocked(page)).toBe(false);
      });
    });

    it('fault-around offers what is ready: uptodate, unlocked, unmarked, within the file', () => {
      run(function* () {
        const vma = yield* area();
        for (let index = 8; index < 16; index++) yield* putPage(yield* addPage(index));
        const at = (index: number) => cachedPages(mapping).find((cached) => cached.index === index)!.page;
        yield* lockPage(at(9));
        yield* setPageReadahead(at(11));
        const stale = (yield* allocPage(GFP_KERNEL)) as Ptr<Page>;
        yield* addToPageCache(stale, mapping, 5, GFP_KERNEL);
        yield* unlockPage(stale);
        yield* putPage(stale);
        yield* iSizeWrite(inode, 14 * PAGE_SIZE);
        const offered: number[] = [];
        yield* filemapMapPages(vma, 4, 30, function* (page, pgoff) {
          expect([yield* pageLocked(page), yield* pageCount(page)]).toEqual([true, 2]);
          offered.push(pgoff);
        });
        expect(offered).toEqual([8, 10, 12, 13]);
        expect(yield* pageCount(at(10))).toBe(1);
      });
    });
  });
});
