// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, omitGuards, peek, poke, TaskStruct } from '@lockless/cpu';
import { EFAULT, EINTR, ENOMEM, type File, MmStruct, Page } from '@lockless/mm-types';
import { lruAddDrain, pageAnon, putPage, zeroPage } from '@lockless/page';
import { contentOf } from '@lockless/pagecache';
import { flushTlbMm } from '@lockless/rmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ERA_MM,
  FOLL_FORCE,
  FOLL_INTERRUPTIBLE,
  FOLL_WRITE,
  faultsOf,
  getUserPages,
  getUserPagesFast,
  MADV_DONTNEED,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  readContent,
  residentPages,
  sysMadvise,
  sysMprotect,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;

/** Calls get_user_pages() as KVM and ptrace do. */
function gup(machine: SequentialMachine, mm: Ptr<MmStruct>, start: number, count: number, flags: number) {
  const pages: Ptr<Page>[] = [];
  return { got: machine.as(mm, getUserPages(mm, start, count, flags, pages)), pages };
}

function gupFast(machine: SequentialMachine, mm: Ptr<MmStruct>, start: number, count: number, write: boolean) {
  const pages: Ptr<Page>[] = [];
  return { got: machine.as(mm, getUserPagesFast(start, count, write, pages)), pages };
}

function putAll(machine: SequentialMachine, pages: readonly Ptr<Page>[]): void {
  for (const page of pages) machine.run(putPage(page));
}

const frames = (machine: SequentialMachine, mm: Ptr<MmStruct>) =>
  new Map(machine.look(() => residentPages(mm)).map(({ vpage, page }) => [vpage, page]));

const small = (mm = {}): SequentialMachine =>
  new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64, mm: { ...ERA_MM, ...mm } });

describe('get_user_pages', () => {
  it('faults in what is not there, and takes a reference to each page', () => {
    const machine = small();
    const mm = machine.process([anonymous(AT, 3)]);
    machine.write(mm, AT + 1, 7);
    const { got, pages } = gup(machine, mm, AT, 3, FOLL_WRITE);
    expect(got).toBe(3);
    expect(pages).toEqual([...frames(machine, mm).values()]);
    expect(machine.look(() => faultsOf(mm))).toMatchObject({ anonymous: 3 });
    machine.run(lruAddDrain());
    for (const page of pages) expect(machine.look(() => peek(Page._count(page)))).toBe(2);
    machine.exit(mm);
    expect(machine.run(readContent(pages[1])).identity).toBe(7);
    putAll(machine, pages);
    expect(machine.verify()).toBeNull();
  });

  it('gives the zero page for memory that was never written, and another once it is to be written', () => {
    const machine = small({ zeroPageReads: 1 });
    const mm = machine.process([anonymous(AT, 1)]);
    const read = gup(machine, mm, AT, 1, 0);
    expect(read.pages).toEqual([machine.look(zeroPage)]);
    const write = gup(machine, mm, AT, 1, FOLL_WRITE);
    expect(write.pages).toEqual([frames(machine, mm).get(AT)]);
    putAll(machine, [...read.pages, ...write.pages]);
    expect(machine.verify()).toBeNull();
  });

  it('ends at a hole, at memory that may not be touched, and at the end of a file; tells how far it came', () => {
    const machine = small();
    const { file } = machine.file(5, 2 * 4096);
    const mm = machine.process([anonymous(AT, 2)]);
    machine.mmap(mm, { address: AT + 10, pages: 4, prot: RW, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
    const some = gup(machine, mm, AT, 3, 0);
    expect(some.got).toBe(2);
    expect(gup(machine, mm, AT + 2, 1, 0).got).toBe(-EFAULT);
    const ofFile = gup(machine, mm, AT + 10, 4, FOLL_WRITE);
    expect(ofFile.got).toBe(2);
    expect(gup(machine, mm, AT + 12, 1, 0).got).toBe(-EFAULT);
    machine.as(mm, sysMprotect(AT, 2, 0));
    expect(gup(machine, mm, AT, 1, 0).got).toBe(-EFAULT);
    const forced = gup(machine, mm, AT, 1, FOLL_FORCE);
    expect(forced.pages).toEqual([some.pages[0]]);
    putAll(machine, [...some.pages, ...ofFile.pages, ...forced.pages]);
    expect(machine.verify()).toBeNull();
  });

  it('stops at a signal where the caller wants that', () => {
    const machine = small();
    const mm = machine.process([anonymous(AT, 1)]);
    const pending = TaskStruct.signalPending(machine.engine.cpu.current as Ptr<TaskStruct>);
    machine.look(() => poke(pending, 1));
    expect(gup(machine, mm, AT, 1, FOLL_INTERRUPTIBLE).got).toBe(-EINTR);
    const { got, pages } = gup(machine, mm, AT, 1, 0);
    expect(got).toBe(1);
    putAll(machine, pages);
  });

  it('gives what it could have when memory ends, and then says -ENOMEM', () => {
    const machine = new SequentialMachine({ memoryPages: 64, minFreeKbytes: 16, mm: ERA_MM });
    const mm = machine.process([anonymous(AT, 100)]);
    const { got, pages } = gup(machine, mm, AT, 100, FOLL_WRITE);
    expect(got).toBe(pages.length);
    expect(got).toBeGreaterThan(20);
    expect(got).toBeLessThan(64);
    expect(gup(machine, mm, AT + got, 1, FOLL_WRITE).got).toBe(-ENOMEM);
    putAll(machine, pages);
    expect(machine.verify()).toBeNull();
  });
});

describe('a forced write to a private mapping of a file that is read-only', () => {
  const privately = (machine: SequentialMachine) => {
    const { file } = machine.file(5, 4096);
    const mm = machine.process();
    machine.mmap(mm, { address: AT, pages: 1, prot: PROT_READ, flags: MAP_PRIVATE | MAP_FIXED, file, pgoff: 0 });
    return { mm, file };
  };

  it.each([false, true])('gets a copy (page mapped before: %s); the area stays read-only', (touched) => {
    const machine = small();
    const { mm } = privately(machine);
    if (touched) machine.touch(mm, AT);
    expect(gup(machine, mm, AT, 1, FOLL_WRITE).got).toBe(-EFAULT);
    const { got, pages } = gup(machine, mm, AT, 1, FOLL_WRITE | FOLL_FORCE);
    expect(got).toBe(1);
    expect(machine.run(pageAnon(pages[0]))).toBe(true);
    expect(machine.run(readContent(pages[0])).identity).toBe(contentOf(5, 0));
    expect(machine.touch(mm, AT, 'write').error).not.toBe(0);
    putAll(machine, pages);
    expect(machine.verify()).toBeNull();
  });

  it.each([
    { without: [], anonymous: true },
    { without: ['getUserPages.follCow'], anonymous: false },
  ])('C14: also when the copy is thrown away before it is looked for; without $without', ({ without, anonymous }) => {
    const machine = small();
    machine.look(() => omitGuards(without));
    const { mm } = privately(machine);
    machine.touch(mm, AT);
    // The lock is taken to look, to begin the fault, for the anon_vma, and to put the copy in; then, before the next look, the copy goes.
    let locks = 0;
    machine.engine.interposition = {
      mm,
      before: (name, address) => name === 'spin_lock' && address === MmStruct.pageTableLock(mm) && ++locks === 5,
      op: () => sysMadvise(AT, 1, MADV_DONTNEED),
    };
    const { got, pages } = gup(machine, mm, AT, 1, FOLL_WRITE | FOLL_FORCE);
    expect(got).toBe(1);
    expect(locks).toBe(5);
    expect(machine.run(pageAnon(pages[0]))).toBe(anonymous);
    putAll(machine, pages);
    expect(machine.verify()).toBeNull();
  });

  it('is refused for a shared mapping', () => {
    const machine = small();
    const { file } = machine.file(5, 4096);
    const mm = machine.process();
    machine.mmap(mm, { address: AT, pages: 1, prot: PROT_READ, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
    expect(gup(machine, mm, AT, 1, FOLL_WRITE | FOLL_FORCE).got).toBe(-EFAULT);
  });
});

describe.each([0, 1])('get_user_pages_fast, gupSpeculative %i', (gupSpeculative) => {
  it('takes no lock for pages that may be accessed already', () => {
    const machine = small({ gupSpeculative });
    const mm = machine.process([anonymous(510, 4)]); // of two page tables
    for (let page = 510; page < 514; page++) machine.write(mm, page, page);
    const locked: string[] = [];
    machine.engine.interposition = {
      mm,
      before: (name) => {
        if (/lock|down|sem/.test(name) && !name.startsWith('rcu_read')) locked.push(name);
        return false;
      },
      op: () => flushTlbMm(mm),
    };
    const { got, pages } = gupFast(machine, mm, 510, 4, true);
    machine.engine.interposition = null;
    expect(got).toBe(4);
    expect(locked).toEqual([]);
    expect(pages).toEqual([...frames(machine, mm).values()]);
    putAll(machine, pages);
    expect(machine.verify()).toBeNull();
  });

  const area = fc.record({ writable: fc.boolean(), shared: fc.boolean(), ofFile: fc.boolean() });
  const touches = fc.array(fc.tuple(fc.nat(7), fc.constantFrom('read' as const, 'write' as const)), { maxLength: 10 });

  it('finds what get_user_pages finds, and leaves the memory as that would', () => {
    fc.assert(
      fc.property(fc.array(area, { minLength: 1, maxLength: 4 }), touches, fc.boolean(), (areas, touched, write) => {
        const [slow, fast] = [0, 1].map(() => {
          const machine = small({ gupSpeculative, zeroPageReads: 1 });
          const { file } = machine.file(5, 7 * 4096);
          const mm = machine.process();
          for (const [i, { writable, shared, ofFile }] of areas.entries()) {
            const flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (ofFile ? 0 : 0x20);
            const source: Ptr<File> | 0 = ofFile ? file : NULL;
            const prot = writable ? RW : PROT_READ;
            machine.mmap(mm, { address: 508 + 2 * i, pages: 2, prot, flags, file: source, pgoff: 2 * i });
          }
          for (const [page, kind] of touched) machine.touch(mm, 508 + page, kind);
          return { machine, mm };
        });
        const a = gup(slow.machine, slow.mm, 508, 8, write ? FOLL_WRITE : 0);
        const b = gupFast(fast.machine, fast.mm, 508, 8, write);
        expect(b.got).toBe(a.got);
        const offset = (machine: SequentialMachine, pages: readonly Ptr<Page>[]): unknown[] =>
          pages.map((page) => machine.run(readContent(page)));
        expect(offset(fast.machine, b.pages)).toEqual(offset(slow.machine, a.pages));
        const places = ({ machine, mm }: typeof slow): unknown[] =>
          machine.look(() => residentPages(mm)).map(({ vpage, kind, writable }) => ({ vpage, kind, writable }));
        expect(places(fast)).toEqual(places(slow));
        putAll(slow.machine, a.pages);
        putAll(fast.machine, b.pages);
        expect(fast.machine.verify()).toBeNull();
      }),
      { numRuns: 15 },
    );
  });
});

describe('a look at the entry again', () => {
  const remapped = function* (mm: Ptr<MmStruct>): Op<void> {
    yield* sysMadvise(AT, 1, MADV_DONTNEED);
    yield* flushTlbMm(mm);
  };

  it.each([
    { without: [], fresh: true },
    { without: ['getUserPagesFast.pteRecheck'], fresh: false },
  ])('shows that the page went while its reference was taken; without $without', ({ without, fresh }) => {
    const machine = small({ gupSpeculative: 1 });
    machine.look(() => omitGuards(without));
    const mm = machine.process([anonymous(AT, 1)]);
    machine.write(mm, AT, 7);
    const old = frames(machine, mm).get(AT) as Ptr<Page>;
    const count = Page._count(old);
    machine.engine.interposition = {
      mm,
      // Between the entry and the reference; a batch of the LRU lists has one more, or the page would be free.
      before: (name, address) => name === 'atomic_add_unless' && address === count,
      op: () => remapped(mm),
    };
    const { got, pages } = gupFast(machine, mm, AT, 1, true);
    expect(got).toBe(1);
    expect(machine.engine.interposition).toBeNull();
    expect(pages[0] === frames(machine, mm).get(AT)).toBe(fresh);
    expect(pages[0] === old).toBe(!fresh);
    putAll(machine, pages);
    expect(machine.verify()).toBeNull();
  });
});
