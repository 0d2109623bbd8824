// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { peek } from '@lockless/cpu';
import type { File, Inode } from '@lockless/mm-types';
import { FMODE_READ, FMODE_WRITE, Page } from '@lockless/mm-types';
import { contentOf, fileOpen, filePut, inodePut } from '@lockless/pagecache';
import { describe, expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_RANDOM,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  PROT_READ,
  residentPages,
  rssOf,
  SIGBUS,
  SIGSEGV,
  shmemInode,
  sysFtruncate,
  sysMadvise,
  sysMincore,
  sysMsync,
  sysPread,
  sysPwrite,
} from '../src/index.js';
import { faultsDuring, mapcountAt, pages, state, touchAll } from './faults.js';
import { RW, SequentialMachine } from './sequential-machine.js';

/* The worked vectors of kernel-facts 5.6, measured on Linux 6.18. */

it('a hole of a file in memory is read as zeros, and stays a hole', () => {
  const machine = new SequentialMachine();
  const inode = machine.run(shmemInode(7, 4 * 4096)) as Ptr<Inode>;
  const file = machine.run(fileOpen(inode, FMODE_READ | FMODE_WRITE)) as Ptr<File>;
  const seen: number[] = [];
  const read = () => machine.run(sysPread(file, 0, 5 * 4096, null, ({ version }) => seen.push(version)));
  expect(read()).toBe(4 * 4096);
  expect(state(machine).nr_file_pages).toBe(0);
  machine.run(sysPwrite(file, 2 * 4096, 4096, null));
  expect(read()).toBe(4 * 4096);
  expect(seen).toEqual([0, 0, 0, 0, 0, 0, 1, 0]);
  expect(state(machine).nr_file_pages).toBe(1);
  machine.run(sysFtruncate(file, 0));
  machine.run(filePut(file));
  machine.run(inodePut(inode));
  expect(machine.verify()).toBeNull();
});

describe('a file of 256 pages in the cache', () => {
  const FIRST = 1034; // 10 modulo 16

  function mapped(options: { faultAroundPages?: number; msyncRange?: number; flags?: number; pages?: number } = {}) {
    const { faultAroundPages = 16, msyncRange = 1, flags = MAP_SHARED, pages: count = 256 } = options;
    const machine = new SequentialMachine({ mm: { faultAroundPages, msyncRange } });
    const { inode, file } = machine.file(5, count * 4096);
    machine.run(sysPread(file, 0, count * 4096, null));
    const mm = machine.process();
    machine.mmap(mm, { address: FIRST, pages: count, prot: RW, flags: flags | MAP_FIXED, file, pgoff: 0 });
    return { machine, inode, file, mm };
  }

  it('read in sequence through a mapping at a page that is 10 modulo 16: 17 faults; then written: one each', () => {
    const { machine, mm } = mapped();
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(FIRST, 256)))).toEqual({
      file: 17,
    });
    expect(state(machine).nr_mapped).toBe(256);
    expect(machine.look(() => rssOf(mm))).toEqual({ file: 256, anon: 0 });
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(FIRST, 256), 'write'))).toEqual({
      mkwrite: 256,
    });
    expect(state(machine).nr_dirty).toBe(256);
    expect(machine.verify()).toBeNull();
  });

  it('the window begins at the area, not before it, and is 16 pages long from there', () => {
    const { machine, mm } = mapped();
    machine.touch(mm, FIRST);
    expect(machine.look(() => residentPages(mm)).map(({ vpage }) => vpage - FIRST)).toEqual(pages(0, 16));
    machine.touch(mm, FIRST + 40);
    const second = machine.look(() => residentPages(mm)).map(({ vpage }) => vpage - FIRST);
    expect(second).toEqual([...pages(0, 16), ...pages(38, 16)]);
  });

  it('MADV_RANDOM does not change that; without fault-around it is a fault a page', () => {
    const random = mapped();
    random.machine.as(random.mm, sysMadvise(FIRST, 256, MADV_RANDOM));
    const { machine, mm } = random;
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(FIRST, 256)))).toEqual({
      file: 17,
    });
    const era = mapped({ faultAroundPages: 1 });
    expect(faultsDuring(era.machine, era.mm, () => touchAll(era.machine, era.mm, pages(FIRST, 256)))).toEqual({
      file: 256,
    });
  });

  it('msync writes what is mapped in its range; 2.6.27 wrote the whole file', () => {
    const left = (msyncRange: number): number => {
      const { machine, mm } = mapped({ pages: 8, msyncRange });
      touchAll(machine, mm, pages(FIRST, 8), 'write');
      expect(machine.as(mm, sysMsync(FIRST + 2, 3, MS_SYNC))).toBe(0);
      return state(machine).nr_dirty;
    };
    expect([left(1), left(0)]).toEqual([5, 0]);
  });

  it('MADV_PAGEOUT: a clean page leaves the cache, a dirty one loses its mapping only', () => {
    const { machine, mm } = mapped({ pages: 2 });
    machine.touch(mm, FIRST, 'write');
    machine.touch(mm, FIRST + 1);
    expect(machine.as(mm, sysMadvise(FIRST, 2, MADV_PAGEOUT))).toBe(0);
    expect(machine.look(() => residentPages(mm))).toEqual([]);
    expect(state(machine)).toMatchObject({ nr_file_pages: 1, nr_dirty: 1 });
  });

  it('write, msync, write: the second write is noticed again', () => {
    const { machine, inode, mm } = mapped();
    expect(machine.write(mm, FIRST, 0).content).toEqual({ identity: contentOf(5, 0), version: 1 });
    expect(faultsDuring(machine, mm, () => machine.write(mm, FIRST, 0))).toEqual({});
    expect(machine.as(mm, sysMsync(FIRST, 1, MS_SYNC))).toBe(0);
    expect(machine.engine.store.versionOf(5, 0)).toBe(2);
    expect(machine.look(() => residentPages(mm)).some(({ dirty, writable }) => dirty || writable)).toBe(false);
    expect(faultsDuring(machine, mm, () => machine.write(mm, FIRST, 0))).toEqual({ mkwrite: 1 });
    expect(inode).not.toBe(0);
    expect(machine.verify()).toBeNull();
    expect(machine.engine.store.versionOf(5, 0)).toBe(3);
  });

  it('mapped private as well: two mappings; the write copies, and MADV_DONTNEED shows the file again', () => {
    const { machine, file, mm } = mapped();
    machine.mmap(mm, { address: 5000, pages: 16, prot: RW, flags: MAP_PRIVATE | MAP_FIXED, file, pgoff: 0 });
    machine.touch(mm, FIRST);
    machine.touch(mm, 5000);
    expect(mapcountAt(machine, mm, FIRST)).toBe(2);
    expect(faultsDuring(machine, mm, () => machine.write(mm, 5000, 77))).toEqual({ cow: 1 });
    expect(mapcountAt(machine, mm, FIRST)).toBe(1);
    expect(machine.look(() => rssOf(mm))).toEqual({ file: 31, anon: 1 });
    expect(machine.read(mm, 5000).content.identity).toBe(77);
    expect(machine.read(mm, FIRST).content.identity).toBe(contentOf(5, 0));
    machine.as(mm, sysMadvise(5000, 1, MADV_DONTNEED));
    expect(machine.read(mm, 5000).content.identity).toBe(contentOf(5, 0));
    expect(machine.verify()).toBeNull();
  });

  it('a private write of a page that is not mapped copies at once and maps nothing of the file', () => {
    const { machine, mm } = mapped({ flags: MAP_PRIVATE });
    expect(faultsDuring(machine, mm, () => machine.write(mm, FIRST + 3, 78))).toEqual({ cow: 1 });
    expect(machine.look(() => rssOf(mm))).toEqual({ file: 0, anon: 1 });
  });

  it('truncated below a page: SIGBUS, for private copies too, and for the writer who grows nothing', () => {
    const { machine, file, mm } = mapped({ flags: MAP_PRIVATE });
    machine.write(mm, FIRST + 100, 5);
    machine.touch(mm, FIRST + 3);
    expect(machine.run(sysFtruncate(file, 50 * 4096))).toBe(0);
    expect(machine.touch(mm, FIRST + 100).error).toBe(SIGBUS);
    expect(machine.touch(mm, FIRST + 100, 'write').error).toBe(SIGBUS);
    expect(machine.touch(mm, FIRST + 49).error).toBe(0);
    expect(machine.touch(mm, FIRST + 50).error).toBe(SIGBUS);
    machine.run(sysFtruncate(file, 256 * 4096));
    expect(machine.read(mm, FIRST + 100).content).toEqual({ identity: contentOf(5, 100), version: 0 });
    expect(machine.verify()).toBeNull();
  });

  it('mincore: cached pages count though nobody touched them; after truncation they do not', () => {
    const { machine, file, mm } = mapped({ pages: 20 });
    expect(machine.as(mm, sysMincore(FIRST, 20))).toEqual(pages(0, 20).map(() => true));
    machine.run(sysFtruncate(file, 5 * 4096));
    expect(machine.as(mm, sysMincore(FIRST, 20))).toEqual(pages(0, 20).map((page) => page < 5));
  });

  it('fork copies no entries of a mapping without anonymous pages: the child faults them in', () => {
    const { machine, mm } = mapped();
    machine.touch(mm, FIRST);
    const child = machine.fork(mm);
    expect(machine.look(() => rssOf(child)).file).toBe(0);
    expect(faultsDuring(machine, child, () => machine.touch(child, FIRST))).toEqual({ file: 1 });
    expect(machine.look(() => peek(Page._mapcount(residentPages(mm)[0].page)))).toBe(1);
    expect(machine.verify()).toBeNull();
  });

  it('no right to write: SIGSEGV; nothing mapped: SIGSEGV', () => {
    const { machine, file, mm } = mapped();
    machine.mmap(mm, { address: 6000, pages: 2, prot: PROT_READ, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
    expect(machine.touch(mm, 6000, 'write').error).toBe(SIGSEGV);
    expect(machine.touch(mm, 6000, 'exec').error).toBe(SIGSEGV);
    expect(machine.touch(mm, 7000).error).toBe(SIGSEGV);
  });
});
