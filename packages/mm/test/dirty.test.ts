// SPDX-License-Identifier: GPL-2.0-only
import { peek } from '@lockless/cpu';
import { AddressSpace, EIO, ENOSPC, Inode } from '@lockless/mm-types';
import { zonePageState } from '@lockless/page';
import { filemapFlush } from '@lockless/pagecache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  faultsOf,
  fileFsync,
  MAP_FIXED,
  MAP_SHARED,
  MS_SYNC,
  residentPages,
  sysFallocate,
  sysFtruncate,
  sysMsync,
  sysMunmap,
  sysPwrite,
} from '../src/index.js';
import { RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;
const PAGE = 4096;
const PAGES = 6;

const step = fc.oneof(
  fc.record({ kind: fc.constant('store' as const), page: fc.nat(PAGES - 1), process: fc.nat(1) }),
  fc.record({ kind: fc.constant('write' as const), page: fc.nat(PAGES - 1) }),
  fc.record({ kind: fc.constantFrom('fsync' as const, 'msync' as const), page: fc.constant(0) }),
  fc.record({
    kind: fc.constantFrom('truncate' as const, 'hole' as const, 'munmap' as const),
    page: fc.nat(PAGES - 1),
  }),
);

/** A file that two processes map shared. */
function twoMappings() {
  const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64, mm: { faultAroundPages: 1 } });
  const { inode, file } = machine.file(5, PAGES * PAGE);
  const mms = [1, 2].map((pid) => machine.process([], pid));
  const map = (mm: (typeof mms)[0]): number =>
    machine.mmap(mm, { address: AT, pages: PAGES, prot: RW, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
  for (const mm of mms) map(mm);
  return { machine, inode, file, mms, map };
}

describe('dirty pages', () => {
  it('are counted exactly, whatever makes them dirty or clean; a clean one is mapped read-only', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const { machine, file, mms, map } = twoMappings();
        const dirty = new Set<number>();
        for (const s of steps) {
          if (s.kind === 'store') {
            machine.write(mms[s.process], AT + s.page, 0);
            dirty.add(s.page);
          } else if (s.kind === 'write') {
            machine.run(sysPwrite(file, s.page * PAGE, PAGE, null));
            dirty.add(s.page);
          } else if (s.kind === 'fsync') {
            machine.run(fileFsync(file));
            dirty.clear();
          } else if (s.kind === 'msync') {
            machine.as(mms[0], sysMsync(AT, PAGES, MS_SYNC));
            dirty.clear();
          } else if (s.kind === 'truncate') {
            machine.run(sysFtruncate(file, s.page * PAGE));
            machine.run(sysFtruncate(file, PAGES * PAGE));
            for (let page = s.page; page < PAGES; page++) dirty.delete(page);
          } else if (s.kind === 'hole') {
            machine.run(sysFallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s.page * PAGE, PAGE));
            dirty.delete(s.page);
          } else {
            // What was written through an entry stays dirty when the entry goes.
            machine.as(mms[0], sysMunmap(AT, s.page + 1));
            map(mms[0]);
          }
          expect(machine.look(zonePageState).nr_dirty).toBe(dirty.size);
          for (const mm of mms)
            for (const page of machine.look(() => residentPages(mm)))
              if (page.writable || page.dirty) expect([...dirty]).toContain(page.index);
        }
        expect(machine.verify()).toBeNull();
      }),
      { numRuns: 20 },
    );
  });

  it('after writeback the next write faults, once for each process, and makes the page dirty again', () => {
    const { machine, file, mms } = twoMappings();
    for (const mm of mms) machine.write(mm, AT, 0);
    expect(machine.write(mms[0], AT, 0).faults).toBe(0);
    machine.run(fileFsync(file));
    expect(machine.look(zonePageState).nr_dirty).toBe(0);
    for (const mm of mms) expect(machine.write(mm, AT, 0).faults).toBe(1);
    for (const mm of mms) expect(machine.look(() => faultsOf(mm)).mkwrite).toBe(1);
    expect(machine.look(zonePageState).nr_dirty).toBe(1);
    machine.run(fileFsync(file));
    expect(machine.engine.store.versionOf(5, 0)).toBe(5);
    expect(machine.verify()).toBeNull();
  });
});

describe('an error of writeback', () => {
  it.each([
    { error: -EIO, told: -EIO },
    { error: -ENOSPC, told: -ENOSPC },
  ])('$error is told once, to who asks first: fsync or msync', ({ error, told }) => {
    const { machine, inode, file, mms } = twoMappings();
    const fsync = (): number => machine.run(fileFsync(file));
    const msync = (): number => machine.as(mms[0], sysMsync(AT, PAGES, MS_SYNC));
    for (const [first, second] of [
      [fsync, msync],
      [msync, fsync],
    ]) {
      machine.write(mms[0], AT, 0);
      machine.engine.failWrites = error;
      machine.run(filemapFlush(Inode.data(inode))); // as pdflush does, which asks nobody
      machine.engine.failWrites = 0;
      expect(machine.look(() => peek(AddressSpace.flags(Inode.data(inode))) >>> 21)).not.toBe(0);
      expect(first()).toBe(told);
      expect(second()).toBe(0);
      expect(first()).toBe(0);
    }
    expect(machine.verify()).toBeNull();
  });
});
