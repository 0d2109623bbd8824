// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { atomicSet, GFP_KERNEL, kmemCacheAlloc, NULL, peek, poke, readOnce, store } from '@lockless/cpu';
import {
  Kvm,
  KvmMmuPage,
  type KvmVcpu,
  kvmCachep,
  kvmCreateVcpu,
  kvmMmuNotifierOps,
  kvmSetMemoryRegion,
  mmuPageCachep,
  sptepOf,
  sptesAgree,
  tdpPageFault,
} from '@lockless/kvm';
import { adoptMm } from '@lockless/mm';
import { MmStruct } from '@lockless/mm-types';
import { MmuNotifier, mmuNotifierRegister } from '@lockless/mmu-notifier';
import { PTE_PRESENT, pmdTransHuge } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { given } from '../given.js';
import { ADDRESS, bootMappedPage, type Mapped } from './boot.js';

/** A guest in a process. Its shadow tables are there, and empty. */
export interface InProcess {
  readonly mm: Ptr<MmStruct>;
  readonly kvm: Ptr<Kvm>;
  readonly vcpu: Ptr<KvmVcpu>;
}

/** A guest whose pages from 0 on are those of the process from `first` on. */
export function* bootGuestOf(mm: Ptr<MmStruct>, first: number, pages: number, registered: boolean): Op<InProcess> {
  yield* atomicSet(MmStruct.mmUsers(mm), 2);
  const kvm = given(yield* kmemCacheAlloc(kvmCachep, GFP_KERNEL));
  yield* store(Kvm.mm(kvm), mm);
  yield* store(MmuNotifier.ops(Kvm.mmuNotifier(kvm)), kvmMmuNotifierOps);
  if (registered) yield* mmuNotifierRegister(Kvm.mmuNotifier(kvm), mm);
  const vcpu = given(yield* kvmCreateVcpu(kvm));
  yield* kvmSetMemoryRegion(kvm, 0, first, pages);
  const directory = given(yield* kmemCacheAlloc(mmuPageCachep, GFP_KERNEL));
  poke(Kvm.root(kvm, 0), directory);
  return { mm, kvm, vcpu };
}

/** A process with one page, and a guest whose page 0 that is. */
export interface Guest extends Mapped, InProcess {}

export function* bootGuest(registered: boolean): Op<Guest> {
  const mapped = yield* bootMappedPage();
  const guest = yield* bootGuestOf(mapped.mm, ADDRESS, 1, registered);
  const table = given(yield* kmemCacheAlloc(mmuPageCachep, GFP_KERNEL));
  poke(KvmMmuPage.spt(peek(Kvm.root(guest.kvm, 0)) as Ptr<KvmMmuPage>, 0) as number as Ref<number>, table);
  return { ...mapped, ...guest };
}

/** The guest faults on a page. *Returns* whether it has a shadow entry then, and of what. */
export function* faultOn({ mm, kvm, vcpu }: InProcess, gfn: number): Op<Shadowed> {
  yield* adoptMm(mm);
  yield* tdpPageFault(vcpu, gfn, false);
  return yield* shadowed(kvm, gfn);
}

/** By what entry a guest has a page. */
type Shadowed = 'none' | 'small' | 'huge';

export function* shadowed(kvm: Ptr<Kvm>, gfn: number): Op<Shadowed> {
  const sptep = yield* sptepOf(kvm, gfn);
  const spte = sptep === NULL ? 0 : yield* readOnce(sptep);
  if ((spte & PTE_PRESENT) === 0) return 'none';
  return pmdTransHuge(spte) ? 'huge' : 'small';
}

/** The guest faults on its page. *Returns* whether it has a shadow entry then. The process has no other page to offer. */
export function* faultOnce(guest: Guest): Op<boolean> {
  return (yield* faultOn(guest, 0)) !== 'none';
}

/** I12. */
export function assertNoFreePage({ kvm }: InProcess): void {
  assertThat(sptesAgree(kvm, false) === null, 'I12: no shadow entry has a page that is free');
}
