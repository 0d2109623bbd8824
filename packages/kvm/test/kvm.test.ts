// SPDX-License-Identifier: GPL-2.0-only
import { type Op, type Ptr, peek, poke, type SequentialEngine, STATIC_WORDS } from '@lockless/cpu';
import {
  dupMm,
  exitMm,
  MADV_DONTNEED,
  PROT_READ,
  residentPages,
  sysMadvise,
  sysMprotect,
  sysMremap,
  sysMunmap,
  userRead,
} from '@lockless/mm';
import { EFAULT, EINVAL, type MmStruct, Page, taskMm } from '@lockless/mm-types';
import { mmuNotifierClearFlushYoung } from '@lockless/mmu-notifier';
import { describe, expect, it } from 'vitest';
import {
  guestRead,
  guestWrite,
  kvmDestroyVm,
  kvmReleaseVcpu,
  kvmSetMemoryRegion,
  PAGES_PER_SLOT,
  sptesOf,
} from '../src/index.js';
import { Host, START } from './host.js';

describe('a guest', () => {
  it('sees what the process writes, and the process what the guest writes', () => {
    const host = new Host();
    host.write(0, 1);
    const read = host.run(guestRead(host.vcpu, 0));
    expect(read).toMatchObject({ error: 0, faults: 1, content: { identity: -7, version: 1 } });
    expect(host.run(guestRead(host.vcpu, 0)).faults).toBe(0);
    host.write(0, 2);
    expect(host.seenByGuest(0)).toBe(2);
    expect(host.run(guestWrite(host.vcpu, 1, { identity: -8, version: 5 }))).toMatchObject({ error: 0 });
    expect(host.run(userRead(START + 1)).content).toEqual({ identity: -8, version: 5 });
    expect(host.shadowed).toEqual([0, 1]);
  });

  it('holds no reference: its pages are counted as if it were not there', () => {
    const host = new Host();
    host.write(0, 1);
    const [{ page }] = host.look(() => residentPages(host.mm));
    const before = host.look(() => peek(Page._count(page)));
    host.seenByGuest(0);
    expect(host.shadowed).toEqual([0]);
    expect(host.look(() => peek(Page._count(page)))).toBe(before);
  });

  it('reads zeros of memory that nobody wrote, and what is written there later', () => {
    const host = new Host();
    expect(host.run(guestRead(host.vcpu, 3))).toMatchObject({ error: 0, content: { identity: 0 } });
    host.write(3, 4);
    expect(host.seenByGuest(3)).toBe(4);
  });

  it('loses its entries when those of the process change, and faults again', () => {
    const host = new Host();
    for (let page = 0; page < 4; page++) host.write(page, 1);
    const touch = (): void => {
      for (let page = 0; page < 4; page++) host.seenByGuest(page);
    };
    touch();
    expect(host.shadowed).toEqual([0, 1, 2, 3]);
    host.run(sysMadvise(START + 1, 2, MADV_DONTNEED));
    expect(host.shadowed).toEqual([0, 3]);
    expect(host.seenByGuest(1)).toBe(0);
    touch();
    host.run(sysMprotect(START + 2, 2, PROT_READ));
    expect(host.shadowed).toEqual([0, 1]);
    expect(host.run(guestWrite(host.vcpu, 2, { identity: -9, version: 1 })).error).toBe(-EFAULT);
    host.run(sysMunmap(START + 3, 1));
    expect(host.run(guestRead(host.vcpu, 3)).error).toBe(-EFAULT);
    host.run(sysMremap({ address: START, oldPages: 1, newPages: 1, flags: 3, newAddress: 3000 }));
    expect(host.shadowed).toEqual([1]);
    expect(host.run(guestRead(host.vcpu, 0)).error).toBe(-EFAULT);
  });

  it('may not write a page in place that a child has as well', () => {
    const host = new Host();
    host.write(0, 1);
    host.run(guestWrite(host.vcpu, 0, { identity: -7, version: 2 }));
    const child = host.run(dupMm(host.mm)) as Ptr<MmStruct>;
    expect(host.shadowed).toEqual([]);
    host.run(guestWrite(host.vcpu, 0, { identity: -7, version: 3 }));
    host.run(
      (function* (): Op<void> {
        poke(taskMm(host.engine.cpu.current as never), child);
        expect((yield* userRead(START)).content.version).toBe(2);
        yield* exitMm();
      })(),
    );
  });

  it('tells whether it used a page', () => {
    const host = new Host();
    host.write(0, 1);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START))).toBe(false);
    host.seenByGuest(0);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START))).toBe(true);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START))).toBe(false);
    host.seenByGuest(0);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START))).toBe(true);
  });

  it('changes its slots, and refuses what is no slot', () => {
    const host = new Host();
    host.write(0, 1);
    host.write(1, 2);
    host.seenByGuest(0);
    expect(host.run(kvmSetMemoryRegion(host.kvm, 0, START + 1, 2))).toBe(0);
    expect(host.seenByGuest(0)).toBe(2);
    expect(host.run(guestRead(host.vcpu, 2)).error).toBe(-EFAULT);
    expect(host.run(guestRead(host.vcpu, PAGES_PER_SLOT)).error).toBe(-EFAULT);
    expect(host.run(kvmSetMemoryRegion(host.kvm, 99, START, 2))).toBe(-EINVAL);
    expect(host.run(kvmSetMemoryRegion(host.kvm, 0, START, PAGES_PER_SLOT + 1))).toBe(-EINVAL);
  });

  it.each(['the guest', 'the process'] as const)('nothing is left when %s goes first', (first) => {
    const host = new Host();
    host.write(0, 1);
    host.seenByGuest(0);
    const destroy = function* (): Op<void> {
      yield* kvmReleaseVcpu(host.vcpu);
      yield* kvmDestroyVm(host.kvm);
    };
    if (first === 'the guest') host.run(destroy());
    host.run(exitMm());
    if (first === 'the process') {
      expect(host.look(() => sptesOf(host.kvm))).toEqual([]);
      host.run(destroy());
    }
    const left = ['mm_struct', 'kvm', 'kvm_vcpu', 'kvm_mmu_page', 'mmu_notifier_mm', 'vm_area_struct'];
    const live = host.look(() => liveObjects(host.engine));
    for (const name of left) expect([name, live.get(name) ?? 0]).toEqual([name, 0]);
  });
});

/** Live objects by the name of their struct. */
function liveObjects({ heap }: SequentialEngine): Map<string, number> {
  const found = new Map<string, number>();
  for (let word = STATIC_WORDS; word < heap.end; word += 16) {
    const at = heap.locate(word);
    if (at === null || at.base !== word || at.index !== null) continue;
    try {
      heap.check(word);
    } catch {
      continue;
    }
    found.set(at.name, (found.get(at.name) ?? 0) + 1);
  }
  return found;
}
