// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { EAGAIN, EINVAL, ENOMEM, type MmStruct, type Page } from '@lockless/mm-types';
import { lruAddDrain, putPage, zonePageState } from '@lockless/page';
import { swapPlaces } from '@lockless/pagecache';
import { expect, it } from 'vitest';
import {
  type BootOptions,
  getUserPagesFast,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_NOHUGEPAGE,
  PROT_NONE,
  rssOf,
  swapOutRange,
  sysMadvise,
  sysMprotect,
  sysMunmap,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 100;
const PAGES = 4;

const boot = (options: Partial<BootOptions> = {}): SequentialMachine =>
  new SequentialMachine({
    memoryPages: 512,
    minFreeKbytes: 64,
    transparentHugePages: { mode: 'madvise', order: 2 },
    ...options,
  });
const collapse = (machine: SequentialMachine, mm: Ptr<MmStruct>, at = AT, pages = PAGES): number =>
  machine.as(mm, sysMadvise(at, pages, MADV_COLLAPSE));
const huge = (machine: SequentialMachine): number => machine.look(() => zonePageState().nr_anon_transparent_hugepages);
const contents = (machine: SequentialMachine, mm: Ptr<MmStruct>): number[] =>
  Array.from({ length: PAGES }, (_, i) => machine.read(mm, AT + i).content.identity);

it('what is there becomes one page, with zeros where nothing is; the table is laid by for the split', () => {
  const machine = boot();
  const mm = machine.process([anonymous(AT, 12)]);
  expect(collapse(machine, mm)).toBe(-EINVAL);
  machine.write(mm, AT, 7);
  machine.write(mm, AT + 2, 9);
  expect(collapse(machine, mm)).toBe(0);
  expect([huge(machine), machine.look(() => rssOf(mm)).anon]).toEqual([1, PAGES]);
  expect(contents(machine, mm)).toEqual([7, 0, 9, 0]);
  expect(machine.write(mm, AT + 1, 8).faults).toBe(0);
  expect(machine.verify()).toBeNull();
  expect(collapse(machine, mm)).toBe(0);
  expect(machine.as(mm, sysMunmap(AT, 1))).toBe(0);
  expect(machine.read(mm, AT + 1).content.identity).toBe(8);
  expect(machine.verify()).toBeNull();
  machine.exit(mm);
  expect(machine.verify()).toBeNull();
});

it('a pinned page is left where it is, and the table with it', () => {
  const machine = boot();
  const mm = machine.process([anonymous(AT, PAGES)]);
  for (let i = 0; i < PAGES; i++) machine.write(mm, AT + i, 1 + i);
  machine.run(lruAddDrain());
  const pages: Ptr<Page>[] = [];
  machine.as(mm, getUserPagesFast(AT + 3, 1, true, pages));
  expect(collapse(machine, mm)).toBe(-EAGAIN);
  expect([huge(machine), ...contents(machine, mm)]).toEqual([0, 1, 2, 3, 4]);
  machine.run(putPage(pages[0]));
  expect(collapse(machine, mm)).toBe(0);
  expect([huge(machine), ...contents(machine, mm)]).toEqual([1, 1, 2, 3, 4]);
});

it('what relatives share is copied, what is in swap comes back, and its place is free', () => {
  const machine = boot({ swapPages: 64 });
  const parent = machine.process([anonymous(AT, PAGES)]);
  for (let i = 0; i < PAGES; i++) machine.write(parent, AT + i, 1 + i);
  machine.run(swapOutRange(parent, AT, 2));
  const child = machine.fork(parent);
  for (const mm of [child, parent]) {
    expect(collapse(machine, mm)).toBe(0);
    expect(machine.verify()).toBeNull();
  }
  expect([huge(machine), ...contents(machine, parent), ...contents(machine, child)]).toEqual([
    2, 1, 2, 3, 4, 1, 2, 3, 4,
  ]);
  const { free, total } = machine.look(() => ({ ...swapPlaces() }));
  expect(free).toBe(total);
  machine.exit(parent);
  machine.exit(child);
  expect(machine.verify()).toBeNull();
});

it('pages without rights become a huge page without rights', () => {
  const machine = boot();
  const mm = machine.process([anonymous(AT, PAGES)]);
  machine.write(mm, AT + 1, 5);
  expect(machine.as(mm, sysMprotect(AT, PAGES, PROT_NONE))).toBe(0);
  expect(collapse(machine, mm)).toBe(0);
  expect(machine.read(mm, AT + 1).error).not.toBe(0);
  expect(machine.as(mm, sysMprotect(AT, PAGES, RW))).toBe(0);
  expect([huge(machine), ...contents(machine, mm)]).toEqual([1, 0, 5, 0, 0]);
  expect(machine.verify()).toBeNull();
});

it.each([
  ['a range that begins within', AT + 1, 2, -EINVAL],
  ['one that has no whole room, from its begin', AT, 2, 0],
  ['the end of one and the begin of the next', AT + 1, PAGES, 0],
  ['one with a room that was never touched', AT, 2 * PAGES, -EINVAL],
  ['one that is not mapped at its end', AT, 4 * PAGES, -EINVAL],
])('the range is %s', (_, at, pages, result) => {
  const machine = boot();
  const mm = machine.process([anonymous(AT, 3 * PAGES)]);
  machine.write(mm, AT, 1);
  expect(collapse(machine, mm, at, pages)).toBe(result);
  expect(huge(machine)).toBe(pages >= PAGES && at === AT ? 1 : 0);
});

it('an area that is told not to has none; what was given up is -EINVAL no longer; a hole behind is -ENOMEM', () => {
  const machine = boot();
  const mm = machine.process([anonymous(AT, PAGES)]);
  machine.write(mm, AT, 1);
  expect(machine.as(mm, sysMadvise(AT, 1, MADV_DONTNEED))).toBe(0);
  expect(collapse(machine, mm, AT, 2 * PAGES)).toBe(-ENOMEM);
  expect([huge(machine), ...contents(machine, mm)]).toEqual([1, 0, 0, 0, 0]);
  const other = machine.process([anonymous(AT, PAGES)]);
  machine.write(other, AT, 1);
  expect(machine.as(other, sysMadvise(AT, PAGES, MADV_NOHUGEPAGE))).toBe(0);
  expect(collapse(machine, other)).toBe(-EINVAL);
});

it('without memory for a huge page all stays as it is', () => {
  const machine = boot({ memoryPages: 60, minFreeKbytes: 0, transparentHugePages: { mode: 'madvise', order: 5 } });
  const mm = machine.process([anonymous(96, 32)]);
  for (let i = 0; i < 28; i++) machine.write(mm, 96 + i, 1 + i);
  expect(collapse(machine, mm, 96, 32)).toBe(-ENOMEM);
  expect([huge(machine), ...contents(machine, mm)]).toEqual([0, 5, 6, 7, 8]);
  expect(machine.verify()).toBeNull();
});
