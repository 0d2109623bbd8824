// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheFree,
  load,
  NULL,
  rcuAssignPointer,
  readOnce,
  store,
  writeOnce,
} from '@lockless/cpu';
import {
  mkHugePmd,
  mkPte,
  type Pgprot,
  PTE_NONE,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pmdTransHuge,
  pteNone,
  ptePfn,
  pteWrite,
  setPteAt,
} from '@lockless/rmap';
import { kvmFlushRemoteTlbs } from './guest-mode.js';
import {
  Kvm,
  type KvmMmuPage,
  KvmVcpu,
  kvmPagesPerHpage,
  MMU_PAGE_CACHE,
  mmuPageCachep,
  offsetOf,
  slotOf,
} from './kvm-host.js';
import type { GuestPage } from './mmu-huge.js';
import { count, directoryEntry, dropSpte, tableEntry } from './spte.js';

/** mmu_topup_memory_caches(). *Returns* false when memory is short. */
export function* mmuTopupMemoryCaches(vcpu: Ptr<KvmVcpu>): Op<boolean> {
  for (let i = 0; i < MMU_PAGE_CACHE; i++) {
    if ((yield* load(KvmVcpu.mmuPageCache(vcpu, i))) !== NULL) continue;
    const fresh = yield* kmemCacheAlloc(mmuPageCachep, GFP_KERNEL);
    if (fresh === NULL) return false;
    yield* store(KvmVcpu.mmuPageCache(vcpu, i), fresh);
  }
  return true;
}

/** The table that a word leads to; one of the CPU's is put there if there is none. *Context*: mmu_lock. */
function* tableAt(vcpu: Ptr<KvmVcpu>, place: Ref<number>, cached: number): Op<Ptr<KvmMmuPage>> {
  const table = yield* load(place);
  if (table !== NULL) return table as Ptr<KvmMmuPage>;
  const fresh = (yield* load(KvmVcpu.mmuPageCache(vcpu, cached))) as Ptr<KvmMmuPage>;
  yield* store(KvmVcpu.mmuPageCache(vcpu, cached), NULL);
  yield* rcuAssignPointer(place as Ref<Ptr<KvmMmuPage>>, fresh);
  return fresh;
}

/**
 * __direct_map(): the entry, of a page or of a huge one, and the tables that it is in.
 *
 * *Context*: mmu_lock. *Source*: arch/x86/kvm/mmu.c, 3.1.
 */
export function* directMap(
  vcpu: Ptr<KvmVcpu>,
  kvm: Ptr<Kvm>,
  { gfn, page, huge }: GuestPage,
  write: boolean,
): Op<void> {
  const directory = yield* tableAt(vcpu, Kvm.root(kvm, slotOf(gfn)), 0);
  const place = directoryEntry(directory, offsetOf(gfn));
  const rights = (PTE_PRESENT | PTE_USER | (write ? PTE_RW : 0)) as Pgprot;
  if (huge) {
    yield* dropTable(kvm, place);
    return yield* mmuSetSpte(kvm, gfn, place, mkHugePmd(page, rights));
  }
  yield* dropLargeSpte(kvm, place);
  const table = yield* tableAt(vcpu, place as number as Ref<number>, 1);
  yield* mmuSetSpte(kvm, gfn, tableEntry(table, offsetOf(gfn)), mkPte(page, rights));
}

/** mmu_set_spte(). */
function* mmuSetSpte(kvm: Ptr<Kvm>, gfn: number, sptep: Ref<Pte>, entry: Pte): Op<void> {
  const old = yield* readOnce(sptep);
  // Another CPU of the guest was here first, and got as much.
  if (!pteNone(old) && ptePfn(old) === ptePfn(entry) && (pteWrite(old) || !pteWrite(entry))) return;
  yield* setPteAt(yield* load(Kvm.mm(kvm)), gfn, sptep, entry);
  if (pmdTransHuge(entry)) count(Kvm.installedHuge(kvm));
}

/** A huge page takes the place of a table, and of the pages that the guest had one by one. The guest may be in the table until the flush is over. */
function* dropTable(kvm: Ptr<Kvm>, place: Ref<Pte>): Op<void> {
  const table = yield* readOnce(place);
  if (table === NULL || pmdTransHuge(table)) return;
  yield* writeOnce(place, PTE_NONE);
  for (let i = 0; i < kvmPagesPerHpage(); i++) {
    const sptep = tableEntry(table, i);
    if (!pteNone(yield* readOnce(sptep))) yield* dropSpte(kvm, sptep);
  }
  yield* kvmFlushRemoteTlbs(kvm);
  yield* kmemCacheFree(mmuPageCachep, table as number as Ptr<KvmMmuPage>);
}

/** drop_large_spte(): a table will take the place of a huge page: the process has it in pieces by now, and nobody said so. */
function* dropLargeSpte(kvm: Ptr<Kvm>, place: Ref<Pte>): Op<void> {
  if (!pmdTransHuge(yield* readOnce(place))) return;
  yield* dropSpte(kvm, place);
  yield* kvmFlushRemoteTlbs(kvm);
}
