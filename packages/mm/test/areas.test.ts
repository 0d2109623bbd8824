// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { current, load, NULL, peek } from '@lockless/cpu';
import { EFAULT, ENOMEM, MmStruct, taskMm, VM_ACCOUNT, VM_GROWSDOWN } from '@lockless/mm-types';
import { describe, expect, it } from 'vitest';
import {
  areas,
  execMm,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  residentPages,
  rssOf,
  SIGBUS,
  SIGSEGV,
  sysBrk,
  sysMlock,
  sysMprotect,
  sysMremap,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const NEW = { pages: 10, prot: RW, flags: MAP_PRIVATE | MAP_ANONYMOUS, file: NULL, pgoff: 0 };

describe('areas', () => {
  it('the stack grows down to its limit, and not near to another area', () => {
    const machine = new SequentialMachine({ mm: { stackLimit: 100, stackGuardGap: 16 } });
    const mm = machine.process([anonymous(5000, 4, VM_GROWSDOWN), anonymous(4930, 10)]);
    expect(machine.touch(mm, 4990, 'write').error).toBe(0);
    expect(machine.look(() => areas(mm).map(({ start, end }) => [start, end]))).toEqual([
      [4930, 4940],
      [4990, 5004],
    ]);
    expect(machine.touch(mm, 4950, 'write').error).toBe(SIGSEGV); // 10 pages from the other one
    expect(machine.touch(mm, 4956, 'write').error).toBe(0);
    const alone = machine.process([anonymous(5000, 4, VM_GROWSDOWN)]);
    expect(machine.touch(alone, 5004 - 101, 'write').error).toBe(SIGSEGV);
    expect(machine.touch(alone, 5004 - 100, 'write').error).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('brk moves the end of one area; shrinking gives its pages back; it stops at another area', () => {
    const machine = new SequentialMachine();
    const mm = machine.process([anonymous(0x1100, 4)]);
    expect(machine.as(mm, sysBrk(0x1010))).toBe(0x1010);
    expect(machine.as(mm, sysBrk(0x1020))).toBe(0x1020);
    expect(machine.look(() => areas(mm).length)).toBe(2);
    machine.write(mm, 0x101f, 1);
    expect(machine.as(mm, sysBrk(0x1010))).toBe(0x1010);
    expect(machine.look(() => rssOf(mm)).anon).toBe(0);
    expect(machine.as(mm, sysBrk(0x1101))).toBe(0x1010);
    expect(machine.as(mm, sysBrk(0))).toBe(0x1010);
    expect(machine.verify()).toBeNull();
  });

  it('mmap without a place goes to the highest gap; neighbours become one area; rights split it and join it again', () => {
    const machine = new SequentialMachine();
    const mm = machine.process();
    const first = machine.mmap(mm, { ...NEW, address: 0 });
    const second = machine.mmap(mm, { ...NEW, address: 0 });
    expect([first, second]).toEqual([0x700000 - 10, 0x700000 - 20]);
    const bounds = () => machine.look(() => areas(mm).map(({ start, end }) => end - start));
    expect(bounds()).toEqual([20]);
    machine.as(mm, sysMprotect(second + 5, 3, PROT_READ));
    expect(bounds()).toEqual([5, 3, 12]);
    machine.as(mm, sysMprotect(second + 5, 3, RW));
    expect(bounds()).toEqual([20]);
    expect(machine.mmap(mm, { ...NEW, address: first, flags: NEW.flags | MAP_FIXED_NOREPLACE })).toBe(-17);
    expect(machine.verify()).toBeNull();
  });

  it('memory that was never written is accounted no more when it may not be written: it joins what never could be; 2.6.27 kept them apart', () => {
    const accounted = (mprotectUnaccounts: number): number[] => {
      const machine = new SequentialMachine({ mm: { mprotectUnaccounts } });
      const mm = machine.process();
      machine.mmap(mm, { ...NEW, address: 1000, flags: NEW.flags | MAP_FIXED });
      machine.mmap(mm, { ...NEW, address: 1010, prot: PROT_READ, flags: NEW.flags | MAP_FIXED });
      machine.as(mm, sysMprotect(1000, 10, PROT_READ));
      return machine.look(() => areas(mm).map(({ flags }) => flags & VM_ACCOUNT));
    };
    expect(accounted(1)).toEqual([0]);
    expect(accounted(0)).toEqual([VM_ACCOUNT, 0]);
  });

  it('mremap grows in place where there is room, else moves with the pages', () => {
    const machine = new SequentialMachine();
    const mm = machine.process([anonymous(2000, 4), anonymous(2100, 4)]);
    machine.write(mm, 2003, 5);
    const grow = (oldPages: number, newPages: number) =>
      machine.as(mm, sysMremap({ address: 2000, oldPages, newPages, flags: MREMAP_MAYMOVE, newAddress: 0 }));
    expect(grow(4, 50)).toBe(2000);
    const moved = grow(50, 200);
    expect(moved).toBe(0x700000 - 200);
    expect(machine.read(mm, moved + 3).content.identity).toBe(5);
    expect(machine.touch(mm, 2003).error).toBe(SIGSEGV);
    expect(machine.verify()).toBeNull();
  });

  it('mremap of what is not there, or not one area: refused before the target goes; 2.6.27 unmapped it first', () => {
    for (const mremapChecksFirst of [1, 0]) {
      const machine = new SequentialMachine({ mm: { mremapChecksFirst } });
      const mm = machine.process([anonymous(2000, 4), anonymous(2100, 4)]);
      const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
      const move = (address: number, oldPages: number, newPages: number) =>
        machine.as(mm, sysMremap({ address, oldPages, newPages, flags, newAddress: 2100 }));
      expect(move(2050, 2, 2)).toBe(-EFAULT);
      expect(move(2002, 4, 5)).toBe(-EFAULT);
      expect(machine.touch(mm, 2100).error).toBe(mremapChecksFirst ? 0 : SIGSEGV);
      expect(machine.touch(mm, 2003).error).toBe(0);
      // What is cut off may lie behind the area.
      expect(move(2002, 4, 2)).toBe(2100);
      expect(machine.verify()).toBeNull();
    }
  });

  it('locked private memory that becomes writable is brought in at once; 2.6.27 waited until it was used', () => {
    const present = (mprotectPopulates: number): number => {
      const machine = new SequentialMachine({ mm: { mprotectPopulates } });
      const mm = machine.process();
      machine.mmap(mm, { ...NEW, address: 1000, prot: PROT_NONE, flags: NEW.flags | MAP_FIXED });
      machine.as(mm, sysMlock(1000, 10));
      expect(machine.as(mm, sysMprotect(1002, 3, RW))).toBe(0);
      expect(machine.verify()).toBeNull();
      return machine.look(() => rssOf(mm).anon);
    };
    expect([present(1), present(0)]).toEqual([3, 0]);
  });

  it('mlock of memory that nobody may touch: ENOMEM, and nothing is brought in', () => {
    const machine = new SequentialMachine();
    const mm = machine.process([anonymous(2000, 4)]);
    expect(machine.as(mm, sysMprotect(2000, 4, PROT_NONE))).toBe(0);
    expect(machine.as(mm, sysMlock(2000, 4))).toBe(-ENOMEM);
    expect(machine.look(() => residentPages(mm))).toEqual([]);
    expect(machine.as(mm, sysMprotect(2000, 4, PROT_READ))).toBe(0);
    expect(machine.as(mm, sysMlock(2000, 4))).toBe(0);
    expect(machine.look(() => residentPages(mm).length)).toBe(4);
  });

  it('fork copies the entries of a private file mapping once it was written, even if the write failed', () => {
    const machine = new SequentialMachine();
    const { file } = machine.file(3, 4 * 4096);
    const mm = machine.process([{ ...anonymous(2000, 8), file }]);
    expect(machine.touch(mm, 2000).error).toBe(0);
    expect(machine.look(() => residentPages(mm).length)).toBe(4);
    const before = machine.fork(mm);
    expect(machine.look(() => residentPages(before))).toEqual([]);
    expect(machine.touch(mm, 2006, 'write').error).toBe(SIGBUS);
    const after = machine.fork(mm);
    expect(machine.look(() => residentPages(after).length)).toBe(4);
    expect(machine.verify()).toBeNull();
  });

  it('exec: another address space, and nothing is left of the old one', () => {
    const machine = new SequentialMachine();
    const mm = machine.process([anonymous(2000, 4)]);
    machine.write(mm, 2000, 5);
    const image = { segments: [anonymous(9000, 2)], brk: 9100, mmapBase: 0x700000, pid: 2 };
    machine.mms.delete(mm);
    const next = machine.as(
      mm,
      (function* (): Op<number> {
        expect(yield* execMm(image)).toBe(0);
        return yield* load(taskMm(current()));
      })(),
    ) as typeof mm;
    machine.mms.add(next);
    expect(machine.touch(next, 9000, 'write').error).toBe(0);
    expect(machine.touch(next, 2000).error).toBe(SIGSEGV);
    expect(machine.look(() => peek(MmStruct.ownerPid(next)))).toBe(2);
    expect(machine.verify()).toBeNull();
  });

  it('any allocation of a fork may fail: no child, and nothing leaks', () => {
    for (let nth = 1; nth <= 12; nth++) {
      let left = Number.POSITIVE_INFINITY;
      const machine = new SequentialMachine({}, () => --left === 0);
      const parent = machine.process([anonymous(2000, 4), anonymous(4000, 4)]);
      machine.write(parent, 2000, 1);
      machine.write(parent, 4000, 2);
      left = nth;
      try {
        machine.fork(parent);
      } catch {
        // no memory for a fork
      }
      left = Number.POSITIVE_INFINITY;
      expect(machine.verify(), `allocation ${nth}`).toBeNull();
      expect(machine.read(parent, 4000).content.identity).toBe(2);
    }
  });
});
