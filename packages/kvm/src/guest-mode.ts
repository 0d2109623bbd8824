// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  cpuRelax,
  load,
  localIrqDisable,
  localIrqEnable,
  NULL,
  preemptDisable,
  preemptEnable,
  readOnce,
  smpLoadAcquire,
  smpMb,
  smpStoreRelease,
  writeOnce,
} from '@lockless/cpu';
import { KVM_MAX_VCPUS, Kvm, KvmVcpu } from './kvm-host.js';

/*
 * When a CPU of the guest may use a shadow entry that is not there any more. Its MMU walks the shadow tables at each access; from the first load of the walk
 * to the use of the frame a translation is in use, on a CPU that takes no interrupt meanwhile. A flush is over when none that began before it is in use.
 * The flush of the process's own translations does not wait for the guest.
 *
 *   guest: mode odd; full barrier; read the shadow tables         flusher: clear the entry; full barrier; read the mode
 */

/** The CPU enters the guest, for one access. Nothing but that before {@link exitGuest}. *Ordering*: full barrier; partner: {@link kvmFlushRemoteTlbs}. */
export function* enterGuest(vcpu: Ptr<KvmVcpu>): Op<void> {
  localIrqDisable();
  preemptDisable();
  const mode = KvmVcpu.guestMode(vcpu);
  yield* writeOnce(mode, (yield* readOnce(mode)) + 1);
  yield* smpMb();
}

/** The frame has been used. *Ordering*: release; partner: the acquire in {@link kvmFlushRemoteTlbs}. */
export function* exitGuest(vcpu: Ptr<KvmVcpu>): Op<void> {
  const mode = KvmVcpu.guestMode(vcpu);
  yield* smpStoreRelease(mode, (yield* readOnce(mode)) + 1);
  preemptEnable();
  localIrqEnable();
}

/**
 * kvm_flush_remote_tlbs(): no CPU of the guest uses afterwards what the shadow tables did not have when it was called.
 *
 * *Context*: mmu_lock, which keeps the list of CPUs. Waits for CPUs in the guest, which wait for nobody.
 * *Ordering*: full barrier between the change of the tables and the look at the modes.
 * *Source*: `kvm_flush_remote_tlbs`, virt/kvm/kvm_main.c, 2.6.27. *Differs*: waits until the CPU is out, instead of interrupting it.
 */
export function* kvmFlushRemoteTlbs(kvm: Ptr<Kvm>): Op<void> {
  yield* smpMb();
  for (let i = 0; i < KVM_MAX_VCPUS; i++) {
    const vcpu = (yield* load(Kvm.vcpus(kvm, i))) as Ptr<KvmVcpu>;
    if (vcpu !== NULL) yield* waitUntilOut(vcpu);
  }
}

function* waitUntilOut(vcpu: Ptr<KvmVcpu>): Op<void> {
  const before = yield* smpLoadAcquire(KvmVcpu.guestMode(vcpu));
  if (before % 2 === 0) return;
  while ((yield* smpLoadAcquire(KvmVcpu.guestMode(vcpu))) === before) yield* cpuRelax();
}
