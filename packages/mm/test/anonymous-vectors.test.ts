// SPDX-License-Identifier: GPL-2.0-only
import { NULL } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_SHARED,
  residentPages,
  rssOf,
  sysMadvise,
  sysMunmap,
} from '../src/index.js';
import { faultsDuring, mapcountAt, pages, state, touchAll, writeAll } from './faults.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

/* The worked vectors of kernel-facts 5.6, measured on Linux 6.18. */

describe('anonymous memory', () => {
  it('1000 pages read: 1000 zero pages; then written: 1000 more faults, and 1000 anonymous pages until munmap', () => {
    const machine = new SequentialMachine();
    const mm = machine.process([anonymous(2000, 1000)]);
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(2000, 1000)))).toEqual({
      zero: 1000,
    });
    expect(machine.look(() => rssOf(mm))).toEqual({ file: 0, anon: 0 });
    expect(machine.look(() => residentPages(mm)).every(({ kind }) => kind === 'zero')).toBe(true);
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(2000, 1000), 'write'))).toEqual({ cow: 1000 });
    expect(machine.look(() => rssOf(mm))).toEqual({ file: 0, anon: 1000 });
    expect(state(machine).nr_anon_pages).toBe(1000);
    expect(machine.as(mm, sysMunmap(2000, 1000))).toBe(0);
    expect(state(machine).nr_anon_pages).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('without the zero page, as 2.6.24 to 2.6.31: a read gives a page', () => {
    const machine = new SequentialMachine({ mm: { zeroPageReads: 0 } });
    const mm = machine.process([anonymous(2000, 10)]);
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(2000, 10)))).toEqual({
      anonymous: 10,
    });
    expect(faultsDuring(machine, mm, () => touchAll(machine, mm, pages(2000, 10), 'write'))).toEqual({});
  });

  it('fork: both map each page; the child copies, the parent then writes in place', () => {
    const machine = new SequentialMachine();
    const parent = machine.process([anonymous(2000, 1000)]);
    for (const page of pages(2000, 1000)) machine.write(parent, page, page);
    const child = machine.fork(parent);
    expect(mapcountAt(machine, parent, 2000)).toBe(2);
    expect(machine.look(() => residentPages(child)).some(({ young }) => young)).toBe(false);
    expect(faultsDuring(machine, child, () => writeAll(machine, child, pages(2000, 1000), (page) => -page))).toEqual({
      cow: 1000,
    });
    expect(mapcountAt(machine, parent, 2000)).toBe(1);
    expect(machine.read(parent, 2000).content).toEqual({ identity: 2000, version: 1 });
    expect(machine.read(child, 2000).content).toEqual({ identity: -2000, version: 1 });
    machine.exit(child);
    expect(faultsDuring(machine, parent, () => writeAll(machine, parent, pages(2000, 1000), () => 7))).toEqual({
      reuse: 1000,
    });
    expect(machine.verify()).toBeNull();
  });

  it('of two pages after fork: the one that the child copied is reused by the parent, the other is copied', () => {
    const machine = new SequentialMachine();
    const parent = machine.process([anonymous(2000, 8)]);
    machine.write(parent, 2000, 1);
    machine.write(parent, 2001, 2);
    const child = machine.fork(parent);
    expect(faultsDuring(machine, child, () => machine.write(child, 2000, 3))).toEqual({ cow: 1 });
    expect(faultsDuring(machine, parent, () => machine.write(parent, 2000, 4))).toEqual({ reuse: 1 });
    expect(faultsDuring(machine, parent, () => machine.write(parent, 2001, 5))).toEqual({ cow: 1 });
    expect(machine.read(child, 2001).content.identity).toBe(2);
    expect(machine.verify()).toBeNull();
  });

  it('MADV_DONTNEED: zeros again', () => {
    const machine = new SequentialMachine();
    const mm = machine.process([anonymous(2000, 8)]);
    machine.write(mm, 2003, 9);
    expect(machine.as(mm, sysMadvise(2000, 8, MADV_DONTNEED))).toBe(0);
    expect(machine.look(() => rssOf(mm)).anon).toBe(0);
    expect(machine.read(mm, 2003).content.identity).toBe(0);
  });

  it('MAP_SHARED survives fork: each sees what the other writes', () => {
    const machine = new SequentialMachine();
    const parent = machine.process();
    const request = {
      address: 3000,
      pages: 4,
      prot: RW,
      flags: MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
      file: NULL,
      pgoff: 0,
    };
    expect(machine.mmap(parent, request)).toBe(3000);
    expect(machine.write(parent, 3001, 0).content.version).toBe(1);
    const child = machine.fork(parent);
    expect(machine.write(child, 3001, 0).content.version).toBe(2);
    expect(machine.read(parent, 3001).content.version).toBe(2);
    expect(mapcountAt(machine, parent, 3001)).toBe(2);
    machine.exit(child);
    machine.exit(parent);
    expect(machine.verify()).toBeNull();
    expect(state(machine).nr_file_pages).toBe(0);
  });
});
