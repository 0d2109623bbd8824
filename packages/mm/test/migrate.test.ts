// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { mapcountOf, vmEvents } from '@lockless/page';
import { describe, expect, it } from 'vitest';
import {
  MAP_FIXED,
  MAP_SHARED,
  migrateRange,
  RMAP_DESIGNS,
  residentPages,
  swapOutRange,
  sysMremap,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;
const MREMAP_MAYMOVE_FIXED = 3;

const frames = (machine: SequentialMachine, mm: Ptr<MmStruct>): number[] =>
  machine.look(() => residentPages(mm).map(({ page }) => page));
const contents = (machine: SequentialMachine, mm: Ptr<MmStruct>, pages: number, from = AT): number[] =>
  Array.from({ length: pages }, (_, i) => machine.read(mm, from + i).content.identity);

describe.each(RMAP_DESIGNS)('move_pages, reverse mapping %s', (rmap) => {
  const boot = (): SequentialMachine =>
    new SequentialMachine({ rmap, memoryPages: 256, minFreeKbytes: 64, swapPages: 64 });
  function family(machine: SequentialMachine): Ptr<MmStruct>[] {
    const parent = machine.process([anonymous(AT, 4)]);
    for (let i = 0; i < 4; i++) machine.write(parent, AT + i, -1 - i);
    const child = machine.fork(parent);
    return [parent, child, machine.fork(child)];
  }

  it('pages that three processes share are in other frames, with what was in them, and still shared', () => {
    const machine = boot();
    const mms = family(machine);
    machine.write(mms[2], AT + 3, -40);
    const before = mms.map((mm) => frames(machine, mm));
    expect(machine.run(migrateRange(mms[0], AT, 4))).toEqual({ found: 4, failed: 0 });
    expect(machine.verify()).toBeNull();
    expect(mms.map((mm) => contents(machine, mm, 4))).toEqual([
      [-1, -2, -3, -4],
      [-1, -2, -3, -4],
      [-1, -2, -3, -40],
    ]);
    const after = mms.map((mm) => frames(machine, mm));
    for (const [i, frame] of after[0].entries()) expect(frame).not.toBe(before[0][i]);
    expect(after[1]).toEqual(after[0]);
    expect(after[2].slice(0, 3)).toEqual(after[0].slice(0, 3));
    expect(after[2][3]).toBe(before[2][3]);
    expect(machine.look(() => after[0].map((page) => mapcountOf(page as never)))).toEqual([3, 3, 3, 2]);
    expect(machine.look(() => vmEvents().pgmigrate_success)).toBe(4);
    machine.write(mms[1], AT, -10);
    expect(mms.map((mm) => contents(machine, mm, 1)[0])).toEqual([-1, -10, -1]);
    for (const mm of mms) machine.exit(mm);
    expect(machine.verify()).toBeNull();
  });

  it('pages of a file, mapped by two processes, dirty ones too; without `all` only what one process maps', () => {
    const machine = boot();
    const { file } = machine.file(7, 4 * 4096);
    const [a, b] = [machine.process(), machine.process()];
    const request = { address: AT, pages: 4, prot: RW, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 };
    expect(machine.mmap(a, request)).toBe(AT);
    expect(machine.mmap(b, { ...request, pages: 3 })).toBe(AT);
    for (let i = 0; i < 4; i++) machine.write(a, AT + i, 0);
    for (let i = 0; i < 3; i++) machine.read(b, AT + i);
    const seen = () => Array.from({ length: 4 }, (_, i) => machine.read(a, AT + i).content);
    const before = frames(machine, a);
    const alone = machine.run(migrateRange(a, AT, 4, false));
    expect(alone).toEqual({ found: 1, failed: 0 });
    expect(machine.run(migrateRange(a, AT, 3)).failed).toBe(0);
    expect(machine.verify()).toBeNull();
    expect(seen().map(({ version }) => version)).toEqual([1, 1, 1, 1]);
    for (let i = 0; i < 4; i++) machine.read(a, AT + i);
    for (const [i, frame] of frames(machine, a).entries()) expect(frame).not.toBe(before[i]);
    for (let i = 0; i < 3; i++) machine.read(b, AT + i);
    expect(frames(machine, b)).toEqual(frames(machine, a).slice(0, 3));
    machine.write(b, AT, 0);
    expect(machine.read(a, AT).content.version).toBe(2);
    expect(machine.verify()).toBeNull();
  });

  it('a page that was moved by mremap, and one that comes back from swap, migrate too', () => {
    const machine = boot();
    const mms = family(machine);
    const [parent] = mms;
    machine.as(
      parent,
      sysMremap({ address: AT, oldPages: 4, newPages: 4, flags: MREMAP_MAYMOVE_FIXED, newAddress: AT + 100 }),
    );
    expect(machine.verify()).toBeNull();
    expect(machine.run(migrateRange(parent, AT + 100, 4)).failed).toBe(0);
    expect(contents(machine, parent, 4, AT + 100)).toEqual([-1, -2, -3, -4]);
    machine.run(swapOutRange(mms[1], AT, 2));
    expect(contents(machine, mms[1], 4)).toEqual([-1, -2, -3, -4]);
    expect(machine.run(migrateRange(mms[1], AT, 4)).failed).toBe(0);
    expect(mms.slice(1).map((mm) => contents(machine, mm, 4))).toEqual([
      [-1, -2, -3, -4],
      [-1, -2, -3, -4],
    ]);
    expect(machine.verify()).toBeNull();
  });
});
