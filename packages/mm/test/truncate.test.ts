// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL, omitGuards, peek, poke, type TaskStruct as Task, TaskStruct } from '@lockless/cpu';
import {
  AddressSpace,
  EACCES,
  EFBIG,
  EINVAL,
  EOPNOTSUPP,
  ETXTBSY,
  Inode,
  type MmStruct,
  RadixTreeRoot,
  S_SWAPFILE,
} from '@lockless/mm-types';
import { contentOf } from '@lockless/pagecache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fileFsync,
  MADV_REMOVE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  SIGXFSZ,
  sysAppend,
  sysFallocate,
  sysFtruncate,
  sysMadvise,
  sysMlock,
  sysPwrite,
  userRead,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;
const PAGE = 4096;
const SHARED_MEMORY = MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS;
const HOLE = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
const hole = (index: number) => ({ identity: contentOf(5, index), version: 0 });

/** A file of `pages` pages, each written once and on the disk; mapped shared at AT, privately at AT + 100. */
function mapped(pages: number, options = {}) {
  const machine = new SequentialMachine({
    memoryPages: 512,
    minFreeKbytes: 64,
    mm: { faultAroundPages: 1, ...options },
  });
  const { inode, file } = machine.file(5, pages * PAGE);
  const mm = machine.process();
  for (let i = 0; i < pages; i++) machine.run(sysPwrite(file, i * PAGE, PAGE, null));
  machine.run(fileFsync(file));
  for (const [address, flags] of [
    [AT, MAP_SHARED],
    [AT + 100, MAP_PRIVATE],
  ])
    machine.mmap(mm, { address, pages, prot: RW, flags: flags | MAP_FIXED, file, pgoff: 0 });
  return { machine, inode, file, mm };
}

const contentAt = (machine: SequentialMachine, mm: Ptr<MmStruct>, page: number) =>
  machine.as(mm, userRead(page)).content;

const pendingSignal = (machine: SequentialMachine): number =>
  machine.look(() => peek(TaskStruct.signalPending(machine.engine.cpu.current as Ptr<Task>)));

describe('the size of a file', () => {
  it('does not grow beyond RLIMIT_FSIZE: SIGXFSZ and -EFBIG; a write is cut there', () => {
    const { machine, inode, file } = mapped(1, { fileSizeLimit: 2 * PAGE });
    const size = (): number => machine.look(() => peek(Inode.size(inode)));
    expect(machine.run(sysFtruncate(file, 2 * PAGE))).toBe(0);
    expect(pendingSignal(machine)).toBe(0);
    for (const refused of [
      () => sysFtruncate(file, 2 * PAGE + 1),
      () => sysFallocate(file, 0, 0, 2 * PAGE + 1),
      () => sysPwrite(file, 2 * PAGE, 1, null),
      () => sysAppend(file, 1, null),
    ]) {
      expect(machine.run(refused())).toBe(-EFBIG);
      expect(pendingSignal(machine)).toBe(SIGXFSZ);
      machine.look(() => poke(TaskStruct.signalPending(machine.engine.cpu.current as Ptr<Task>), 0));
    }
    expect(machine.run(sysPwrite(file, PAGE, 2 * PAGE, null))).toBe(PAGE);
    expect(size()).toBe(2 * PAGE);
    // Smaller it may become, whatever the limit.
    expect(machine.run(sysFtruncate(file, 1))).toBe(0);
    expect(pendingSignal(machine)).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('of a file that memory is swapped out to stays: -ETXTBSY', () => {
    const { machine, inode, file } = mapped(2);
    machine.look(() => poke(Inode.flags(inode), S_SWAPFILE));
    expect(machine.run(sysFtruncate(file, PAGE))).toBe(-ETXTBSY);
    expect(machine.run(sysFallocate(file, HOLE, 0, PAGE))).toBe(-ETXTBSY);
    expect(machine.run(sysFtruncate(file, 3 * PAGE))).toBe(0);
    machine.look(() => poke(Inode.flags(inode), 0));
    expect(machine.run(sysFtruncate(file, PAGE))).toBe(0);
    expect(machine.verify()).toBeNull();
  });
});

describe('a hole', () => {
  it.each([
    { how: 'fallocate', removeAsPunch: 1 },
    { how: 'madvise', removeAsPunch: 1 },
    { how: 'madvise, as 2.6.27', removeAsPunch: 0 },
  ])('by $how: shared pages are zeros, on the disk as well', ({ how, removeAsPunch }) => {
    const { machine, file, mm } = mapped(4, { removeAsPunch });
    for (let i = 0; i < 4; i++) machine.write(mm, AT + i, 0);
    machine.write(mm, AT + 101, -7);
    machine.touch(mm, AT + 102);
    if (how === 'fallocate') expect(machine.run(sysFallocate(file, HOLE, PAGE, 2 * PAGE + 100))).toBe(0);
    else expect(machine.as(mm, sysMadvise(AT + 1, 2, MADV_REMOVE))).toBe(0);
    expect([0, 1, 2, 3].map((i) => contentAt(machine, mm, AT + i).version)).toEqual([2, 0, 0, 2]);
    // What a process wrote into its own copy is not of the file: a hole leaves it, 2.6.27's madvise, as vmtruncate, did not.
    expect(contentAt(machine, mm, AT + 101)).toEqual(removeAsPunch === 1 ? { identity: -7, version: 1 } : hole(1));
    expect(contentAt(machine, mm, AT + 102)).toEqual(hole(2));
    const onDisk = (): number[] => [0, 1, 2, 3].map((i) => machine.engine.store.versionOf(5, i));
    expect(onDisk()).toEqual([1, 0, 0, 1]);
    // The writes before it went with the hole, dirty as they were. The first one after it is the file's first.
    machine.write(mm, AT + 1, 0);
    expect(machine.run(fileFsync(file))).toBe(0);
    expect(onDisk()).toEqual([2, 1, 0, 2]);
    expect(machine.verify()).toBeNull();
  });

  it.each([
    { without: [], endless: false },
    { without: ['truncateInodePagesRange.holesOnce'], endless: true },
  ])('is done also while others fault into it again and again (CVE-2014-4171); without $without', (run) => {
    const { machine, inode, file, mm } = mapped(2);
    machine.look(() => omitGuards(run.without));
    const root = RadixTreeRoot.rnode(AddressSpace.pageTree(Inode.data(inode))) as number;
    let faults = 0;
    const beforeEachScan = (): void => {
      machine.engine.interposition = {
        mm,
        before: (name, address) => name === 'rcu_dereference' && address === root && faults < 100,
        *op() {
          faults += (yield* userRead(AT + 1)).faults;
          beforeEachScan();
        },
      };
    };
    beforeEachScan();
    expect(machine.run(sysFallocate(file, HOLE, PAGE, PAGE))).toBe(0);
    machine.engine.interposition = null;
    if (run.endless) expect(faults).toBe(100);
    else expect(faults).toBeLessThan(20);
    expect(contentAt(machine, mm, AT + 1)).toEqual(hole(1));
    expect(machine.verify()).toBeNull();
  });

  it('is refused on a disk where faults go by truncate_count: nothing would keep them off the pages that go', () => {
    const { machine, file, mm } = mapped(2, { truncateCountFaults: 1 });
    machine.write(mm, AT, 0);
    expect(machine.as(mm, sysMadvise(AT, 1, MADV_REMOVE))).toBe(-EOPNOTSUPP);
    expect(machine.run(sysFallocate(file, HOLE, 0, PAGE))).toBe(-EOPNOTSUPP);
    expect(contentAt(machine, mm, AT).version).toBe(2);
    // Memory that is nobody's file has faults under the page lock.
    machine.mmap(mm, { address: AT + 300, pages: 1, prot: RW, flags: SHARED_MEMORY, file: NULL, pgoff: 0 });
    machine.write(mm, AT + 300, 0);
    expect(machine.as(mm, sysMadvise(AT + 300, 1, MADV_REMOVE))).toBe(0);
    expect(contentAt(machine, mm, AT + 300).version).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('is refused where there is no file, no right to write, memory is locked, or the mode makes no sense', () => {
    const { machine, file, mm } = mapped(2, { removeAsPunch: 0 });
    machine.mmap(mm, { address: AT + 200, pages: 1, prot: PROT_READ, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
    const other = machine.process([anonymous(AT, 1)]);
    expect(machine.as(other, sysMadvise(AT, 1, MADV_REMOVE))).toBe(-EINVAL);
    expect(machine.as(mm, sysMadvise(AT + 200, 1, MADV_REMOVE))).toBe(-EACCES);
    expect(machine.as(mm, sysMadvise(AT + 100, 1, MADV_REMOVE))).toBe(-EACCES);
    expect(machine.as(mm, sysMlock(AT, 1))).toBe(0);
    expect(machine.as(mm, sysMadvise(AT, 1, MADV_REMOVE))).toBe(-EINVAL);
    expect(machine.run(sysFallocate(file, FALLOC_FL_PUNCH_HOLE, 0, PAGE))).toBe(-EOPNOTSUPP);
    expect(machine.run(sysFallocate(file, 0x10, 0, PAGE))).toBe(-EOPNOTSUPP);
    expect(machine.run(sysFallocate(file, HOLE, -1, PAGE))).toBe(-EINVAL);
  });

  it('is what a model of the file says, wherever it is made', () => {
    const step = fc.record({
      hole: fc.boolean(),
      offset: fc.nat(6 * PAGE),
      bytes: fc.integer({ min: 1, max: 4 * PAGE }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const { machine, file, mm } = mapped(6);
        const model = [1, 1, 1, 1, 1, 1];
        for (const { hole: makesHole, offset, bytes } of steps) {
          if (makesHole) {
            machine.run(sysFallocate(file, HOLE, offset, bytes));
            for (let i = Math.ceil(offset / PAGE); i < Math.floor((offset + bytes) / PAGE) && i < 6; i++) model[i] = 0;
          } else {
            const page = Math.floor(offset / PAGE) % 6;
            machine.write(mm, AT + page, 0);
            model[page]++;
          }
        }
        expect(model.map((_, i) => contentAt(machine, mm, AT + i).version)).toEqual(model);
        machine.run(fileFsync(file));
        expect(model.map((_, i) => machine.engine.store.versionOf(5, i))).toEqual(model);
        expect(machine.verify()).toBeNull();
      }),
      { numRuns: 25 },
    );
  });
});
