// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { peek } from '@lockless/cpu';
import { EINVAL, MmStruct, type Page } from '@lockless/mm-types';
import { lockPage, unlockPage } from '@lockless/page';
import { SWAP_FAIL, SWAP_SUCCESS, tryToUnmap } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MCL_FUTURE,
  residentPages,
  sysBrk,
  sysMlockall,
  sysMunlockall,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;

function machineWithFile() {
  const machine = new SequentialMachine({ memoryPages: 512, minFreeKbytes: 64, mm: { faultAroundPages: 1 } });
  const { file } = machine.file(5, 4 * 4096);
  const mm = machine.process([anonymous(AT, 2)]);
  machine.mmap(mm, { address: AT + 10, pages: 4, prot: RW, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
  const resident = (of = mm): number => machine.look(() => residentPages(of)).length;
  const lockedVm = (of = mm): number => machine.look(() => peek(MmStruct.lockedVm(of)));
  const map = (address: number): number =>
    machine.mmap(mm, {
      address,
      pages: 3,
      prot: RW,
      flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
      file: 0 as never,
      pgoff: 0,
    });
  return { machine, mm, resident, lockedVm, map };
}

describe('mlockall', () => {
  it('MCL_CURRENT: what is mapped is locked and present, what comes later is not', () => {
    const { machine, mm, resident, lockedVm, map } = machineWithFile();
    expect(machine.as(mm, sysMlockall(MCL_CURRENT))).toBe(0);
    expect([resident(), lockedVm()]).toEqual([6, 6]);
    map(AT + 100);
    expect([resident(), lockedVm()]).toEqual([6, 6]);
    expect(machine.as(mm, sysMunlockall())).toBe(0);
    expect([resident(), lockedVm()]).toEqual([6, 0]);
    expect(machine.verify()).toBeNull();
  });

  it('MCL_FUTURE: the other way round, by mmap and brk; not in a child', () => {
    const { machine, mm, resident, lockedVm, map } = machineWithFile();
    expect(machine.as(mm, sysMlockall(MCL_FUTURE))).toBe(0);
    expect([resident(), lockedVm()]).toEqual([0, 0]);
    map(AT + 100);
    expect(machine.as(mm, sysBrk(0x1000 + 2))).toBe(0x1000 + 2);
    expect([resident(), lockedVm()]).toEqual([5, 5]);
    const child = machine.fork(mm);
    expect(lockedVm(child)).toBe(0);
    machine.as(child, sysBrk(0x1000 + 4));
    expect(lockedVm(child)).toBe(0);
    machine.as(mm, sysMunlockall());
    map(AT + 200);
    expect(lockedVm()).toBe(0);
    expect(machine.verify()).toBeNull();
  });

  it('keeps reclaim off: try_to_unmap() says SWAP_FAIL until munlockall', () => {
    const { machine, mm } = machineWithFile();
    machine.as(mm, sysMlockall(MCL_CURRENT));
    const [page] = machine
      .look(() => residentPages(mm))
      .filter(({ kind }) => kind === 'file')
      .map((each): Ptr<Page> => each.page);
    const unmap = (): number =>
      machine.run(
        (function* () {
          yield* lockPage(page);
          // A used entry stays once: its mark is taken.
          yield* tryToUnmap(page, false);
          const result = yield* tryToUnmap(page, false);
          yield* unlockPage(page);
          return result as number;
        })(),
      );
    expect(unmap()).toBe(SWAP_FAIL);
    machine.as(mm, sysMunlockall());
    expect(unmap()).toBe(SWAP_SUCCESS);
    expect(machine.verify()).toBeNull();
  });

  it('refuses flags that it does not know', () => {
    const { machine, mm } = machineWithFile();
    for (const flags of [0, 4, MCL_CURRENT | 8]) expect(machine.as(mm, sysMlockall(flags))).toBe(-EINVAL);
  });
});
