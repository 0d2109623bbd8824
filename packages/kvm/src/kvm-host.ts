// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, KmemCache, Ptr, SpinLock, StructOf, Vec } from '@lockless/cpu';
import { kmemCacheCreate, struct } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { MmuNotifier } from '@lockless/mmu-notifier';
import { type Pte, pteTableEntries } from '@lockless/rmap';

/** CPUs of a guest. */
export const KVM_MAX_VCPUS = 4;
/** Memory slots of a guest. */
export const KVM_MEMORY_SLOTS = 32;
/** PT64_ENT_PER_PAGE: entries of a shadow page. */
const ENTRIES_PER_TABLE = 512;
/** Guest pages of a slot: what a directory covers when a huge page is as small as can be. 2.6.27 has slots of any size. */
export const PAGES_PER_SLOT: number = 2 * ENTRIES_PER_TABLE;
/** KVM_PAGES_PER_HPAGE(PT_DIRECTORY_LEVEL): guest pages of an entry of a directory. Constant after boot. */
export const kvmPagesPerHpage = (): number => pteTableEntries();

/** struct kvm_memory_slot: guest pages [slot * PAGES_PER_SLOT, ... + npages) are the process's pages from userspaceAddr on. */
export interface KvmMemorySlot {
  /** 0: the slot is empty. */
  npages: number;
  /** Page number. */
  userspaceAddr: number;
}
export const KvmMemorySlot: StructOf<KvmMemorySlot> = struct<KvmMemorySlot>('kvm_memory_slot', {
  npages: 1,
  userspaceAddr: 1,
});

/** struct kvm_mmu_page: a table of shadow entries; or a directory, each of whose entries is the address of such a table or maps a huge page itself. */
export interface KvmMmuPage {
  /** Shadow entries, in the form of page table entries. They hold no reference: who drops the page says so first, by the MMU notifier. */
  spt: Vec<Pte>;
}
export const KvmMmuPage: StructOf<KvmMmuPage> = struct<KvmMmuPage>('kvm_mmu_page', { spt: ENTRIES_PER_TABLE });
export const mmuPageCachep: KmemCache<KvmMmuPage> = kmemCacheCreate(KvmMmuPage);

/** struct kvm: a guest, and the process whose memory is its own. */
export interface Kvm {
  /** Protects slots, shadow pages and their entries, and the two words below. Nests inside everything of the mm. */
  mmuLock: SpinLock;
  /** Invalidations that are over: one more for each. */
  mmuNotifierSeq: number;
  /** Invalidations of ranges that are under way. */
  mmuNotifierCount: number;
  mmuNotifier: Embed<MmuNotifier>;
  /** Whose mm_count the guest raised, and the notifier. */
  mm: Ptr<MmStruct>;
  /** Ptr<KvmVcpu>, or NULL. */
  vcpus: Vec<number>;
  /** Slots below this one may be in use. */
  nmemslots: number;
  /** KvmMemorySlot, one after the other. */
  memslots: Vec<number>;
  /** The root of the shadow page tables, which the guest's MMU walks: Ptr<KvmMmuPage> of a directory, by slot. Once set, an entry stays. */
  root: Vec<number>;
  /** Entries made, those of them that map huge pages, entries given up, and faults that had to be repeated: statistics of ours. */
  installed: number;
  installedHuge: number;
  unmapped: number;
  retried: number;
}
export const Kvm: StructOf<Kvm> = struct<Kvm>(
  'kvm',
  {
    mmuLock: 1,
    mmuNotifierSeq: 1,
    mmuNotifierCount: 1,
    mmuNotifier: MmuNotifier,
    mm: 1,
    vcpus: KVM_MAX_VCPUS,
    nmemslots: 1,
    memslots: KVM_MEMORY_SLOTS * KvmMemorySlot.$size,
    root: KVM_MEMORY_SLOTS,
    installed: 1,
    installedHuge: 1,
    unmapped: 1,
    retried: 1,
  },
  16,
);
export const kvmCachep: KmemCache<Kvm> = kmemCacheCreate(Kvm);

/** Tables that a fault may have to make. */
export const MMU_PAGE_CACHE = 2;

/** struct kvm_vcpu: one CPU of a guest, used by one task. */
export interface KvmVcpu {
  kvm: Ptr<Kvm>;
  /** mmu_page_cache: for a fault, which may not allocate under mmu_lock. A directory and a table: Ptr<KvmMmuPage>, or NULL. */
  mmuPageCache: Vec<number>;
  /** Odd while the CPU is in the guest. */
  guestMode: number;
}
export const KvmVcpu: StructOf<KvmVcpu> = struct<KvmVcpu>(
  'kvm_vcpu',
  { kvm: 1, mmuPageCache: MMU_PAGE_CACHE, guestMode: 1 },
  16,
);
export const vcpuCachep: KmemCache<KvmVcpu> = kmemCacheCreate(KvmVcpu);

/** A slot of a guest. */
export const memslot = (kvm: Ptr<Kvm>, slot: number): Ptr<KvmMemorySlot> =>
  (Kvm.memslots(kvm, 0) + slot * KvmMemorySlot.$size) as number as Ptr<KvmMemorySlot>;
/** The slot that a guest page number belongs to, and the place in it. */
export const slotOf = (gfn: number): number => Math.floor(gfn / PAGES_PER_SLOT);
export const offsetOf = (gfn: number): number => gfn % PAGES_PER_SLOT;
