// SPDX-License-Identifier: GPL-2.0-only
import { type Op, omitGuards, type Ptr, peek } from '@lockless/cpu';
import type { File, MmStruct } from '@lockless/mm-types';
import { EINVAL, File as FileFields, VM_NONLINEAR, VmAreaStruct } from '@lockless/mm-types';
import { getPage, lockPage, pfnToPage, putPage, unlockPage } from '@lockless/page';
import { areasOf, pteFile, ptePfn, ptePresent, tryToUnmap, walkMm } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_REMOVE,
  MAP_FIXED,
  MAP_NONBLOCK,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_SYNC,
  PROT_READ,
  RMAP_DESIGNS,
  type RmapDesign,
  SIGBUS,
  shmemFileSetup,
  sysFtruncate,
  sysMadvise,
  sysMincore,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunmap,
  sysRemapFilePages,
} from '../src/index.js';
import { RW, SequentialMachine } from './sequential-machine.js';

const AT = 1024 - 4;
const PAGES = 8;
const ELSEWHERE = 4000;

interface Setup {
  readonly rmap: RmapDesign;
  readonly memory: 'disk' | 'shmem';
  /** Faults of 2.6.6: entries through do_file_page. */
  readonly early?: boolean;
}

/** A process that maps a file of eight pages, all written, where page i holds what `datum[i]` says. */
class Remapped {
  readonly machine: SequentialMachine;
  readonly mm: Ptr<MmStruct>;
  readonly file: Ptr<File>;
  readonly datum: number[] = [];

  constructor({ rmap, memory, early = false }: Setup) {
    this.machine = new SequentialMachine({
      rmap,
      memoryPages: 256,
      minFreeKbytes: 64,
      mm: { truncateCountFaults: early ? 1 : 0, remapEmulated: 0 },
    });
    const { machine } = this;
    this.file =
      memory === 'disk' ? machine.file(3, PAGES * 4096).file : (machine.run(shmemFileSetup(PAGES)) as Ptr<File>);
    const { file } = this;
    if (memory === 'shmem') machine.inodes.push(machine.look(() => peek(FileFields.inode(file))));
    this.mm = machine.process();
    this.map(AT, MAP_SHARED);
    for (let i = 0; i < PAGES; i++) this.datum.push(machine.write(this.mm, AT + i, 0).content.identity);
    expect(new Set(this.datum).size).toBe(PAGES);
  }

  map(address: number, kind: number): void {
    const request = { address, pages: PAGES, prot: RW, flags: MAP_FIXED | kind, file: this.file, pgoff: 0 };
    expect(this.machine.mmap(this.mm, request)).toBe(address);
  }

  remap(start: number, pages: number, pgoff: number, flags = 0): number {
    return this.machine.as(this.mm, sysRemapFilePages(start, pages, 0, pgoff, flags));
  }

  /** Every page backwards. */
  reverse(flags = 0): void {
    for (let i = 0; i < PAGES; i++) expect(this.remap(AT + i, 1, PAGES - 1 - i, flags)).toBe(0);
  }

  /** Which page of the file each address shows: -1, none. */
  shown(mm: Ptr<MmStruct> = this.mm, at = AT): number[] {
    return Array.from({ length: PAGES }, (_, i) => this.datum.indexOf(this.machine.read(mm, at + i).content.identity));
  }

  entries(): { present: number; offsets: number } {
    const count = { present: 0, offsets: 0 };
    this.machine.look(() =>
      walkMm(this.mm, (_vpage, pte) => {
        if (ptePresent(pte)) count.present++;
        if (pteFile(pte)) count.offsets++;
      }),
    );
    return count;
  }

  isNonlinear(): boolean {
    return this.machine.look(() =>
      areasOf(this.mm).some(({ vma }) => (peek(VmAreaStruct.vmFlags(vma)) & VM_NONLINEAR) !== 0),
    );
  }

  /** try_to_unmap() of whatever is mapped, twice: used pages stay the first time. */
  unmapAll(): void {
    for (let round = 0; round < 2; round++) {
      const pages: number[] = [];
      this.machine.look(() => walkMm(this.mm, (_at, pte) => ptePresent(pte) && pages.push(pfnToPage(ptePfn(pte)))));
      for (const page of new Set(pages)) this.machine.run(unmapPage(page as Ptr<never>));
    }
  }
}

function* unmapPage(page: Parameters<typeof tryToUnmap>[0]): Op<void> {
  yield* getPage(page);
  yield* lockPage(page);
  yield* tryToUnmap(page, false);
  yield* unlockPage(page);
  yield* putPage(page);
}

const BACKWARDS = [7, 6, 5, 4, 3, 2, 1, 0];
const IN_ORDER = [0, 1, 2, 3, 4, 5, 6, 7];
const SETUPS: Setup[] = RMAP_DESIGNS.flatMap((rmap) => [
  { rmap, memory: 'disk' as const },
  { rmap, memory: 'disk' as const, early: true },
  { rmap, memory: 'shmem' as const },
]);
/** Where pages of any order are in one area; else each has its own. */
const nonlinear = ({ rmap, memory }: Setup): boolean =>
  rmap === 'pte-chain' || rmap === 'objrmap' || (rmap === 'anon-vma' && memory === 'shmem');

describe.each(SETUPS)('remap_file_pages with $rmap, file on $memory, faults of 2.6.6: $early', (setup) => {
  it.each([0, MAP_NONBLOCK])('shows the pages asked for, flags %i', (flags) => {
    const run = new Remapped(setup);
    run.reverse(flags);
    expect(run.isNonlinear()).toBe(nonlinear(setup));
    if (flags === 0 && nonlinear(setup)) expect(run.entries()).toEqual({ present: PAGES, offsets: 0 });
    expect(run.shown()).toEqual(BACKWARDS);
    expect(run.machine.verify()).toBeNull();
    // Written through the new places, found in the file.
    for (let i = 0; i < PAGES; i++)
      expect(run.machine.write(run.mm, AT + i, 0).content.identity).toBe(run.datum[7 - i]);
    expect(run.machine.as(run.mm, sysMsync(AT, PAGES, MS_SYNC))).toBe(0);
    expect(run.machine.as(run.mm, sysMincore(AT, PAGES))).toEqual(new Array(PAGES).fill(true));
    run.machine.exit(run.mm);
    expect(run.machine.verify()).toBeNull();
  });

  it('finds them again after try_to_unmap() and MADV_DONTNEED, at the same places', () => {
    const run = new Remapped(setup);
    run.reverse();
    run.unmapAll();
    expect(run.entries().present).toBe(0);
    if (nonlinear(setup)) expect(run.entries().offsets).toBe(PAGES);
    expect(run.machine.verify()).toBeNull();
    expect(run.machine.as(run.mm, sysMincore(AT, PAGES))).toEqual(new Array(PAGES).fill(true));
    expect(run.shown()).toEqual(BACKWARDS);
    expect(run.machine.as(run.mm, sysMadvise(AT, PAGES, MADV_DONTNEED))).toBe(0);
    expect(run.shown()).toEqual(BACKWARDS);
    if (nonlinear(setup)) expect(run.machine.as(run.mm, sysMadvise(AT, PAGES, MADV_REMOVE))).toBe(-EINVAL);
    expect(run.machine.verify()).toBeNull();
  });

  it('is inherited, protected, split and moved', () => {
    const run = new Remapped(setup);
    run.reverse();
    expect(run.machine.as(run.mm, sysMadvise(AT + 2, 2, MADV_DONTNEED))).toBe(0);
    const child = run.machine.fork(run.mm);
    expect(run.machine.verify()).toBeNull();
    expect(run.shown(child)).toEqual(BACKWARDS);
    expect(run.machine.as(run.mm, sysMprotect(AT + 2, 3, PROT_READ))).toBe(0);
    expect(run.machine.write(run.mm, AT + 3, 0).error).not.toBe(0);
    expect(run.shown()).toEqual(BACKWARDS);
    const move = { oldPages: 1, newPages: 1, flags: MREMAP_MAYMOVE | MREMAP_FIXED };
    for (let i = 0; i < PAGES; i++) {
      expect(run.machine.as(child, sysMremap({ ...move, address: AT + i, newAddress: ELSEWHERE + i }))).toBe(
        ELSEWHERE + i,
      );
    }
    expect(run.shown(child, ELSEWHERE)).toEqual(BACKWARDS);
    expect(run.machine.as(child, sysMunmap(ELSEWHERE + 3, 2))).toBe(0);
    expect(run.machine.verify()).toBeNull();
    for (const mm of [run.mm, child]) run.machine.exit(mm);
    expect(run.machine.verify()).toBeNull();
  });

  it('loses what is truncated, by its place in the file', () => {
    const run = new Remapped(setup);
    run.reverse();
    expect(run.machine.run(sysFtruncate(run.file, 5 * 4096))).toBe(0);
    expect(run.machine.verify()).toBeNull();
    const errors = Array.from({ length: PAGES }, (_, i) => run.machine.read(run.mm, AT + i).error);
    expect(errors).toEqual([SIGBUS, SIGBUS, SIGBUS, 0, 0, 0, 0, 0]);
    expect(run.shown().slice(3)).toEqual([4, 3, 2, 1, 0]);
    expect(run.machine.run(sysFtruncate(run.file, PAGES * 4096))).toBe(0);
    run.machine.write(run.mm, AT, 0);
    expect(run.shown().map((index, i) => (i > 0 && i < 3 ? 'zeros or the file' : index))).toEqual([
      7,
      'zeros or the file',
      'zeros or the file',
      4,
      3,
      2,
      1,
      0,
    ]);
    expect(run.machine.verify()).toBeNull();
  });

  it('can be put in order again, page by page', () => {
    const run = new Remapped(setup);
    run.reverse();
    for (let i = 1; i < 4; i++) expect(run.remap(AT + i, 1, i)).toBe(0);
    expect(run.shown()).toEqual([7, 1, 2, 3, 3, 2, 1, 0]);
    run.map(AT, MAP_SHARED);
    expect(run.shown()).toEqual(IN_ORDER);
    expect(run.machine.verify()).toBeNull();
  });
});

it('refuses what is not one shared mapping of a file', () => {
  const run = new Remapped({ rmap: 'anon-vma', memory: 'shmem' });
  const call = (start: number, pages: number, prot: number, pgoff: number): number =>
    run.machine.as(run.mm, sysRemapFilePages(start, pages, prot, pgoff, 0));
  run.map(ELSEWHERE, MAP_PRIVATE);
  expect([
    call(AT, 1, PROT_READ, 3),
    call(AT, 0, 0, 3),
    call(0x7fffffff, 4, 0, 3),
    call(AT, 1, 0, 2 ** 20),
    call(AT, 2, 0, 2 ** 20 - 1),
    call(AT - 1, 2, 0, 3),
    call(AT, PAGES + 1, 0, 3),
    call(ELSEWHERE, 1, 0, 3),
    call(9000, 1, 0, 3),
  ]).toEqual(new Array(9).fill(-EINVAL));
  expect(call(AT + 2, 2, 0, 2)).toBe(0);
  expect(run.isNonlinear()).toBe(false);
  expect(call(AT, 1, 0, 2 ** 20 - 1)).toBe(0);
  expect(run.machine.read(run.mm, AT).error).toBe(SIGBUS);
  expect(run.machine.verify()).toBeNull();
});

it('needs the offsets that try_to_unmap() leaves', () => {
  const run = new Remapped({ rmap: 'anon-vma', memory: 'shmem' });
  run.reverse();
  run.machine.look(() => omitGuards(['tryToUnmapCluster.fileOffset']));
  run.unmapAll();
  expect(run.shown()).toEqual(IN_ORDER);
});
