// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { ListHead, omitGuards, peek, poke, RwSemaphore, STATIC_WORDS, TaskStruct } from '@lockless/cpu';
import { AddressSpace, AnonVma, AS_EIO, AS_MM_ALL_LOCKS, EINTR, MmStruct, VmAreaStruct } from '@lockless/mm-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mmDropAllLocks, mmTakeAllLocks } from '../src/index.js';
import { type AreaPlan, Machine, type Space } from './address-space.js';

const area: fc.Arbitrary<AreaPlan> = fc.record(
  { anonVma: fc.integer({ min: 0, max: 4 }), file: fc.integer({ min: 0, max: 3 }) },
  { requiredKeys: [] },
);
const areas = fc.array(area, { maxLength: 12 });

const locksOf = ({ anonVmas, mappings }: Space): number[] => [
  ...[...mappings.values()].map((mapping) => AddressSpace.iMmapLock(mapping)),
  ...[...anonVmas.values()].map((anonVma) => AnonVma.lock(anonVma)),
];
const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

/** What is held and what is marked, seen from outside. */
function* look({ mm, anonVmas, mappings }: Space): Op<{ held: number; marked: number; readers: number }> {
  const groups: Ptr<AnonVma>[] = [...anonVmas.values()];
  const files: Ptr<AddressSpace>[] = [...mappings.values()];
  const marks = [
    ...groups.map((group) => peek(ListHead.next(AnonVma.head(group))) & 1),
    ...files.map((file) => (peek(AddressSpace.flags(file)) >>> AS_MM_ALL_LOCKS) & 1),
  ];
  const locks = [
    ...groups.map((group) => peek(AnonVma.lock(group))),
    ...files.map((file) => peek(AddressSpace.iMmapLock(file))),
  ];
  return {
    held: locks.filter((value) => value !== 0).length,
    marked: marks.filter((value) => value !== 0).length,
    readers: peek(RwSemaphore.activity(MmStruct.mmapSem(mm))),
  };
}

const acquired = (machine: Machine, space: Space): number[] => {
  const locks = new Set(locksOf(space));
  return machine.trace
    .filter(({ name, address }) => name === 'spin_lock' && locks.has(address))
    .map(({ address }) => address);
};

describe('mm_take_all_locks', () => {
  it('takes each anon_vma and each mapping once, mappings first, and drops them all', () => {
    fc.assert(
      fc.property(areas, (plan) => {
        const machine = new Machine();
        const space = machine.lockedSpace(plan);
        const all = locksOf(space);
        expect(machine.record(mmTakeAllLocks(space.mm))).toBe(0);
        const taken = acquired(machine, space);
        expect(ascending(taken)).toEqual(ascending(all));
        const files = new Set<number>([...space.mappings.values()].map((file) => AddressSpace.iMmapLock(file)));
        expect(taken.map((lock) => files.has(lock)).lastIndexOf(true)).toBe(files.size - 1);
        expect(machine.run(look(space))).toEqual({ held: all.length, marked: all.length, readers: -1 });
        machine.run(mmDropAllLocks(space.mm));
        expect(machine.run(look(space))).toEqual({ held: 0, marked: 0, readers: -1 });
        // The mutex is free: it can be taken again.
        expect(machine.run(mmTakeAllLocks(space.mm))).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('E8: a signal after any number of areas leaves nothing taken, and mmap_sem with the caller', () => {
    fc.assert(
      fc.property(areas, fc.nat({ max: 24 }), (plan, after) => {
        const machine = new Machine();
        const space = machine.lockedSpace(plan);
        const signal = TaskStruct.signalPending(machine.engine.cpu.current as Ptr<TaskStruct>);
        let looks = 0;
        machine.onAccess = (_name, address) => {
          if (address === signal && looks++ === after) machine.engine.words[signal] = 1;
        };
        const arrives = after < plan.length * 2;
        expect(machine.record(mmTakeAllLocks(space.mm))).toBe(arrives ? -EINTR : 0);
        const all = arrives ? 0 : locksOf(space).length;
        expect(machine.run(look(space))).toEqual({ held: all, marked: all, readers: -1 });
        machine.engine.words[signal] = 0;
        if (arrives) expect(machine.run(mmTakeAllLocks(space.mm))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps the other bits of the flags of a mapping', () => {
    const machine = new Machine();
    const space = machine.lockedSpace([{ file: 0 }, { file: 0 }]);
    const flags = AddressSpace.flags(space.mappings.get(0) as Ptr<AddressSpace>);
    machine.run(
      (function* (): Op<void> {
        poke(flags, 1 << AS_EIO);
        yield* mmTakeAllLocks(space.mm);
        expect(peek(flags)).toBe((1 << AS_EIO) | (1 << AS_MM_ALL_LOCKS));
        yield* mmDropAllLocks(space.mm);
        expect(peek(flags)).toBe(1 << AS_EIO);
      })(),
    );
  });

  it('is a BUG without mmap_sem, and a task that nests it waits for itself', () => {
    const machine = new Machine();
    const free = machine.space([{ anonVma: 0 }]);
    expect(() => machine.run(mmTakeAllLocks(free.mm))).toThrow('mmap_sem is not held for write');
    expect(() => machine.run(mmDropAllLocks(free.mm))).toThrow('mmap_sem is not held for write');
    const nested = new Machine();
    const space = nested.lockedSpace([]);
    nested.run(mmTakeAllLocks(space.mm));
    expect(() => nested.run(mmTakeAllLocks(space.mm))).toThrow('sleeps, and nobody else runs');
    const dropped = new Machine();
    const other = dropped.lockedSpace([]);
    expect(() => dropped.run(mmDropAllLocks(other.mm))).toThrow('nobody took them');
  });

  it.each([
    ['vmLockAnonVma.mark', { anonVma: 0 }],
    ['vmLockMapping.mark', { file: 0 }],
  ] as const)('without %s two areas that share an object are a deadlock', (guard, shared) => {
    const machine = new Machine();
    const space = machine.lockedSpace([shared, shared]);
    machine.run(
      (function* (): Op<void> {
        omitGuards([guard]);
      })(),
    );
    expect(() => machine.run(mmTakeAllLocks(space.mm))).toThrow('spin_lock');
  });

  it('has its mark in the low bit of a pointer, which is 0 in every pointer that can be there', () => {
    expect((AnonVma.$offset.head ?? 1) % 2).toBe(0);
    expect((VmAreaStruct.$offset.anonVmaNode ?? 1) % 2).toBe(0);
  });
});

describe('the cost of mm_take_all_locks and mm_drop_all_locks', () => {
  /** Accesses, with so many areas that share so many objects. */
  function cost(count: number, objects: number, kind: 'anonVma' | 'file'): { accesses: number; locked: number } {
    const machine = new Machine(STATIC_WORDS + (1 << 20));
    const space = machine.lockedSpace(Array.from({ length: count }, (_, i) => ({ [kind]: i % objects })));
    machine.record(
      (function* (): Op<void> {
        yield* mmTakeAllLocks(space.mm);
        yield* mmDropAllLocks(space.mm);
      })(),
    );
    return { accesses: machine.trace.length, locked: acquired(machine, space).length };
  }

  it.each(['anonVma', 'file'] as const)(
    '10,000 areas: one acquisition per distinct %s, and a constant for each',
    (kind) => {
      const few = cost(10_000, 1, kind);
      const more = cost(10_000, 101, kind);
      const most = cost(10_000, 10_000, kind);
      expect([few.locked, more.locked, most.locked]).toEqual([1, 101, 10_000]);
      const perObject = (more.accesses - few.accesses) / 100;
      expect(most.accesses - few.accesses).toBe(perObject * 9_999);
      // What an area costs beyond its objects is to look at it: the signal, its links, the marks.
      const perArea = (few.accesses - cost(1, 1, kind).accesses) / 9_999;
      expect(perObject).toBeLessThanOrEqual(8);
      expect(perArea).toBeLessThanOrEqual(14);
      expect(Number.isInteger(perObject) && Number.isInteger(perArea)).toBe(true);
    },
  );
});
