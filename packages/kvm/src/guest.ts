// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { atomicCmpxchg, condResched, load, NULL } from '@lockless/cpu';
import { type Content, readContent, writeContent } from '@lockless/mm';
import type { Page } from '@lockless/mm-types';
import { PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_RW, type Pte, readPte } from '@lockless/rmap';
import { enterGuest, exitGuest } from './guest-mode.js';
import { type Kvm, KvmVcpu } from './kvm-host.js';
import { tdpPageFault } from './mmu.js';
import { sptePage, sptepOf } from './spte.js';

/** What an instruction of the guest ended in. */
export interface GuestAccess {
  /** 0, or -EFAULT: no such memory; -ENOMEM. */
  readonly error: number;
  /** Faults of the shadow tables that it took. */
  readonly faults: number;
  /** The frame at the time of the access, NULL on error. Only a name. */
  readonly page: Ptr<Page> | Null;
  /** What was read there. For writes: what is there now. */
  readonly content: Content;
}

const NOTHING: Content = { identity: 0, version: 0 };

/** What the instruction does with the frame, while the translation stands. */
type Instruction = (page: Ptr<Page>) => Op<Content>;

/**
 * One instruction of the guest that touches memory: the walk of the shadow tables by the CPU that is in the guest, and a fault, as often as it takes.
 *
 * The walk takes no lock: whoever gives up a shadow entry flushes, and so waits for its end (guest-mode.ts).
 *
 * *Context*: a task of the process; no locks. Sleeps. *Source*: vcpu_enter_guest(), arch/x86/kvm/x86.c, 2.6.27, around one instruction.
 */
function* guestAccess(vcpu: Ptr<KvmVcpu>, gfn: number, write: boolean, instruction: Instruction): Op<GuestAccess> {
  const kvm = yield* load(KvmVcpu.kvm(vcpu));
  for (let faults = 0; ; faults++) {
    yield* enterGuest(vcpu);
    const page = yield* walk(kvm, gfn, write);
    if (page !== NULL) {
      const content = yield* instruction(page);
      yield* exitGuest(vcpu);
      return { error: 0, faults, page, content };
    }
    yield* exitGuest(vcpu);
    const error = yield* tdpPageFault(vcpu, gfn, write);
    if (error !== 0) return { error, faults: faults + 1, page: NULL, content: NOTHING };
    if (faults > 0) yield* condResched();
  }
}

/** The MMU's walk. NULL: a fault. *Context*: in the guest. */
function* walk(kvm: Ptr<Kvm>, gfn: number, write: boolean): Op<Ptr<Page> | Null> {
  const sptep = yield* sptepOf(kvm, gfn);
  if (sptep === NULL) return NULL;
  const needs = PTE_PRESENT | (write ? PTE_RW : 0);
  const marks = PTE_ACCESSED | (write ? PTE_DIRTY : 0);
  for (let entry = yield* readPte(sptep); (entry & needs) === needs; ) {
    if ((entry & marks) === marks) return sptePage(entry, gfn);
    const seen = yield* atomicCmpxchg(sptep, entry, (entry | marks) as Pte);
    if (seen === entry) return sptePage(entry, gfn);
    entry = seen;
  }
  return NULL;
}

/** The guest reads one of its pages. */
export const guestRead = (vcpu: Ptr<KvmVcpu>, gfn: number): Op<GuestAccess> =>
  guestAccess(vcpu, gfn, false, readContent);

/** The guest writes one of its pages: as `userWrite` of `@lockless/mm`, by the other MMU. */
export const guestWrite = (vcpu: Ptr<KvmVcpu>, gfn: number, datum: Content): Op<GuestAccess> =>
  guestAccess(vcpu, gfn, true, (page) => writeContent(page, datum));
