// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  defineGuard,
  GFP_KERNEL,
  kmemCacheAlloc,
  load,
  NULL,
  peek,
  poke,
  rcuAssignPointer,
  readOnce,
  smpRmb,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { EFAULT, ENOMEM, type Page } from '@lockless/mm-types';
import { setPageReferenced } from '@lockless/page';
import {
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pteNone,
  ptepGetAndClear,
  ptepTestAndClearYoung,
  pteWrite,
  pteYoung,
  setPteAt,
  vmNormalPage,
} from '@lockless/rmap';
import { gfnToPfn, kvmReleasePfnClean } from './gfn-to-pfn.js';
import { Kvm, KvmMemorySlot, KvmMmuPage, KvmVcpu, memslot, mmuPageCachep, offsetOf, slotOf } from './kvm-host.js';

const countTest = defineGuard(
  'mmuNotifierRetry.count',
  'a fault installs its page while an invalidation of a range is under way',
);
const seqTest = defineGuard(
  'mmuNotifierRetry.seq',
  'a fault installs its page although an invalidation has come and gone',
);
const testUnderLock = defineGuard(
  'tdpPageFault.retryUnderLock',
  'a fault tests for invalidations before it takes mmu_lock',
);

/**
 * mmu_notifier_retry(): whether a page that was looked up after `seq` was read may have been invalidated since.
 *
 * *Context*: mmu_lock. Without it count would have to be read before seq, with a barrier between them: see kvm_mmu_notifier_invalidate_range_end().
 * *Source*: `mmu_notifier_retry`, include/linux/kvm_host.h, e930bffe95 (2.6.27).
 */
export function* mmuNotifierRetry(kvm: Ptr<Kvm>, seq: number): Op<boolean> {
  if (countTest() && (yield* load(Kvm.mmuNotifierCount(kvm))) !== 0) return true;
  return seqTest() && (yield* readOnce(Kvm.mmuNotifierSeq(kvm))) !== seq;
}

/**
 * tdp_page_fault(): gives the guest a shadow entry for one of its pages.
 *
 * 1. seq; 2. a read barrier: what is looked up is not older than seq; 3. the process's page, with a reference;
 * 4. under mmu_lock: no invalidation is under way (count) or has been since 1 (seq), 5. so the page is still the process's: the entry;
 * 6. the reference goes. From now on the notifier takes the entry away before the page can be freed.
 * A. The entry of the process is cleared; B. under mmu_lock: seq++, shadow entries go; C. the page is freed.
 *
 * B before 4: seq differs, or the lookup of 3 came after A and found another page or none. 4 before B: B finds the entry of 5.
 *
 * *Context*: a task of the process; sleeps. *Returns* 0 when the guest may try again; -EFAULT: no such memory; -ENOMEM.
 * *Ordering*: 2 pairs with mmu_lock in B.
 * *Source*: `tdp_page_fault`, arch/x86/kvm/mmu.c, e930bffe95 (2.6.27). *Differs*: a read gets a page that may be read (2.6.38), where 2.6.27
 * always asks for one that may be written.
 */
export function* tdpPageFault(vcpu: Ptr<KvmVcpu>, gfn: number, write: boolean): Op<number> {
  const kvm = yield* load(KvmVcpu.kvm(vcpu));
  if (!(yield* mmuTopupMemoryCaches(vcpu))) return -ENOMEM;
  const seq = yield* readOnce(Kvm.mmuNotifierSeq(kvm)); // 1
  yield* smpRmb(); // 2
  const page = yield* gfnToPfn(kvm, gfn, write); // 3
  if (page === NULL) return -EFAULT;
  const inTime = testUnderLock();
  const tested = inTime || !(yield* mmuNotifierRetry(kvm, seq));
  yield* spinLock(Kvm.mmuLock(kvm));
  if (tested && !(inTime && (yield* mmuNotifierRetry(kvm, seq)))) {
    // 4
    yield* directMap(vcpu, kvm, gfn, page, write); // 5
    count(Kvm.installed(kvm));
  } else {
    count(Kvm.retried(kvm));
  }
  yield* spinUnlock(Kvm.mmuLock(kvm));
  yield* kvmReleasePfnClean(page); // 6
  return 0;
}

/** Statistics: nothing depends on them, so they are no accesses. *Context*: mmu_lock. */
const count = (word: Ref<number>): void => poke(word, peek(word) + 1);

/** mmu_topup_memory_caches(). *Returns* false when memory is short. */
function* mmuTopupMemoryCaches(vcpu: Ptr<KvmVcpu>): Op<boolean> {
  if ((yield* load(KvmVcpu.mmuPageCache(vcpu))) !== NULL) return true;
  const fresh = yield* kmemCacheAlloc(mmuPageCachep, GFP_KERNEL);
  if (fresh === NULL) return false;
  yield* store(KvmVcpu.mmuPageCache(vcpu), fresh);
  return true;
}

/** __direct_map(): the entry, and the table that it is in. *Context*: mmu_lock. */
function* directMap(vcpu: Ptr<KvmVcpu>, kvm: Ptr<Kvm>, gfn: number, page: Ptr<Page>, write: boolean): Op<void> {
  const place = Kvm.root(kvm, slotOf(gfn));
  let table = (yield* load(place)) as Ptr<KvmMmuPage>;
  if (table === NULL) {
    table = (yield* load(KvmVcpu.mmuPageCache(vcpu))) as Ptr<KvmMmuPage>;
    yield* store(KvmVcpu.mmuPageCache(vcpu), NULL);
    yield* rcuAssignPointer(place, table);
  }
  const sptep = KvmMmuPage.spt(table, offsetOf(gfn));
  const old = yield* readOnce(sptep);
  const entry = mkPte(page, (PTE_PRESENT | PTE_USER | (write ? PTE_RW : 0)) as Pgprot);
  // Another CPU of the guest was here first, and got as much.
  if (!pteNone(old) && vmNormalPage(NULL, gfn, old) === page && (pteWrite(old) || !write)) return;
  yield* setPteAt(yield* load(Kvm.mm(kvm)), gfn, sptep, entry);
}

/** The shadow entry of a guest page, as the guest's MMU finds it: without a lock. NULL: there is no table. */
export function* sptepOf(kvm: Ptr<Kvm>, gfn: number): Op<Ref<Pte> | Null> {
  const table = (yield* readOnce(Kvm.root(kvm, slotOf(gfn)))) as Ptr<KvmMmuPage>;
  return table === NULL ? NULL : KvmMmuPage.spt(table, offsetOf(gfn));
}

/** Visits the shadow entries that are there for the process's pages [start, end). *Context*: mmu_lock. */
function* visitHva(kvm: Ptr<Kvm>, start: number, end: number, visit: (sptep: Ref<Pte>) => Op<void>): Op<void> {
  const slots = yield* load(Kvm.nmemslots(kvm));
  for (let slot = 0; slot < slots; slot++) {
    const table = (yield* load(Kvm.root(kvm, slot))) as Ptr<KvmMmuPage>;
    if (table === NULL) continue;
    const npages = yield* load(KvmMemorySlot.npages(memslot(kvm, slot)));
    const first = yield* load(KvmMemorySlot.userspaceAddr(memslot(kvm, slot)));
    for (let i = Math.max(0, start - first); i < Math.min(npages, end - first); i++) {
      const sptep = KvmMmuPage.spt(table, i);
      if (!pteNone(yield* readOnce(sptep))) yield* visit(sptep);
    }
  }
}

/**
 * kvm_unmap_hva(), of a range: gives up the shadow entries of the process's pages [start, end).
 *
 * *Context*: mmu_lock. *Returns* whether there was one: then the guest's CPUs must be flushed before the pages can be freed.
 * *Source*: `kvm_unmap_hva`, arch/x86/kvm/mmu.c, e930bffe95 (2.6.27). *Differs*: the page is not marked dirty: as long as a shadow entry permits
 * writing, so does the process's, which is marked dirty then and says so when it goes.
 */
export function* kvmUnmapHva(kvm: Ptr<Kvm>, start: number, end: number): Op<boolean> {
  const mm = yield* load(Kvm.mm(kvm));
  let found = false;
  yield* visitHva(kvm, start, end, function* (sptep) {
    const old = yield* ptepGetAndClear(mm, start, sptep);
    const page = vmNormalPage(NULL, start, old);
    if (pteYoung(old) && page !== NULL) yield* setPageReferenced(page);
    count(Kvm.unmapped(kvm));
    found = true;
  });
  return found;
}

/** kvm_age_hva(): whether the guest used the page since the last call. *Context*: mmu_lock. *Source*: arch/x86/kvm/mmu.c, e930bffe95 (2.6.27). */
export function* kvmAgeHva(kvm: Ptr<Kvm>, hva: number): Op<boolean> {
  const mm = yield* load(Kvm.mm(kvm));
  let young = false;
  yield* visitHva(kvm, hva, hva + 1, function* (sptep) {
    if (yield* ptepTestAndClearYoung(mm, hva, sptep)) young = true;
  });
  return young;
}
