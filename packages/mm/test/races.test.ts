// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { MmStruct as Mm } from '@lockless/mm-types';
import { contentOf } from '@lockless/pagecache';
import { pteOffsetMap } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  faultsOf,
  MADV_DONTNEED,
  MAP_FIXED,
  MAP_SHARED,
  residentPages,
  sysFtruncate,
  sysMadvise,
  sysPread,
  userRead,
  userWrite,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

/* Interleavings of kernel-facts 4.C, one by one: a second task does its work right before the access that matters. */

const AT = 2000;
const mine = { identity: -1, version: 1 };
const theirs = { identity: -2, version: 1 };

/** Runs `op` as a task of `mm` right before the `nth` access of that kind. */
function interpose(
  machine: SequentialMachine,
  mm: Ptr<MmStruct>,
  name: string,
  address: number,
  op: () => Op<unknown>,
  nth = 1,
): void {
  let seen = 0;
  const before = (primitive: string, at: number): boolean => primitive === name && at === address && ++seen === nth;
  machine.engine.interposition = { mm, op, before };
}

const frameAt = (machine: SequentialMachine, mm: Ptr<MmStruct>, vpage: number) =>
  machine.look(() => residentPages(mm).find((page) => page.vpage === vpage)?.page);

describe('a fault and another task', () => {
  it('C3: truncation cannot pass between the check that the page is in the file and the entry: it waits for the page lock', () => {
    const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64, mm: { faultAroundPages: 1 } });
    const { file } = machine.file(5, 2 * 4096);
    machine.run(sysPread(file, 0, 2 * 4096, null));
    const mm = machine.process();
    machine.mmap(mm, { address: AT, pages: 2, prot: RW, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
    machine.touch(mm, AT);
    // The fault of the second page finds its tables there, so the first time it takes the lock is to set the entry.
    interpose(machine, mm, 'spin_lock', Mm.pageTableLock(mm), () => sysFtruncate(file, 4096));
    expect(() => machine.touch(mm, AT + 1)).toThrow('schedule(): sleeps, and nobody else runs');
  });

  it('C8: while one process copies a page the other may not take it for its own', () => {
    const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64 });
    const parent = machine.process([anonymous(AT, 1)]);
    machine.write(parent, AT, 7);
    const child = machine.fork(parent);
    const shared = frameAt(machine, parent, AT);
    // The parent's copy is about to take the old page's place: its entry is cleared and flushed now.
    const entry = machine.look(() => entryAddress(parent, AT));
    interpose(machine, child, 'atomic_xchg', entry, () => userWrite(AT, theirs));
    machine.write(parent, AT, mine.identity);
    expect(machine.look(() => faultsOf(child))).toMatchObject({ cow: 1, reuse: 0 });
    expect(frameAt(machine, child, AT)).not.toBe(shared);
    expect(machine.read(parent, AT).content).toEqual(mine);
    expect(machine.read(child, AT).content).toEqual(theirs);
    expect(machine.verify()).toBeNull();
  });

  it('two first writes to one page: the second finds the entry set, and gives its own page back', () => {
    const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64 });
    const mm = machine.process([anonymous(AT, 2)]);
    machine.write(mm, AT + 1, 9);
    interpose(machine, mm, 'spin_lock', Mm.pageTableLock(mm), () => userWrite(AT, theirs));
    expect(machine.write(mm, AT, mine.identity).error).toBe(0);
    expect(machine.look(() => faultsOf(mm))).toMatchObject({ anonymous: 2, spurious: 1 });
    expect(machine.look(() => residentPages(mm)).length).toBe(2);
    expect(machine.read(mm, AT).content).toEqual(mine);
    expect(machine.verify()).toBeNull();
  });

  it('pte_same: a copy whose original went meanwhile is thrown away, and the write starts anew', () => {
    const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64 });
    const parent = machine.process([anonymous(AT, 2)]);
    machine.write(parent, AT, 7);
    const child = machine.fork(parent);
    // The lock is taken to look at the entry, then dropped for the copy, then taken again: before that, the page goes.
    interpose(machine, parent, 'spin_lock', Mm.pageTableLock(parent), () => sysMadvise(AT, 1, MADV_DONTNEED), 2);
    expect(machine.write(parent, AT, mine.identity).error).toBe(0);
    expect(machine.look(() => faultsOf(parent))).toMatchObject({ cow: 0, spurious: 1, anonymous: 2 });
    expect(machine.read(child, AT).content.identity).toBe(7);
    expect(machine.verify()).toBeNull();
  });

  it('C2: a private copy that was made of a page about to be truncated does not stay', () => {
    const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64, mm: { faultAroundPages: 1 } });
    const { file } = machine.file(5, 2 * 4096);
    const mm = machine.process([{ start: AT, end: AT + 2, prot: RW, shared: false, file, pgoff: 0 }]);
    machine.write(mm, AT + 1, mine.identity);
    machine.run(sysFtruncate(file, 4096));
    machine.run(sysFtruncate(file, 2 * 4096));
    expect(machine.as(mm, userRead(AT + 1)).content).toEqual({ identity: contentOf(5, 1), version: 0 });
    expect(machine.verify()).toBeNull();
  });
});

/** Address of the entry of a page. */
function entryAddress(mm: Ptr<MmStruct>, vpage: number): number {
  const op = pteOffsetMap(mm, vpage);
  for (;;) {
    const step = op.next();
    if (step.done) return step.value;
  }
}
