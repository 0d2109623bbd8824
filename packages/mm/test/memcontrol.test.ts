// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import {
  MemCgroup,
  memCgroupAttach,
  memCgroupCreate,
  memCgroupDestroy,
  memCgroupForceEmpty,
  ResCounter,
  rootMemCgroup,
} from '@lockless/memcontrol';
import { ENOMEM, type MmStruct } from '@lockless/mm-types';
import { describe, expect, it } from 'vitest';
import { MAP_SHARED, memCgroupMoveTask, PROT_READ } from '../src/index.js';
import { anonymous, SequentialMachine } from './sequential-machine.js';

const BASE = 2000;

class Charging extends SequentialMachine {
  constructor() {
    super({ memCgroup: true, mm: { faultAroundPages: 1 } });
  }
  group(limit: number): Ptr<MemCgroup> {
    const mem = this.run(memCgroupCreate(limit));
    if (mem === NULL) throw new Error('no memory for a group');
    return mem;
  }
  processIn(mem: Ptr<MemCgroup>, pages: number): Ptr<MmStruct> {
    const mm = this.process([anonymous(BASE, pages)]);
    this.run(memCgroupAttach(mm, mem));
    return mm;
  }
  usage(mem: Ptr<MemCgroup>): number {
    return this.look(() => peek(ResCounter.usage(MemCgroup.res(mem))));
  }
  failures(mem: Ptr<MemCgroup>): number {
    return this.look(() => peek(ResCounter.failcnt(MemCgroup.res(mem))));
  }
}

describe('memory of a process is charged to its group', () => {
  it('anonymous pages from the first fault until the last mapping goes; copies to who writes', () => {
    const machine = new Charging();
    const [mem, other] = [machine.group(100), machine.group(100)];
    const mm = machine.processIn(mem, 4);
    for (let i = 0; i < 4; i++) machine.write(mm, BASE + i, -1 - i);
    expect(machine.usage(mem)).toBe(4);
    const child = machine.fork(mm);
    machine.run(memCgroupAttach(child, other));
    expect([machine.usage(mem), machine.usage(other)]).toEqual([4, 0]);
    machine.write(child, BASE, 7);
    expect([machine.usage(mem), machine.usage(other)]).toEqual([4, 1]);
    machine.exit(mm);
    // What the child shares was charged to the parent's group, and still is.
    expect([machine.usage(mem), machine.usage(other)]).toEqual([3, 1]);
    machine.exit(child);
    expect([machine.usage(mem), machine.usage(other), machine.usage(rootMemCgroup)]).toEqual([0, 0, 0]);
    machine.run(memCgroupDestroy(mem));
    expect(machine.verify()).toBeNull();
  });

  it('a page of a file to who reads it first, as long as it is in the cache; the limit is kept by reclaim', () => {
    const machine = new Charging();
    const { file } = machine.file(5, 40 * 4096);
    const mem = machine.group(8);
    const mm = machine.processIn(mem, 1);
    const at = machine.mmap(mm, { address: 0, pages: 40, prot: PROT_READ, flags: MAP_SHARED, file, pgoff: 0 });
    for (let i = 0; i < 40; i++) {
      expect(machine.read(mm, at + i).error).toBe(0);
      expect(machine.usage(mem)).toBeLessThanOrEqual(8);
    }
    expect(machine.failures(mem)).toBeGreaterThan(0);
    machine.exit(mm);
    expect(machine.usage(mem)).toBeGreaterThan(0);
    expect(machine.run(memCgroupForceEmpty(mem))).toBe(0);
    expect(machine.usage(mem)).toBe(0);
    machine.run(memCgroupDestroy(mem));
    expect(machine.verify()).toBeNull();
  });

  it('anonymous memory over the limit, where there is no swap: the fault fails', () => {
    const machine = new Charging();
    const mem = machine.group(3);
    const mm = machine.processIn(mem, 5);
    const errors = [0, 1, 2, 3, 4].map((i) => machine.write(mm, BASE + i, -1 - i).error);
    expect(errors).toEqual([0, 0, 0, -ENOMEM, -ENOMEM]);
    expect(machine.usage(mem)).toBe(3);
    machine.exit(mm);
    expect(machine.usage(mem)).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('a process that goes to another group takes its pages along, as far as there is room', () => {
    const machine = new Charging();
    const [from, to] = [machine.group(100), machine.group(3)];
    const mm = machine.processIn(from, 5);
    for (let i = 0; i < 5; i++) machine.write(mm, BASE + i, -1 - i);
    expect(machine.run(memCgroupMoveTask(mm, from, to))).toBe(3);
    expect([machine.usage(from), machine.usage(to)]).toEqual([2, 3]);
    machine.exit(mm);
    expect([machine.usage(from), machine.usage(to)]).toEqual([0, 0]);
    expect(machine.verify()).toBeNull();
  });
});
