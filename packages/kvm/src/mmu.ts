// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard, load, NULL, readOnce, smpRmb, spinLock, spinUnlock } from '@lockless/cpu';
import { EFAULT, ENOMEM } from '@lockless/mm-types';
import { gfnToPfn, kvmReleasePfnClean } from './gfn-to-pfn.js';
import { Kvm, KvmVcpu } from './kvm-host.js';
import { type GuestPage, transparentHugepageAdjust } from './mmu-huge.js';
import { directMap, mmuTopupMemoryCaches } from './mmu-map.js';
import { count } from './spte.js';

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

const adjustsUnderLock = defineGuard(
  'tdpPageFault.adjustUnderLock',
  'a fault looks for the huge page before it takes mmu_lock, after a test for invalidations without it',
);
const adjustsAfterRetry = defineGuard(
  'tdpPageFault.adjustAfterRetry',
  'a fault looks for the huge page before it tests for invalidations',
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
 * 4. under mmu_lock: no invalidation is under way (count) or has been since 1 (seq), 5. so the page is still the process's: if it is part of a huge
 * page, that one; the entry; 6. the reference goes. From now on the notifier takes the entry away before the page can be freed.
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
  yield* installOrRetry(vcpu, { gfn, page, huge: false }, seq, write);
  return 0;
}

/** Steps 4 to 6 of {@link tdpPageFault}, of a page that was looked up after `seq` was read. *Context*: the caller's reference to the page goes. */
export function* installOrRetry(vcpu: Ptr<KvmVcpu>, lookedUp: GuestPage, seq: number, write: boolean): Op<void> {
  const kvm = yield* load(KvmVcpu.kvm(vcpu));
  let found = lookedUp;
  const inTime = testUnderLock();
  const tested = inTime || !(yield* mmuNotifierRetry(kvm, seq));
  const early = !adjustsUnderLock() && !(yield* mmuNotifierRetry(kvm, seq));
  if (early) found = yield* transparentHugepageAdjust(kvm, found);
  yield* spinLock(Kvm.mmuLock(kvm));
  if (!adjustsAfterRetry()) found = yield* transparentHugepageAdjust(kvm, found);
  if (tested && !(inTime && (yield* mmuNotifierRetry(kvm, seq)))) {
    // 4
    if (adjustsUnderLock() && adjustsAfterRetry()) found = yield* transparentHugepageAdjust(kvm, found);
    yield* directMap(vcpu, kvm, found, write); // 5
    count(Kvm.installed(kvm));
  } else {
    count(Kvm.retried(kvm));
  }
  yield* spinUnlock(Kvm.mmuLock(kvm));
  yield* kvmReleasePfnClean(found.page); // 6
}
