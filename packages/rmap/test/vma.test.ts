// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { load, NULL, peek, SequentialEngine } from '@lockless/cpu';
import { MmStruct, VM_DONTEXPAND, VM_READ, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import { expect, test } from 'vitest';
import { anonVmaPrepare } from '../src/anon-vma-prepare.js';
import { checkAnonVmaLists, checkAreas } from '../src/invariants.js';
import { mmAlloc } from '../src/mm.js';
import { findVmaIntersection } from '../src/vma.js';
import { splitVma, vmaAdjust } from '../src/vma-adjust.js';
import { copyVma } from '../src/vma-merge.js';
import { areasOf } from '../src/walk-mm.js';
import { mapArea, protectArea } from './address-space.js';

function inMm(body: (mm: Ptr<MmStruct>) => Op<void>, failAllocation?: () => boolean): void {
  new SequentialEngine(failAllocation ? { failAllocation } : {}).run(
    (function* () {
      yield* body((yield* mmAlloc()) as Ptr<MmStruct>);
    })(),
  );
}
const anonymous = (start: number, pages: number, vmFlags: number = VM_READ) => ({
  start,
  pages,
  vmFlags,
  file: NULL,
  pgoff: start,
});

test('the eight cases of vma_merge', () => {
  const ranges = (mm: Ptr<MmStruct>) =>
    areasOf(mm).map(({ vma, start, end }) => [start, end, peek(VmAreaStruct.vmFlags(vma))]);
  const W = VM_READ | VM_WRITE;
  const cases: [name: string, before: [number, number, number][], from: number, to: number, after: number[][]][] = [
    [
      '4',
      [
        [10, 20, VM_READ],
        [20, 30, W],
      ],
      15,
      20,
      [
        [10, 15, VM_READ],
        [15, 30, W],
      ],
    ],
    [
      '5',
      [
        [10, 20, W],
        [20, 30, VM_READ],
      ],
      20,
      25,
      [
        [10, 25, W],
        [25, 30, VM_READ],
      ],
    ],
    [
      '6',
      [
        [10, 20, W],
        [20, 30, VM_READ],
        [30, 40, W],
      ],
      20,
      30,
      [[10, 40, W]],
    ],
    [
      '7',
      [
        [10, 20, W],
        [20, 30, VM_READ],
        [35, 40, W],
      ],
      20,
      30,
      [
        [10, 30, W],
        [35, 40, W],
      ],
    ],
    [
      '8',
      [
        [10, 15, W],
        [20, 30, VM_READ],
        [30, 40, W],
      ],
      20,
      30,
      [
        [10, 15, W],
        [20, 40, W],
      ],
    ],
  ];
  for (const [name, before, from, to, after] of cases) {
    inMm(function* (mm) {
      for (const [start, end, flags] of before) yield* mapArea(mm, anonymous(start, end - start, flags));
      yield* protectArea(mm, from, to, W);
      expect(ranges(mm), `case ${name}`).toEqual(after);
      expect(checkAreas(mm)).toBe(null);
    });
  }
  inMm(function* (mm) {
    yield* mapArea(mm, anonymous(10, 5));
    yield* mapArea(mm, anonymous(20, 5));
    yield* mapArea(mm, anonymous(30, 5));
    yield* mapArea(mm, anonymous(15, 2)); // case 2
    yield* mapArea(mm, anonymous(28, 2)); // case 3
    expect(ranges(mm)).toEqual([
      [10, 17, VM_READ],
      [20, 25, VM_READ],
      [28, 35, VM_READ],
    ]);
    yield* mapArea(mm, anonymous(17, 3)); // case 1
    expect(ranges(mm)).toEqual([
      [10, 25, VM_READ],
      [28, 35, VM_READ],
    ]);
  });
});

test('areas with VM_DONTEXPAND never merge', () => {
  inMm(function* (mm) {
    yield* mapArea(mm, anonymous(10, 5, VM_READ | VM_DONTEXPAND));
    yield* mapArea(mm, anonymous(15, 5, VM_READ | VM_DONTEXPAND));
    expect(areasOf(mm)).toHaveLength(2);
  });
});

test('areas with different anon_vmas do not merge; with one, the importer gets it', () => {
  inMm(function* (mm) {
    const low = yield* mapArea(mm, anonymous(10, 5));
    const high = yield* mapArea(mm, anonymous(20, 5));
    yield* anonVmaPrepare(low);
    yield* anonVmaPrepare(high);
    yield* mapArea(mm, anonymous(15, 5));
    expect(areasOf(mm).map((a) => [a.start, a.end])).toEqual([
      [10, 20],
      [20, 25],
    ]);
    expect(checkAnonVmaLists([mm])).toBe(null);
  });
  inMm(function* (mm) {
    const low = yield* mapArea(mm, anonymous(10, 5));
    const high = yield* mapArea(mm, anonymous(20, 5));
    yield* anonVmaPrepare(high);
    const anonVma = peek(VmAreaStruct.anonVma(high));
    yield* mapArea(mm, anonymous(15, 5));
    expect(areasOf(mm)).toEqual([{ vma: low, start: 10, end: 25 }]);
    expect(peek(VmAreaStruct.anonVma(low))).toBe(anonVma);
    expect(checkAnonVmaLists([mm])).toBe(null);
  });
});

test('anon_vma_prepare shares the anon_vma of a neighbour that differs in rights only', () => {
  inMm(function* (mm) {
    const low = yield* mapArea(mm, anonymous(10, 5, VM_READ));
    const high = yield* mapArea(mm, anonymous(15, 5, VM_READ | VM_WRITE));
    yield* anonVmaPrepare(high);
    yield* anonVmaPrepare(low);
    expect(peek(VmAreaStruct.anonVma(low))).toBe(peek(VmAreaStruct.anonVma(high)));
    yield* protectArea(mm, 10, 15, VM_READ | VM_WRITE);
    expect(areasOf(mm)).toHaveLength(1);
  });
});

test('split_vma: -ENOMEM when there are too many areas or no memory; nothing changes', () => {
  let failing = false;
  inMm(
    function* (mm) {
      const vma = yield* mapArea(mm, anonymous(10, 10));
      expect(yield* splitVma(mm, vma, 15, false, 1)).toBe(-12);
      failing = true;
      expect(yield* splitVma(mm, vma, 15, false)).toBe(-12);
      expect(yield* anonVmaPrepare(vma)).toBe(-12);
      expect(areasOf(mm)).toHaveLength(1);
      failing = false;
      yield* load(MmStruct.mmap(mm));
      expect(yield* splitVma(mm, vma, 15, false)).toBe(0);
      expect(areasOf(mm).map((a) => [a.start, a.end])).toEqual([
        [10, 15],
        [15, 20],
      ]);
    },
    () => failing,
  );
});

test('copy_vma: a new area with the same numbering, or a neighbour that grows, even the source itself', () => {
  inMm(function* (mm) {
    const vma = yield* mapArea(mm, anonymous(10, 10));
    yield* anonVmaPrepare(vma);
    const far = yield* copyVma(vma, 100, 10, 10);
    expect(far !== NULL && [far.source, peek(VmAreaStruct.vmPgoff(far.copy))]).toEqual([vma, 10]);
    expect(checkAnonVmaLists([mm])).toBe(null);
    const unfaulted = yield* mapArea(mm, anonymous(40, 10));
    const renumbered = yield* copyVma(unfaulted, 50, 5, 45);
    expect(renumbered).toEqual({ copy: unfaulted, source: unfaulted });
    expect(checkAreas(mm)).toBe(null);
  });
});

test('find_vma_intersection and the growth of an area in place', () => {
  inMm(function* (mm) {
    const vma = yield* mapArea(mm, anonymous(10, 10));
    expect(yield* findVmaIntersection(mm, 0, 10)).toBe(NULL);
    expect(yield* findVmaIntersection(mm, 0, 11)).toBe(vma);
    yield* vmaAdjust(vma, 10, 30, 10);
    expect(yield* findVmaIntersection(mm, 29, 40)).toBe(vma);
    expect(checkAreas(mm)).toBe(null);
  });
});
