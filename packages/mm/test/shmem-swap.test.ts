// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { vmEvents } from '@lockless/page';
import { swapPlaces } from '@lockless/pagecache';
import { RMAP_DESIGNS } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_SHARED,
  residentPages,
  shmemSwapped,
  swapOutRange,
  sysFtruncate,
  sysMincore,
  sysMunmap,
  sysPread,
  sysPwrite,
  sysSwapoff,
} from '../src/index.js';
import { RW, SequentialMachine } from './sequential-machine.js';
import { FOCUSED, runWorkload, type WorkloadOptions } from './workload.js';

const AT = 2000;
const PAGES = 4;

/** A process that has written to each page of shared anonymous memory, and a relative of it. */
function shared(): { machine: SequentialMachine; mm: Ptr<MmStruct> } {
  const machine = new SequentialMachine({ memoryPages: 256, minFreeKbytes: 64, swapPages: 32 });
  const mm = machine.process([]);
  const flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
  machine.mmap(mm, { address: AT, pages: PAGES, prot: RW, flags, file: NULL, pgoff: 0 });
  for (let i = 0; i < PAGES; i++) machine.write(mm, AT + i, -1 - i);
  return { machine, mm };
}
const versions = (machine: SequentialMachine, mm: Ptr<MmStruct>): number[] =>
  Array.from({ length: PAGES }, (_, i) => machine.read(mm, AT + i).content.version);
const indices = (machine: SequentialMachine): number[] => machine.look(() => shmemSwapped().map(({ index }) => index));

describe('shared memory that is swapped out', () => {
  it('goes to the disk and comes back as it was, to each process', () => {
    const { machine, mm } = shared();
    const before = versions(machine, mm);
    expect(machine.run(swapOutRange(mm, AT, PAGES))).toBe(0);
    expect(indices(machine)).toEqual([0, 1, 2, 3]);
    expect(machine.look(() => [vmEvents().pswpout, residentPages(mm).length, swapPlaces().free])).toEqual([4, 0, 28]);
    expect(machine.as(mm, sysMincore(AT, PAGES))).toEqual([false, false, false, false]);
    expect(machine.verify()).toBeNull();
    const child = machine.fork(mm);
    expect(versions(machine, child)).toEqual(before);
    expect(versions(machine, mm)).toEqual(before);
    expect(machine.look(() => vmEvents().pswpin)).toBe(4);
    expect(indices(machine)).toEqual([]);
    expect(machine.verify()).toBeNull();
  });

  it('swapoff brings it back into its file; what is mapped no more, too', () => {
    const { machine, mm } = shared();
    const before = versions(machine, mm);
    machine.run(swapOutRange(mm, AT, PAGES));
    expect(machine.as(mm, sysSwapoff(0))).toBe(0);
    expect([indices(machine), machine.look(() => swapPlaces())]).toEqual([[], { free: 0, total: 0 }]);
    expect(machine.as(mm, sysMincore(AT, PAGES))).toEqual([true, true, true, true]);
    expect(versions(machine, mm)).toEqual(before);
    expect(machine.verify()).toBeNull();
  });

  it('its places are free when the last mapping goes, and where it is truncated', () => {
    const { machine, mm } = shared();
    machine.run(swapOutRange(mm, AT, PAGES));
    machine.as(mm, sysMunmap(AT, PAGES));
    expect([indices(machine), machine.look(() => swapPlaces().free)]).toEqual([[], 32]);
    expect(machine.verify()).toBeNull();
  });

  it('is read and written by system calls, and cut off', () => {
    const machine = new SequentialMachine({ memoryPages: 256, minFreeKbytes: 64, swapPages: 32 });
    const { file } = machine.memoryFile(9, PAGES * 4096);
    const mm = machine.process([{ start: AT, end: AT + PAGES, prot: RW, shared: true, file, pgoff: 0 }]);
    for (let i = 0; i < PAGES; i++) machine.write(mm, AT + i, 0);
    machine.run(swapOutRange(mm, AT, PAGES));
    const seen: number[] = [];
    machine.as(
      mm,
      sysPread(file, 0, 2 * 4096, null, ({ version }) => seen.push(version)),
    );
    expect(seen).toEqual([1, 1]);
    machine.as(mm, sysPwrite(file, 2 * 4096, 100, null));
    expect(indices(machine)).toEqual([3]);
    expect(machine.read(mm, AT + 2).content.version).toBe(2);
    machine.as(mm, sysFtruncate(file, 2 * 4096));
    expect([indices(machine), machine.look(() => swapPlaces().free)]).toEqual([[], 32]);
    expect(machine.verify()).toBeNull();
  });

  it('without a place for it, it stays', () => {
    const machine = new SequentialMachine({ memoryPages: 256, minFreeKbytes: 64, swapPages: 2 });
    const mm = machine.process([]);
    const flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
    machine.mmap(mm, { address: AT, pages: PAGES, prot: RW, flags, file: NULL, pgoff: 0 });
    for (let i = 0; i < PAGES; i++) machine.write(mm, AT + i, -1 - i);
    machine.run(swapOutRange(mm, AT, PAGES));
    expect(indices(machine).length).toBe(2);
    expect(versions(machine, mm)).toEqual([1, 1, 1, 1]);
    expect(machine.verify()).toBeNull();
  });
});

const MODELS = ['sc', 'tso', 'weak'] as const;
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 2);

/** What is wrong, over some seeds, and how many pages were written to swap. */
function campaign(options: WorkloadOptions, seeds: number = SEEDS): { failures: string[]; outs: number } {
  const failures: string[] = [];
  let outs = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { wrong, system } = runWorkload({ cpus: [4, 2, 8, 1][seed % 4], model: MODELS[seed % 3], seed, ...options });
    if (wrong !== null) failures.push(`seed ${seed}: ${wrong} (${system.machine.token})`);
    outs += system.swap.outs;
  }
  return { failures, outs };
}

describe.each(RMAP_DESIGNS)('files in memory, by tasks that meet at every step, reverse mapping %s', (rmap) => {
  it.each(['shmem', 'shmem-swapoff'])('%s', (name) => {
    const { failures, outs } = campaign({ ...FOCUSED[name], rmap, runLength: 3, steps: 30 });
    expect(failures).toEqual([]);
    expect(outs).toBeGreaterThan(0);
  });
});
