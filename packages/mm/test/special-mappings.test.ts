// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { downWrite, omitGuards, peek, upWrite } from '@lockless/cpu';
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  MmStruct,
  Page,
  VM_DONTEXPAND,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@lockless/mm-types';
import { pageToPfn, putPage } from '@lockless/page';
import { findVma } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  archSetupAdditionalPages,
  areas,
  type BootOptions,
  deviceMemory,
  ERA_MM,
  FOLL_FORCE,
  FOLL_WRITE,
  getUserPages,
  getUserPagesFast,
  MADV_DONTNEED,
  mmapDevice,
  PROT_READ,
  RMAP_DESIGNS,
  type RmapDesign,
  readContent,
  remapPfnRange,
  residentPages,
  SIGSEGV,
  type SpecialPages,
  specialPages,
  specialPagesInit,
  sysMadvise,
  sysMlock,
  sysMprotect,
  sysMremap,
  sysMunmap,
  writeContent,
} from '../src/index.js';
import { RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;
const small = (rmap: RmapDesign = 'anon-vma', more: Partial<BootOptions> = {}): SequentialMachine =>
  new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64, rmap, mm: ERA_MM, ...more });

/** What a process reads in a page. */
const identity = (machine: SequentialMachine, mm: Ptr<MmStruct>, page: number): number =>
  machine.read(mm, page).content.identity;

const kinds = (machine: SequentialMachine, mm: Ptr<MmStruct>) =>
  machine.look(() => residentPages(mm).map(({ vpage, kind, mapcount }) => [vpage - AT, kind, mapcount]));

describe.each(RMAP_DESIGNS)('a special mapping, %s', (rmap) => {
  /** A process with a vdso of three pages. */
  function withVdso(machine: SequentialMachine): { mm: Ptr<MmStruct>; special: Ptr<SpecialPages> } {
    const contents = [71, 72, 73].map((each) => ({ identity: each, version: 1 }));
    const special = machine.run(specialPagesInit(contents)) as Ptr<SpecialPages>;
    const mm = machine.process();
    expect(machine.run(archSetupAdditionalPages(mm, AT, 3, special))).toBe(0);
    return { mm, special };
  }

  it('shows the pages of the kernel, through fork and until exit', () => {
    const machine = small(rmap);
    const { mm } = withVdso(machine);
    expect(machine.look(() => areas(mm)[0].flags) & VM_DONTEXPAND).toBe(VM_DONTEXPAND);
    expect([0, 1, 2].map((page) => identity(machine, mm, AT + page))).toEqual([71, 72, 73]);
    const child = machine.fork(mm);
    expect(identity(machine, child, AT + 1)).toBe(72);
    expect(kinds(machine, child)).toContainEqual([1, 'file', 2]);
    expect(machine.verify()).toBeNull();
    machine.exit(mm);
    expect(identity(machine, child, AT + 2)).toBe(73);
    machine.exit(child);
    expect(machine.verify()).toBeNull();
    for (const page of machine.look(specialPages)) expect(machine.look(() => peek(Page._count(page)))).toBe(1);
  });

  it('a debugger writes to a copy', () => {
    const machine = small(rmap);
    const { mm } = withVdso(machine);
    expect(machine.write(mm, AT + 1, 5).error).toBe(SIGSEGV);
    const pages: Ptr<Page>[] = [];
    const forced = machine.as(mm, getUserPages(mm, AT + 1, 1, FOLL_WRITE | FOLL_FORCE, pages));
    expect(forced).toBe(1);
    machine.run(writeContent(pages[0], { identity: 5, version: 1 }));
    machine.run(putPage(pages[0]));
    expect([0, 1, 2].map((page) => identity(machine, mm, AT + page))).toEqual([71, 5, 73]);
    const other = machine.fork(mm);
    expect(identity(machine, other, AT + 1)).toBe(5);
    expect(machine.run(readContent(machine.look(specialPages)[1])).identity).toBe(72);
    expect(machine.verify()).toBeNull();
  });

  it('what is left of it shows what it did: 8a9cc3b55e19', () => {
    const machine = small(rmap);
    const { mm } = withVdso(machine);
    expect(machine.as(mm, sysMprotect(AT, 1, PROT_READ))).toBe(0);
    expect(machine.as(mm, sysMadvise(AT, 3, MADV_DONTNEED))).toBe(0);
    expect([0, 1, 2].map((page) => identity(machine, mm, AT + page))).toEqual([71, 72, 73]);
    expect(machine.as(mm, sysMunmap(AT, 2))).toBe(0);
    expect(machine.as(mm, sysMadvise(AT + 2, 1, MADV_DONTNEED))).toBe(0);
    expect(identity(machine, mm, AT + 2)).toBe(73);
    expect(machine.verify()).toBeNull();
  });

  it('moves, and does not grow', () => {
    const machine = small(rmap);
    const { mm } = withVdso(machine);
    expect(identity(machine, mm, AT + 1)).toBe(72);
    expect(machine.as(mm, sysMremap({ address: AT, oldPages: 3, newPages: 4, flags: 1, newAddress: 0 }))).toBe(-EFAULT);
    const moved = { address: AT + 1, oldPages: 2, newPages: 2, flags: 3, newAddress: AT + 50 };
    expect(machine.as(mm, sysMremap(moved))).toBe(AT + 50);
    expect([50, 51].map((page) => identity(machine, mm, AT + page))).toEqual([72, 73]);
    expect(machine.verify()).toBeNull();
  });

  it('is installed where nothing is', () => {
    const machine = small(rmap);
    const { mm, special } = withVdso(machine);
    expect(machine.run(archSetupAdditionalPages(mm, AT + 2, 1, special))).toBe(-ENOMEM);
    expect(machine.verify()).toBeNull();
  });
});

it('before 8a9cc3b55e19 the rest of a split special mapping begins with the first page', () => {
  const machine = small();
  machine.run(omitting('specialMappingFault.pgoff'));
  const special = machine.run(specialPagesInit([71, 72].map((each) => ({ identity: each, version: 1 }))));
  const mm = machine.process();
  machine.run(archSetupAdditionalPages(mm, AT, 2, special as Ptr<SpecialPages>));
  machine.as(mm, sysMunmap(AT, 1));
  expect(identity(machine, mm, AT + 1)).toBe(71);
});

function* omitting(...guards: string[]): Op<void> {
  omitGuards(guards);
}

describe.each(RMAP_DESIGNS)('the memory of a device, %s', (rmap) => {
  const PRIVATE = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE;

  /** A process that maps two pages of it. */
  function withDevice(machine: SequentialMachine, flags: number): { mm: Ptr<MmStruct>; memory: Ptr<Page> } {
    const memory = machine.run(deviceMemory(1)) as Ptr<Page>;
    const mm = machine.process();
    expect(machine.run(locked(mm, mmapDevice(mm, AT, 2, flags, memory)))).toBe(AT);
    return { mm, memory };
  }
  const version = (machine: SequentialMachine, page: Ptr<Page>): number => machine.run(readContent(page)).version;

  it('is in no count, and stays through fork, exit and munmap', () => {
    const machine = small(rmap);
    const { mm, memory } = withDevice(machine, PRIVATE | VM_SHARED);
    const written = version(machine, memory);
    machine.write(mm, AT, 9);
    expect(version(machine, memory)).toBe(written + 1);
    const child = machine.fork(mm);
    expect(kinds(machine, child)).toEqual([
      [0, 'device', 0],
      [1, 'device', 0],
    ]);
    machine.write(child, AT, 9);
    expect(version(machine, memory)).toBe(written + 2);
    expect(machine.verify()).toBeNull();
    expect(machine.as(mm, sysMunmap(AT, 1))).toBe(0);
    machine.exit(child);
    expect(machine.verify()).toBeNull();
    expect(machine.look(() => [peek(Page._count(memory)), residentPages(mm).length])).toEqual([1, 1]);
  });

  it('what gets pages by address gets none of it', () => {
    const machine = small(rmap);
    const { mm } = withDevice(machine, PRIVATE | VM_SHARED);
    const pages: Ptr<Page>[] = [];
    expect(machine.as(mm, getUserPages(mm, AT, 1, 0, pages))).toBe(-EFAULT);
    expect(machine.as(mm, getUserPagesFast(AT, 1, true, pages))).toBe(-EFAULT);
    expect(pages).toEqual([]);
    expect(machine.as(mm, sysMlock(AT, 2))).toBe(0);
    expect(machine.as(mm, sysMadvise(AT, 2, MADV_DONTNEED))).toBe(-EINVAL);
    const grown = { address: AT, oldPages: 2, newPages: 3, flags: 1, newAddress: 0 };
    expect(machine.as(mm, sysMremap(grown))).toBe(-EFAULT);
    expect(machine.verify()).toBeNull();
  });

  it('a shared mapping that becomes writable again writes to the device, a private one to a copy', () => {
    const machine = small(rmap);
    const { mm, memory } = withDevice(machine, PRIVATE | VM_SHARED);
    const before = version(machine, memory);
    for (const prot of [PROT_READ, RW]) expect(machine.as(mm, sysMprotect(AT, 2, prot))).toBe(0);
    machine.write(mm, AT, 9);
    expect(version(machine, memory)).toBe(before + 1);
    expect(machine.verify()).toBeNull();

    const other = small(rmap);
    const { mm: own, memory: shown } = withDevice(other, PRIVATE & ~VM_SHARED);
    const old = version(other, shown);
    const child = other.fork(own);
    other.write(child, AT, 9);
    expect(version(other, shown)).toBe(old);
    expect(kinds(other, child)).toEqual([
      [0, 'anon', 1],
      [1, 'device', 0],
    ]);
    expect(identity(other, child, AT)).toBe(9);
    expect(other.verify()).toBeNull();
  });

  it('of a private area, all or nothing', () => {
    const machine = small(rmap);
    const { mm, memory } = withDevice(machine, PRIVATE);
    const vma = machine.run(findVma(mm, AT)) as never;
    const pfn = machine.look(() => pageToPfn(memory));
    expect(machine.run(remapPfnRange(vma, AT, pfn, 1))).toBe(-EINVAL);
  });
});

function* locked<T>(mm: Ptr<MmStruct>, op: Op<T>): Op<T> {
  yield* downWrite(MmStruct.mmapSem(mm));
  const result = yield* op;
  yield* upWrite(MmStruct.mmapSem(mm));
  return result;
}
