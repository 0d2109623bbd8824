// SPDX-License-Identifier: GPL-2.0-only
import { vmEvents, zonePageState } from '@lockless/page';
import { describe, expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  rssOf,
  sysMadvise,
  sysMprotect,
  sysMremap,
  sysMunmap,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';
import { runWorkload, type WorkloadOptions } from './workload.js';

const THP = { mode: 'always', order: 2 } as const;

const machineWith = (options: ConstructorParameters<typeof SequentialMachine>[0] = {}) =>
  new SequentialMachine({ transparentHugePages: THP, ...options });
const splits = (machine: SequentialMachine): number => machine.look(() => vmEvents().thp_split);
const huge = (machine: SequentialMachine): number => machine.look(() => zonePageState().nr_anon_transparent_hugepages);

describe('huge pages of four pages', () => {
  it('the first touch maps four pages with one fault; each has its own content', () => {
    const machine = machineWith();
    const mm = machine.process([anonymous(100, 12)]);
    expect(machine.write(mm, 105, 7).faults).toBe(1);
    expect(machine.write(mm, 107, 9).faults).toBe(0);
    expect(machine.read(mm, 106).content.identity).toBe(0);
    expect(machine.read(mm, 105).content.identity).toBe(7);
    expect(machine.look(() => rssOf(mm)).anon).toBe(4);
    expect([huge(machine), machine.look(() => vmEvents().thp_fault_alloc)]).toEqual([1, 1]);
    expect(machine.verify()).toBeNull();
    machine.exit(mm);
    expect(machine.verify()).toBeNull();
  });

  it('there is none where the area has no room, or is told not to', () => {
    const machine = machineWith({ transparentHugePages: { mode: 'madvise', order: 2 } });
    const mm = machine.process([anonymous(101, 11)]);
    machine.write(mm, 105, 1);
    expect(huge(machine)).toBe(0);
    expect(machine.as(mm, sysMadvise(101, 11, MADV_HUGEPAGE))).toBe(0);
    machine.write(mm, 102, 1);
    machine.write(mm, 108, 1);
    expect(huge(machine)).toBe(1);
    expect(machine.as(mm, sysMadvise(101, 11, MADV_NOHUGEPAGE))).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('fork shares it; who writes gets a copy of all of it; the last owner writes in place', () => {
    const machine = machineWith();
    const parent = machine.process([anonymous(100, 8)]);
    for (let i = 0; i < 4; i++) machine.write(parent, 100 + i, 10 + i);
    const child = machine.fork(parent);
    expect(huge(machine)).toBe(1);
    expect(machine.verify()).toBeNull();
    machine.write(child, 101, 99);
    expect(huge(machine)).toBe(2);
    expect([100, 101, 102].map((page) => machine.read(child, page).content.identity)).toEqual([10, 99, 12]);
    expect([100, 101, 102].map((page) => machine.read(parent, page).content.identity)).toEqual([10, 11, 12]);
    machine.write(parent, 100, 5);
    expect([huge(machine), splits(machine)]).toEqual([2, 0]);
    expect(machine.verify()).toBeNull();
  });

  it.each(['tail-count', 'grace-period', 'tail-mapcount'] as const)(
    'a part of it is unmapped, protected, moved, dropped: it is split first (%s)',
    (tails) => {
      const machine = machineWith({ transparentHugePages: { ...THP, tails } });
      const mm = machine.process([anonymous(100, 20)]);
      for (let i = 0; i < 20; i++) machine.write(mm, 100 + i, 10 + i);
      const child = machine.fork(mm);
      expect(huge(machine)).toBe(5);
      expect(machine.as(mm, sysMunmap(101, 1))).toBe(0);
      expect(machine.as(mm, sysMprotect(105, 2, PROT_READ))).toBe(0);
      expect(
        machine.as(
          mm,
          sysMremap({ address: 110, oldPages: 1, newPages: 1, flags: MREMAP_MAYMOVE | MREMAP_FIXED, newAddress: 300 }),
        ),
      ).toBe(300);
      expect(machine.as(mm, sysMadvise(113, 1, MADV_DONTNEED))).toBe(0);
      expect([huge(machine), splits(machine)]).toEqual([1, 4]);
      const seen = (page: number) => machine.read(mm, page).content.identity;
      expect([100, 102, 105, 109, 111, 112, 113, 118, 300].map(seen)).toEqual([10, 12, 15, 19, 21, 22, 0, 28, 20]);
      expect(machine.verify()).toBeNull();
      // The child's entries were split with it, and have everything.
      for (let i = 0; i < 20; i++) expect(machine.read(child, 100 + i).content.identity).toBe(10 + i);
      machine.exit(child);
      machine.exit(mm);
      expect(machine.verify()).toBeNull();
    },
  );

  it('keeps its size when all of it gets other rights, or moves to where it fits', () => {
    const machine = machineWith();
    const mm = machine.process([anonymous(100, 4)]);
    for (let i = 0; i < 4; i++) machine.write(mm, 100 + i, i + 1);
    expect(machine.as(mm, sysMprotect(100, 4, PROT_READ))).toBe(0);
    expect(machine.write(mm, 101, 9).error).not.toBe(0);
    expect(machine.as(mm, sysMprotect(100, 4, RW))).toBe(0);
    // The page is nobody else's: writable at once.
    expect(machine.write(mm, 101, 9)).toMatchObject({ error: 0, faults: 0 });
    const move = { address: 100, oldPages: 4, newPages: 4, flags: MREMAP_MAYMOVE | MREMAP_FIXED, newAddress: 200 };
    expect(machine.as(mm, sysMremap(move))).toBe(200);
    expect([huge(machine), splits(machine)]).toEqual([1, 0]);
    expect([200, 201, 202, 203].map((page) => machine.read(mm, page).content.identity)).toEqual([1, 9, 3, 4]);
    expect(machine.verify()).toBeNull();
    expect(machine.as(mm, sysMremap({ ...move, address: 200, newAddress: 302 }))).toBe(302);
    expect([huge(machine), splits(machine)]).toEqual([0, 1]);
    expect(machine.read(mm, 303).content.identity).toBe(9);
    expect(machine.verify()).toBeNull();
  });

  it('PROT_NONE for all of it leaves it in one piece', () => {
    const machine = machineWith();
    const mm = machine.process([anonymous(100, 8)]);
    for (let i = 0; i < 8; i++) machine.write(mm, 100 + i, i + 1);
    expect(machine.as(mm, sysMprotect(100, 4, PROT_NONE))).toBe(0);
    expect([huge(machine), splits(machine)]).toEqual([2, 0]);
    expect(machine.read(mm, 101).error).not.toBe(0);
    expect(machine.verify()).toBeNull();
    expect(machine.as(mm, sysMprotect(100, 4, RW))).toBe(0);
    expect(machine.read(mm, 103).content.identity).toBe(4);
    expect(machine.verify()).toBeNull();
  });

  it('without a free block there are ordinary pages, and a copy splits', () => {
    const machine = machineWith({ memoryPages: 54, minFreeKbytes: 0 });
    const mm = machine.process([anonymous(100, 4), anonymous(200, 44)]);
    for (let i = 0; i < 4; i++) machine.write(mm, 100 + i, i + 1);
    const child = machine.fork(mm);
    for (let i = 0; i < 44; i++) machine.write(mm, 200 + i, i);
    machine.write(child, 101, 50);
    expect(machine.look(() => vmEvents().thp_fault_fallback)).toBeGreaterThan(0);
    expect([100, 101, 102].map((page) => machine.read(child, page).content.identity)).toEqual([1, 50, 3]);
    expect(machine.read(mm, 101).content.identity).toBe(2);
    expect(machine.verify()).toBeNull();
  });
});

describe('as newer kernels have them', () => {
  const modern = (options: { zeroPage?: boolean; sharedWrites?: 'split' } = { zeroPage: true }) =>
    machineWith({ transparentHugePages: { ...THP, ...options } });

  it('a read maps zeros that all share and nobody counts; a write gives a huge page', () => {
    const machine = modern();
    const mm = machine.process([anonymous(100, 8)]);
    expect(machine.read(mm, 101).faults).toBe(1);
    expect(machine.read(mm, 103)).toMatchObject({ faults: 0, content: { identity: 0, version: 0 } });
    expect([huge(machine), machine.look(() => rssOf(mm)).anon]).toEqual([0, 0]);
    const child = machine.fork(mm);
    machine.write(mm, 102, 7);
    expect([huge(machine), machine.look(() => rssOf(mm)).anon, machine.look(() => rssOf(child)).anon]).toEqual([
      1, 4, 0,
    ]);
    expect([machine.read(mm, 102).content.identity, machine.read(child, 102).content.identity]).toEqual([7, 0]);
    expect(machine.verify()).toBeNull();
    machine.exit(child);
    machine.exit(mm);
    expect(machine.verify()).toBeNull();
  });

  it('a part of the zeros is unmapped, protected, moved: small zero pages are left', () => {
    const machine = modern();
    const mm = machine.process([anonymous(100, 16)]);
    for (const page of [100, 104, 108]) machine.read(mm, page);
    expect(machine.as(mm, sysMunmap(101, 1))).toBe(0);
    expect(machine.as(mm, sysMprotect(105, 2, PROT_READ))).toBe(0);
    const move = { address: 108, oldPages: 4, newPages: 4, flags: MREMAP_MAYMOVE | MREMAP_FIXED, newAddress: 200 };
    expect(machine.as(mm, sysMremap(move))).toBe(200);
    expect(machine.read(mm, 202).faults).toBe(0);
    expect(machine.write(mm, 106, 1).error).not.toBe(0);
    machine.write(mm, 104, 5);
    machine.write(mm, 200, 6);
    // One page where a table is, all where the zeros still were a whole.
    expect([huge(machine), splits(machine), machine.look(() => rssOf(mm)).anon]).toEqual([1, 0, 5]);
    expect([104, 105, 200, 201].map((page) => machine.read(mm, page).content.identity)).toEqual([5, 0, 6, 0]);
    expect(machine.verify()).toBeNull();
  });

  it('without a free block a write to the zeros gives one page', () => {
    const machine = machineWith({
      memoryPages: 54,
      minFreeKbytes: 0,
      transparentHugePages: { ...THP, zeroPage: true },
    });
    const mm = machine.process([anonymous(100, 4), anonymous(201, 46)]);
    machine.read(mm, 100);
    for (let i = 0; i < 46; i++) machine.write(mm, 201 + i, i);
    machine.write(mm, 101, 50);
    expect(machine.look(() => vmEvents().thp_fault_fallback)).toBeGreaterThan(0);
    expect([100, 101].map((page) => machine.read(mm, page).content.identity)).toEqual([0, 50]);
    expect(machine.verify()).toBeNull();
  });

  it('a write to a shared one copies one page, and splits it for all', () => {
    const machine = modern({ sharedWrites: 'split' });
    const mm = machine.process([anonymous(100, 4)]);
    for (let i = 0; i < 4; i++) machine.write(mm, 100 + i, i + 1);
    const child = machine.fork(mm);
    machine.write(child, 101, 9);
    expect([huge(machine), splits(machine), machine.look(() => zonePageState().nr_anon_pages)]).toEqual([0, 1, 5]);
    expect([100, 101, 102].map((page) => machine.read(child, page).content.identity)).toEqual([1, 9, 3]);
    expect(machine.read(mm, 101).content.identity).toBe(2);
    expect(machine.verify()).toBeNull();
  });

  it.each([
    // Pages 100 and 101 are away; or all with contents are still there.
    ['pageout', MADV_PAGEOUT, 1],
    ['free', MADV_FREE, 3],
  ] as const)('%s of a part gives the pages of zeros back', (_, advice, resident) => {
    const machine = machineWith({ swapPages: 64 });
    const mm = machine.process([anonymous(100, 4)]);
    for (const page of [100, 101, 103]) machine.write(mm, page, page);
    expect(machine.as(mm, sysMadvise(100, 3, advice))).toBe(0);
    expect([splits(machine), machine.look(() => rssOf(mm)).anon]).toEqual([1, resident]);
    expect(machine.read(mm, 102)).toMatchObject({ faults: 0, content: { identity: 0 } });
    expect([101, 103].map((page) => machine.read(mm, page).content.identity)).toEqual([101, 103]);
    expect(machine.verify()).toBeNull();
  });

  it.each([MADV_PAGEOUT, MADV_FREE])('advice %i leaves one that a relative has too', (advice) => {
    const machine = machineWith({ swapPages: 64 });
    const mm = machine.process([anonymous(100, 4)]);
    machine.write(mm, 100, 1);
    machine.fork(mm);
    expect(machine.as(mm, sysMadvise(100, 3, advice))).toBe(0);
    expect([huge(machine), splits(machine), machine.look(() => rssOf(mm)).anon]).toEqual([1, 0, 4]);
    expect(machine.verify()).toBeNull();
  });
});

it('a machine boots with huge pages only where anon_vma finds them, and of a size that tables have', () => {
  expect(() => machineWith({ rmap: 'pte-chain' })).toThrow('anon_vma');
  expect(() => machineWith({ transparentHugePages: { mode: 'always', order: 10 } })).toThrow(RangeError);
});

const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);

/** *Returns* what is wrong, and how many huge pages were split. */
function run(options: WorkloadOptions): { readonly wrong: string[]; readonly splits: number } {
  const found: string[] = [];
  let splits = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { wrong, system } = runWorkload({ cpus: (seed % 3) + 2, seed, transparentHugePages: THP, ...options });
    splits += system.hugePagesSplit;
    if (wrong !== null) found.push(`seed ${seed}: ${wrong} (${system.machine.token})`);
  }
  return { wrong: found, splits };
}

describe('programs with several threads, all system calls at once, on huge pages', () => {
  it.each([
    ['as in 3.2, under sc', { model: 'sc' }],
    ['as in 3.2, under weak memory', { model: 'weak' }],
    ['with grace periods', { model: 'tso', transparentHugePages: { ...THP, tails: 'grace-period' } }],
    ['short of memory, with a swap area', { memoryPages: 60, minFreeKbytes: 16, swapPages: 128, mix: { pageout: 3 } }],
    ['pages move to other frames', { mix: { migrate: 3 } }],
    ['allocations fail', { memoryPages: 60, minFreeKbytes: 16, inject: { enomem: 0.02 } }],
  ] as const satisfies [string, WorkloadOptions][])('%s', (_name, options) => {
    const { wrong, splits } = run(options);
    expect(wrong).toEqual([]);
    expect(splits).toBeGreaterThan(0);
  });
});
