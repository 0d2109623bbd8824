// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import {
  bugOn,
  containerOf,
  defineGuard,
  functionPointer,
  load,
  spinLock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import { TASK_PAGES } from '@lockless/mm';
import type { MmuNotifier, MmuNotifierOps } from '@lockless/mmu-notifier';
import { kvmFlushRemoteTlbs } from './guest-mode.js';
import { Kvm } from './kvm-host.js';
import { kvmAgeHva, kvmUnmapHva } from './mmu-hva.js';

const seqUnderLock = defineGuard(
  'kvmMmuNotifier.seqUnderLock',
  'mmu_notifier_seq is increased after mmu_lock is given back',
);
const flushUnderLock = defineGuard(
  'kvmMmuNotifier.flushUnderLock',
  'the guest is flushed after mmu_lock is given back, as in 2.6.27: another invalidation finds nothing to flush, and does not wait',
);
const countRanges = defineGuard('kvmMmuNotifier.count', 'a range that is being invalidated is not counted');

const kvmOf = (notifier: Ptr<MmuNotifier>): Ptr<Kvm> => containerOf(notifier, Kvm, 'mmuNotifier');

/** Marked accesses: a fault reads seq without the lock. */
function* increaseSeq(kvm: Ptr<Kvm>): Op<void> {
  yield* writeOnce(Kvm.mmuNotifierSeq(kvm), ((yield* load(Kvm.mmuNotifierSeq(kvm))) + 1) | 0);
}

function* addCount(kvm: Ptr<Kvm>, delta: number): Op<void> {
  if (countRanges()) yield* store(Kvm.mmuNotifierCount(kvm), (yield* load(Kvm.mmuNotifierCount(kvm))) + delta);
}

/** Gives up entries, and mmu_lock; when it returns no CPU of the guest uses one. */
function* unmapAndUnlock(kvm: Ptr<Kvm>, start: number, end: number): Op<void> {
  const flush = yield* kvmUnmapHva(kvm, start, end);
  const early = flushUnderLock();
  if (flush && early) yield* kvmFlushRemoteTlbs(kvm);
  yield* spinUnlock(Kvm.mmuLock(kvm));
  if (flush && !early) yield* kvmFlushRemoteTlbs(kvm);
}

/** kvm_mmu_notifier_invalidate_page(). */
function* invalidatePage(notifier: Ptr<MmuNotifier>, _mm: number, address: number): Op<void> {
  const kvm = kvmOf(notifier);
  yield* spinLock(Kvm.mmuLock(kvm));
  const inLock = seqUnderLock();
  if (inLock) yield* increaseSeq(kvm);
  yield* unmapAndUnlock(kvm, address, address + 1);
  if (!inLock) yield* increaseSeq(kvm);
}

/** kvm_mmu_notifier_invalidate_range_start(): the count keeps faults off until the end, as entries of the process go one by one. */
function* invalidateRangeStart(notifier: Ptr<MmuNotifier>, _mm: number, start: number, end: number): Op<void> {
  const kvm = kvmOf(notifier);
  yield* spinLock(Kvm.mmuLock(kvm));
  yield* addCount(kvm, 1);
  yield* unmapAndUnlock(kvm, start, end);
}

/**
 * kvm_mmu_notifier_invalidate_range_end(): seq tells faults that looked their page up meanwhile; before the count, for who would read both without the
 * lock.
 */
function* invalidateRangeEnd(notifier: Ptr<MmuNotifier>): Op<void> {
  const kvm = kvmOf(notifier);
  yield* spinLock(Kvm.mmuLock(kvm));
  const inLock = seqUnderLock();
  if (inLock) yield* increaseSeq(kvm);
  yield* addCount(kvm, -1);
  const left = yield* load(Kvm.mmuNotifierCount(kvm));
  yield* spinUnlock(Kvm.mmuLock(kvm));
  if (!inLock) yield* increaseSeq(kvm);
  bugOn(left < 0, 'kvm->mmu_notifier_count < 0');
}

/** kvm_mmu_notifier_clear_flush_young(). */
function* clearFlushYoung(notifier: Ptr<MmuNotifier>, _mm: number, address: number): Op<boolean> {
  const kvm = kvmOf(notifier);
  yield* spinLock(Kvm.mmuLock(kvm));
  const young = yield* kvmAgeHva(kvm, address);
  if (young) yield* kvmFlushRemoteTlbs(kvm);
  yield* spinUnlock(Kvm.mmuLock(kvm));
  return young;
}

/** kvm_mmu_notifier_release(): the process is gone. A fault that is under way is a task of the process: there is none. */
function* release(notifier: Ptr<MmuNotifier>): Op<void> {
  const kvm = kvmOf(notifier);
  yield* spinLock(Kvm.mmuLock(kvm));
  yield* increaseSeq(kvm);
  yield* unmapAndUnlock(kvm, 0, TASK_PAGES);
}

/** kvm_mmu_notifier_ops. *Source*: virt/kvm/kvm_main.c, e930bffe95 (2.6.27), which has no `release` yet. */
export const kvmMmuNotifierOps: FunctionPointer<MmuNotifierOps> = functionPointer<MmuNotifierOps>(
  'kvm_mmu_notifier_ops',
  {
    name: 'kvm',
    invalidatePage,
    invalidateRangeStart,
    invalidateRangeEnd,
    clearFlushYoung,
    release,
  },
);
