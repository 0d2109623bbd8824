// SPDX-License-Identifier: GPL-2.0-only
import { NULL, omitGuards, type Ptr, peek } from '@lockless/cpu';
import { type MmStruct, Page, PG_DIRTY } from '@lockless/mm-types';
import { getPage, putPage } from '@lockless/page';
import { swapPlaces } from '@lockless/pagecache';
import { RMAP_DESIGNS } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  type BootOptions,
  MADV_FREE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_SHARED,
  residentPages,
  rssOf,
  swappedPages,
  sysMadvise,
  sysMlock,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 3000;
const EINVAL = -22;

const boot = (options: Partial<BootOptions> = {}): SequentialMachine =>
  new SequentialMachine({ memoryPages: 256, minFreeKbytes: 64, swapPages: 64, ...options });

/** A process with pages AT, AT + 1 ... written with -1, -2 ... */
function written(machine: SequentialMachine, pages: number): Ptr<MmStruct> {
  const mm = machine.process([anonymous(AT, pages)]);
  for (let i = 0; i < pages; i++) machine.write(mm, AT + i, -1 - i);
  return mm;
}
const give = (machine: SequentialMachine, mm: Ptr<MmStruct>, pages: number): number =>
  machine.as(mm, sysMadvise(AT, pages, MADV_FREE));
const reclaim = (machine: SequentialMachine, mm: Ptr<MmStruct>, pages: number): number =>
  machine.as(mm, sysMadvise(AT, pages, MADV_PAGEOUT));
const contents = (machine: SequentialMachine, mm: Ptr<MmStruct>, pages: number): number[] =>
  Array.from({ length: pages }, (_, i) => machine.read(mm, AT + i).content.identity);
const frames = (machine: SequentialMachine, mm: Ptr<MmStruct>) => machine.look(() => residentPages(mm));
const swapped = (machine: SequentialMachine, mm: Ptr<MmStruct>): number[] =>
  machine.look(() => swappedPages(mm).map(({ vpage }) => vpage - AT));

describe('MADV_FREE', () => {
  it('lets reclaim drop what is not written again, and nothing of it goes to swap', () => {
    const machine = boot();
    const mm = written(machine, 4);
    expect(give(machine, mm, 3)).toBe(0);
    expect(contents(machine, mm, 4)).toEqual([-1, -2, -3, -4]);
    expect(frames(machine, mm).map(({ dirty }) => dirty)).toEqual([false, false, false, true]);
    machine.write(mm, AT + 1, -7);
    expect(machine.verify()).toBeNull();
    expect(reclaim(machine, mm, 4)).toBe(0);
    expect(swapped(machine, mm)).toEqual([3]);
    expect(machine.look(() => rssOf(mm).anon)).toBe(1);
    expect(contents(machine, mm, 4)).toEqual([0, -7, 0, -4]);
    // Written to after all, so it is like any other page.
    expect(reclaim(machine, mm, 2)).toBe(0);
    expect(swapped(machine, mm)).toEqual([1]);
    expect(contents(machine, mm, 2)).toEqual([0, -7]);
    expect(machine.verify()).toBeNull();
    machine.exit(mm);
    expect(machine.verify()).toBeNull();
  });

  it('gives places in swap back, of pages that are out and of pages that came back', () => {
    const machine = boot();
    const mm = written(machine, 3);
    reclaim(machine, mm, 3);
    expect(contents(machine, mm, 1)).toEqual([-1]);
    expect(give(machine, mm, 3)).toBe(0);
    expect(machine.look(() => swapPlaces().free)).toBe(64);
    expect(swapped(machine, mm)).toEqual([]);
    expect(contents(machine, mm, 3)).toEqual([-1, 0, 0]);
    reclaim(machine, mm, 3);
    expect(contents(machine, mm, 3)).toEqual([0, 0, 0]);
    expect(machine.verify()).toBeNull();
  });

  it('takes nothing from a relative', () => {
    const machine = boot();
    const mm = written(machine, 2);
    const child = machine.fork(mm);
    expect(give(machine, mm, 2)).toBe(0);
    machine.exit(mm);
    reclaim(machine, child, 2);
    expect(contents(machine, child, 2)).toEqual([-1, -2]);
    expect(machine.verify()).toBeNull();
  });

  it('is refused for shared memory and for locked memory', () => {
    const machine = boot();
    const mm = written(machine, 2);
    expect(machine.as(mm, sysMlock(AT, 1))).toBe(0);
    expect(give(machine, mm, 2)).toBe(EINVAL);
    const flags = MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS;
    expect(machine.mmap(mm, { address: AT, pages: 2, prot: RW, flags, file: NULL, pgoff: 0 })).toBe(AT);
    expect(give(machine, mm, 2)).toBe(EINVAL);
  });

  it('does nothing in kernels that did not have it', () => {
    const machine = boot({ mm: { madvFree: 0 } });
    const mm = written(machine, 2);
    expect(give(machine, mm, 2)).toBe(0);
    expect(frames(machine, mm).map(({ dirty }) => dirty)).toEqual([true, true]);
    reclaim(machine, mm, 2);
    expect(contents(machine, mm, 2)).toEqual([-1, -2]);
  });
});

describe.each(RMAP_DESIGNS)('pages of a process that gave memory up, reverse mapping %s', (rmap) => {
  it('are as they were, or zeros', () => {
    const machine = boot({ rmap });
    const mm = written(machine, 2);
    expect(give(machine, mm, 2)).toBe(0);
    reclaim(machine, mm, 2);
    expect(contents(machine, mm, 2)).toEqual(rmap === 'anon-vma' ? [0, 0] : [-1, -2]);
    expect(machine.verify()).toBeNull();
  });
});

describe('what keeps a page that was given up', () => {
  it.each([
    { omitted: [], content: -9 },
    { omitted: ['discardLazyfree.dirty'], content: 0 },
  ])('that somebody wrote to it, without $omitted', ({ omitted, content }) => {
    const machine = boot();
    machine.look(() => omitGuards(omitted));
    const mm = written(machine, 1);
    give(machine, mm, 1);
    machine.write(mm, AT, -9);
    reclaim(machine, mm, 1);
    expect(contents(machine, mm, 1)).toEqual([content]);
  });

  it.each([
    { omitted: [], mapped: [AT] },
    { omitted: ['discardLazyfree.count'], mapped: [] },
  ])('that somebody holds a reference, without $omitted', ({ omitted, mapped }) => {
    const machine = boot();
    machine.look(() => omitGuards(omitted));
    const mm = written(machine, 1);
    give(machine, mm, 1);
    const [{ page }] = frames(machine, mm);
    machine.run(getPage(page));
    reclaim(machine, mm, 1);
    expect(frames(machine, mm).map(({ vpage }) => vpage)).toEqual(mapped);
    expect(machine.look(() => peek(Page.flags(page)) & (1 << PG_DIRTY))).toBe(0);
    machine.run(putPage(page));
    reclaim(machine, mm, 1);
    expect(frames(machine, mm)).toEqual([]);
    expect(machine.verify()).toBeNull();
  });
});
