// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { getPage, putPage, vmEvents } from '@lockless/page';
import { swapPlaces, sysSwapon } from '@lockless/pagecache';
import { RMAP_DESIGNS } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  type BootOptions,
  faultsOf,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  PROT_READ,
  residentPages,
  rssOf,
  swapentsOf,
  swapOutRange,
  swappedPages,
  sysMadvise,
  sysMincore,
  sysMprotect,
  sysMremap,
  sysMunmap,
  sysSwapoff,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;
const MREMAP_MAYMOVE_FIXED = 3;

const boot = (options: Partial<BootOptions> = {}): SequentialMachine =>
  new SequentialMachine({ memoryPages: 256, minFreeKbytes: 64, swapPages: 64, ...options });

const swapOut = (machine: SequentialMachine, mm: Ptr<MmStruct>, pages: number, from = AT): number =>
  machine.run(swapOutRange(mm, from, pages));
const swapped = (machine: SequentialMachine, mm: Ptr<MmStruct>): number[] =>
  machine.look(() => swappedPages(mm).map(({ vpage }) => vpage));
const places = (machine: SequentialMachine): { free: number; total: number } =>
  machine.look(() => ({ ...swapPlaces() }));
const faults = (machine: SequentialMachine, mm: Ptr<MmStruct>) => machine.look(() => faultsOf(mm));
const contents = (machine: SequentialMachine, mm: Ptr<MmStruct>, pages: number): number[] =>
  Array.from({ length: pages }, (_, i) => machine.read(mm, AT + i).content.identity);
/** Pages AT, AT + 1 ... written with -1, -2 ... */
function written(machine: SequentialMachine, pages: number): Ptr<MmStruct> {
  const mm = machine.process([anonymous(AT, pages)]);
  for (let i = 0; i < pages; i++) machine.write(mm, AT + i, -1 - i);
  return mm;
}

describe.each(RMAP_DESIGNS)('swap, reverse mapping %s', (rmap) => {
  it('pages that were swapped out come back from the disk as they were', () => {
    const machine = boot({ rmap, swap: { pageCluster: 0 } });
    const mm = written(machine, 4);
    expect(swapOut(machine, mm, 3)).toBe(0);
    expect(swapped(machine, mm)).toEqual([AT, AT + 1, AT + 2]);
    expect(machine.look(() => [rssOf(mm).anon, swapentsOf(mm), vmEvents().pswpout])).toEqual([1, 3, 3]);
    expect(machine.as(mm, sysMincore(AT, 4))).toEqual([false, false, false, true]);
    expect(machine.verify()).toBeNull();
    expect(contents(machine, mm, 4)).toEqual([-1, -2, -3, -4]);
    expect(machine.look(() => [rssOf(mm).anon, swapentsOf(mm), vmEvents().pswpin, faultsOf(mm).major])).toEqual([
      4, 0, 3, 3,
    ]);
    expect(faults(machine, mm)).toMatchObject({ swap: 3, cow: 0 });
    expect(machine.verify()).toBeNull();
    machine.exit(mm);
    expect(machine.verify()).toBeNull();
    expect(places(machine)).toEqual({ free: 64, total: 64 });
  });

  it("a write brings the page back writable, unless it is a relative's too", () => {
    const machine = boot({ rmap });
    const parent = written(machine, 2);
    swapOut(machine, parent, 1);
    machine.write(parent, AT, -10);
    expect(faults(machine, parent)).toMatchObject({ swap: 1, cow: 0, reuse: 0 });
    swapOut(machine, parent, 2);
    const child = machine.fork(parent);
    expect(machine.look(() => swappedPages(child).map(({ swapcount }) => swapcount))).toEqual([2, 2]);
    expect(machine.verify()).toBeNull();
    machine.write(child, AT, -20);
    expect(faults(machine, child)).toMatchObject({ swap: 0, cow: 1 });
    expect([...contents(machine, child, 2), ...contents(machine, parent, 2)]).toEqual([-20, -2, -10, -2]);
    // The child has a page of its own now, and the place is the parent's alone.
    machine.exit(child);
    machine.write(parent, AT, -30);
    expect(faults(machine, parent).cow).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('a page that is mapped again before it was freed comes from the swap cache, without the disk', () => {
    const machine = boot({ rmap });
    const mm = written(machine, 1);
    const frame = machine.look(() => residentPages(mm)[0].page);
    // Somebody holds it, so it is not even written.
    machine.run(getPage(frame));
    machine.as(mm, sysMadvise(AT, 1, MADV_PAGEOUT));
    expect(machine.look(() => swappedPages(mm))).toMatchObject([{ vpage: AT, swapcount: 1, cached: true }]);
    expect(machine.as(mm, sysMincore(AT, 1))).toEqual([true]);
    expect(contents(machine, mm, 1)).toEqual([-1]);
    machine.run(putPage(frame));
    expect(machine.look(() => [faultsOf(mm).major, vmEvents().pswpin, vmEvents().pswpout])).toEqual([0, 0, 0]);
    swapOut(machine, mm, 1);
    expect(contents(machine, mm, 1)).toEqual([-1]);
    // It was not written since it was read: its place still has it.
    swapOut(machine, mm, 1);
    expect([swapped(machine, mm), machine.look(() => vmEvents().pswpout)]).toEqual([[AT], 1]);
    expect(contents(machine, mm, 1)).toEqual([-1]);
    expect(machine.verify()).toBeNull();
  });

  it('what is unmapped, dropped or moved while it is swapped out', () => {
    const machine = boot({ rmap });
    const mm = written(machine, 4);
    swapOut(machine, mm, 4);
    machine.as(mm, sysMunmap(AT, 1));
    machine.as(mm, sysMadvise(AT + 1, 1, MADV_DONTNEED));
    machine.as(mm, sysMprotect(AT + 2, 1, PROT_READ));
    machine.as(
      mm,
      sysMremap({ address: AT + 3, oldPages: 1, newPages: 1, flags: MREMAP_MAYMOVE_FIXED, newAddress: 5000 }),
    );
    // With anonmm a page is found by its address, so what moves comes in first.
    expect(swapped(machine, mm)).toEqual(rmap === 'anonmm' ? [AT + 2] : [AT + 2, 5000]);
    expect([AT + 1, AT + 2, 5000].map((page) => machine.read(mm, page).content.identity)).toEqual([0, -3, -4]);
    expect(machine.verify()).toBeNull();
  });

  it('swapoff brings everything back, to each process that has it', () => {
    const machine = boot({ rmap, mm: { unuseUnderLock: rmap === 'anon-vma' ? 0 : 1 } });
    const parent = written(machine, 3);
    swapOut(machine, parent, 3);
    const child = machine.fork(parent);
    machine.write(child, AT, -9);
    expect(machine.run(sysSwapoff(0))).toBe(0);
    expect([swapped(machine, parent), swapped(machine, child), places(machine)]).toEqual([
      [],
      [],
      { free: 0, total: 0 },
    ]);
    expect(machine.verify()).toBeNull();
    const before = machine.look(() => vmEvents().pgfault);
    expect([...contents(machine, parent, 3), ...contents(machine, child, 3)]).toEqual([-1, -2, -3, -9, -2, -3]);
    expect(machine.look(() => vmEvents().pgfault)).toBe(before);
    machine.write(parent, AT + 1, -8);
    expect(contents(machine, child, 2)).toEqual([-9, -2]);
    expect(machine.run(sysSwapoff(0))).toBe(-22);
    expect(machine.run(sysSwapon(0))).toBe(0);
    expect([machine.run(sysSwapon(0)), machine.run(sysSwapon(1))]).toEqual([-16, -22]);
    swapOut(machine, parent, 3);
    expect(contents(machine, parent, 3)).toEqual([-1, -8, -3]);
    expect(machine.verify()).toBeNull();
  });

  it('a program with twice the memory runs through, and finds all it wrote; swapoff then has no room', () => {
    const machine = boot({ rmap, memoryPages: 128, minFreeKbytes: 32, swapPages: 256 });
    const mm = written(machine, 220);
    expect(machine.look(() => swapentsOf(mm))).toBeGreaterThan(100);
    expect(machine.verify()).toBeNull();
    expect(contents(machine, mm, 220)).toEqual(Array.from({ length: 220 }, (_, i) => -1 - i));
    expect(machine.run(sysSwapoff(0))).toBe(-12);
    expect(machine.verify()).toBeNull();
    expect(places(machine).total).toBe(256);
    expect(contents(machine, mm, 220)).toEqual(Array.from({ length: 220 }, (_, i) => -1 - i));
    machine.exit(mm);
    expect(machine.run(sysSwapoff(0))).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('memory is exhausted when swap is full too, and not before', () => {
    const machine = boot({ rmap, memoryPages: 128, minFreeKbytes: 32, swapPages: 64 });
    const mm = machine.process([anonymous(AT, 300)]);
    let last = 0;
    while (machine.write(mm, AT + last, -1 - last).error === 0) last++;
    expect(last).toBeGreaterThan(128);
    expect(machine.write(mm, AT + last, 1).error).toBe(-12);
    expect(places(machine).free).toBeLessThan(4);
    expect(machine.verify()).toBeNull();
  });
});

describe('what is read with a swapped page', () => {
  it.each([
    [3, 8],
    [1, 2],
    [0, 1],
  ])('page_cluster %i: %i places', (pageCluster, read) => {
    const machine = boot({ swap: { pageCluster } });
    const mm = written(machine, 16);
    swapOut(machine, mm, 16);
    const { offset } = machine.look(() => swappedPages(mm)[8]) as { offset: number };
    expect(offset).toBe(9);
    machine.read(mm, AT + 8);
    expect(machine.look(() => vmEvents().pswpin)).toBe(read);
    machine.read(mm, AT + 9);
    expect(machine.look(() => faultsOf(mm).major)).toBe(read > 1 && pageCluster === 3 ? 1 : 2);
    expect(machine.verify()).toBeNull();
  });
});

describe('mprotect', () => {
  it('gives no early write access to a page whose place a relative has', () => {
    const machine = boot();
    const parent = written(machine, 1);
    machine.as(parent, sysMadvise(AT, 1, MADV_PAGEOUT));
    const child = machine.fork(parent);
    machine.read(parent, AT);
    machine.as(parent, sysMprotect(AT, 1, PROT_READ));
    machine.as(parent, sysMprotect(AT, 1, RW));
    expect(machine.look(() => residentPages(parent).map(({ writable }) => writable))).toEqual([false]);
    machine.write(parent, AT, -5);
    expect(contents(machine, child, 1)).toEqual([-1]);
  });
});
