// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, kmemCacheAlloc, kmemCacheFree, load, NULL, spinLock, spinUnlock, store } from '@lockless/cpu';
import { EINVAL, ENOMEM, type MmStruct } from '@lockless/mm-types';
import { MmuNotifier, mmuNotifierRegister, mmuNotifierUnregister } from '@lockless/mmu-notifier';
import { mmdrop, mmGrab } from '@lockless/rmap';
import { kvmFlushRemoteTlbs } from './guest-mode.js';
import {
  KVM_MAX_VCPUS,
  KVM_MEMORY_SLOTS,
  Kvm,
  KvmMemorySlot,
  type KvmMmuPage,
  KvmVcpu,
  kvmCachep,
  kvmPagesPerHpage,
  MMU_PAGE_CACHE,
  memslot,
  mmuPageCachep,
  PAGES_PER_SLOT,
  vcpuCachep,
} from './kvm-host.js';
import { kvmUnmapHva } from './mmu-hva.js';
import { kvmMmuNotifierOps } from './mmu-notifier-ops.js';
import { directoryEntry } from './spte.js';

/**
 * kvm_create_vm(): a guest without memory, in the address space of a process.
 *
 * *Context*: the caller keeps the mm in use. Sleeps. *Returns* the guest in `kvm`, NULL with -ENOMEM, or -EINTR for a signal.
 * *Source*: `kvm_create_vm`, virt/kvm/kvm_main.c, 2.6.27.
 */
export function* kvmCreateVm(mm: Ptr<MmStruct>): Op<{ readonly kvm: Ptr<Kvm> | Null; readonly error: number }> {
  const kvm = yield* kmemCacheAlloc(kvmCachep, GFP_KERNEL);
  if (kvm === NULL) return { kvm: NULL, error: -ENOMEM };
  yield* store(Kvm.mm(kvm), mm);
  yield* mmGrab(mm);
  yield* store(MmuNotifier.ops(Kvm.mmuNotifier(kvm)), kvmMmuNotifierOps);
  const error = yield* mmuNotifierRegister(Kvm.mmuNotifier(kvm), mm);
  if (error === 0) return { kvm, error };
  yield* mmdrop(mm);
  yield* kmemCacheFree(kvmCachep, kvm);
  return { kvm: NULL, error };
}

/**
 * kvm_destroy_vm(): *Context*: no CPU of the guest is left; the process may be. Sleeps.
 * *Source*: `kvm_destroy_vm`, virt/kvm/kvm_main.c, 2.6.27.
 */
export function* kvmDestroyVm(kvm: Ptr<Kvm>): Op<void> {
  const mm = yield* load(Kvm.mm(kvm));
  // Gives up all entries, unless the end of the process has.
  yield* mmuNotifierUnregister(Kvm.mmuNotifier(kvm), mm);
  for (let slot = 0; slot < KVM_MEMORY_SLOTS; slot++) {
    const directory = (yield* load(Kvm.root(kvm, slot))) as Ptr<KvmMmuPage>;
    if (directory !== NULL) yield* freeShadow(directory);
  }
  yield* mmdrop(mm);
  yield* kmemCacheFree(kvmCachep, kvm);
}

/** A directory and its tables. *Context*: all entries have been given up, so those of the directory that are set are tables. */
function* freeShadow(directory: Ptr<KvmMmuPage>): Op<void> {
  for (let offset = 0; offset < PAGES_PER_SLOT; offset += kvmPagesPerHpage()) {
    const table = (yield* load(directoryEntry(directory, offset))) as number as Ptr<KvmMmuPage>;
    if (table !== NULL) yield* kmemCacheFree(mmuPageCachep, table);
  }
  yield* kmemCacheFree(mmuPageCachep, directory);
}

/** kvm_vm_ioctl_create_vcpu(). *Returns* NULL when memory is short, or the guest has {@link KVM_MAX_VCPUS}. */
export function* kvmCreateVcpu(kvm: Ptr<Kvm>): Op<Ptr<KvmVcpu> | Null> {
  const vcpu = yield* kmemCacheAlloc(vcpuCachep, GFP_KERNEL);
  if (vcpu === NULL) return NULL;
  yield* store(KvmVcpu.kvm(vcpu), kvm);
  if (yield* replaceVcpu(kvm, NULL, vcpu)) return vcpu;
  yield* kmemCacheFree(vcpuCachep, vcpu);
  return NULL;
}

function* replaceVcpu(kvm: Ptr<Kvm>, from: Ptr<KvmVcpu> | Null, to: Ptr<KvmVcpu> | Null): Op<boolean> {
  let found = false;
  yield* spinLock(Kvm.mmuLock(kvm));
  for (let i = 0; i < KVM_MAX_VCPUS && !found; i++) {
    found = (yield* load(Kvm.vcpus(kvm, i))) === from;
    if (found) yield* store(Kvm.vcpus(kvm, i), to);
  }
  yield* spinUnlock(Kvm.mmuLock(kvm));
  return found;
}

/** kvm_vcpu_release(). */
export function* kvmReleaseVcpu(vcpu: Ptr<KvmVcpu>): Op<void> {
  yield* replaceVcpu(yield* load(KvmVcpu.kvm(vcpu)), vcpu, NULL);
  for (let i = 0; i < MMU_PAGE_CACHE; i++) {
    const cached = (yield* load(KvmVcpu.mmuPageCache(vcpu, i))) as Ptr<KvmMmuPage>;
    if (cached !== NULL) yield* kmemCacheFree(mmuPageCachep, cached);
  }
  yield* kmemCacheFree(vcpuCachep, vcpu);
}

/**
 * kvm_set_memory_region(): from now on a slot of the guest is `npages` of the process from `userspaceAddr` on; 0 pages: nothing.
 *
 * *Context*: no CPU of the guest is in a fault (slots_lock for write). *Returns* 0 or -EINVAL.
 * *Source*: `__kvm_set_memory_region`, virt/kvm/kvm_main.c, 2.6.27.
 */
export function* kvmSetMemoryRegion(kvm: Ptr<Kvm>, slot: number, userspaceAddr: number, npages: number): Op<number> {
  if (slot < 0 || slot >= KVM_MEMORY_SLOTS || npages < 0 || npages > PAGES_PER_SLOT) return -EINVAL;
  const at = memslot(kvm, slot);
  // Under mmu_lock, because notifiers look for the slots of an address.
  yield* spinLock(Kvm.mmuLock(kvm));
  const before = yield* load(KvmMemorySlot.userspaceAddr(at));
  const end = before + (yield* load(KvmMemorySlot.npages(at)));
  if (yield* kvmUnmapHva(kvm, before, end)) yield* kvmFlushRemoteTlbs(kvm);
  yield* store(KvmMemorySlot.userspaceAddr(at), userspaceAddr);
  yield* store(KvmMemorySlot.npages(at), npages);
  if (slot >= (yield* load(Kvm.nmemslots(kvm)))) yield* store(Kvm.nmemslots(kvm), slot + 1);
  yield* spinUnlock(Kvm.mmuLock(kvm));
  return 0;
}
