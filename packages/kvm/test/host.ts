// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr, poke, SequentialEngine, STATIC_WORDS } from '@lockless/cpu';
import { boot, buildMm, PROT_READ, PROT_WRITE, userWrite } from '@lockless/mm';
import { type MmStruct, taskMm } from '@lockless/mm-types';
import { expect } from 'vitest';
import {
  guestRead,
  type Kvm,
  type KvmVcpu,
  kvmCreateVcpu,
  kvmCreateVm,
  kvmSetMemoryRegion,
  sptesAgree,
  sptesOf,
} from '../src/index.js';

export const RW: number = PROT_READ | PROT_WRITE;
export const START = 2000;
const PAGES = 8;

type BootOptions = Partial<Parameters<typeof boot>[0]>;

/** A process with some anonymous memory, and a guest that has it as its first slot. */
export class Host {
  readonly engine: SequentialEngine = new SequentialEngine({ words: STATIC_WORDS + (1 << 19) });
  readonly mm: Ptr<MmStruct>;
  readonly kvm: Ptr<Kvm>;
  readonly vcpu: Ptr<KvmVcpu>;

  constructor(options: BootOptions = {}, pages: number = PAGES) {
    this.run(boot({ cpus: 1, memoryPages: 512, minFreeKbytes: 64, ...options }));
    const area = { start: START, end: START + pages, prot: RW, shared: false, file: NULL, pgoff: 0 } as const;
    this.mm = this.run(buildMm({ segments: [area], brk: 0x1000, mmapBase: 0x7000, pid: 1 })) as Ptr<MmStruct>;
    this.look(() => poke(taskMm(this.engine.cpu.current as never), this.mm));
    this.kvm = this.run(kvmCreateVm(this.mm)).kvm as Ptr<Kvm>;
    this.vcpu = this.run(kvmCreateVcpu(this.kvm)) as Ptr<KvmVcpu>;
    expect(this.run(kvmSetMemoryRegion(this.kvm, 0, START, pages))).toBe(0);
  }

  /** Runs as a task of the process; peek and poke work in it. */
  run<T>(op: Op<T>): T {
    return this.engine.run(op);
  }

  look<T>(read: () => T): T {
    return this.run(
      (function* (): Op<T> {
        return read();
      })(),
    );
  }

  write(page: number, version: number): void {
    expect(this.run(userWrite(START + page, { identity: -7, version })).error).toBe(0);
  }

  seenByGuest(gfn: number): number {
    return this.run(guestRead(this.vcpu, gfn)).content.version;
  }

  /** Guest pages with a shadow entry. */
  get shadowed(): number[] {
    expect(this.look(() => sptesAgree(this.kvm, true))).toBe(null);
    return this.look(() => sptesOf(this.kvm)).map(({ hva }) => hva - START);
  }
}
