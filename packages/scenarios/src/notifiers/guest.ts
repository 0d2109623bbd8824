// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicSet, GFP_KERNEL, kmemCacheAlloc, NULL, poke, readOnce, store } from '@lockless/cpu';
import {
  Kvm,
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
import { assertThat } from '../assertion.js';
import { given } from '../given.js';
import { ADDRESS, bootMappedPage, type Mapped } from './boot.js';

/** A process with one page, and a guest whose page 0 that is. Its shadow tables are there, and empty. */
export interface Guest extends Mapped {
  readonly kvm: Ptr<Kvm>;
  readonly vcpu: Ptr<KvmVcpu>;
}

export function* bootGuest(registered: boolean): Op<Guest> {
  const mapped = yield* bootMappedPage();
  const { mm } = mapped;
  yield* atomicSet(MmStruct.mmUsers(mm), 2);
  const kvm = given(yield* kmemCacheAlloc(kvmCachep, GFP_KERNEL));
  yield* store(Kvm.mm(kvm), mm);
  yield* store(MmuNotifier.ops(Kvm.mmuNotifier(kvm)), kvmMmuNotifierOps);
  if (registered) yield* mmuNotifierRegister(Kvm.mmuNotifier(kvm), mm);
  const vcpu = given(yield* kvmCreateVcpu(kvm));
  yield* kvmSetMemoryRegion(kvm, 0, ADDRESS, 1);
  poke(Kvm.root(kvm, 0), given(yield* kmemCacheAlloc(mmuPageCachep, GFP_KERNEL)));
  return { ...mapped, kvm, vcpu };
}

/** The guest faults on its page. *Returns* whether it has a shadow entry then. The process has no other page to offer. */
export function* faultOnce({ mm, kvm, vcpu }: Guest): Op<boolean> {
  yield* adoptMm(mm);
  yield* tdpPageFault(vcpu, 0, false);
  const sptep = yield* sptepOf(kvm, 0);
  return sptep !== NULL && (yield* readOnce(sptep)) !== 0;
}

/** I12. */
export function assertNoFreePage({ kvm }: Guest): void {
  assertThat(sptesAgree(kvm, false) === null, 'I12: no shadow entry has a page that is free');
}
