// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { HlistHead, HlistNode, load, NULL, pointedFunction, rcuDereference, readOnce } from '@lockless/cpu';
import { MmStruct, MmuNotifierMm } from '@lockless/mm-types';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { __mmuNotifierRelease, MmuNotifier, type MmuNotifierOps, notifierAt } from './mmu-notifier.js';

/*
 * What those call who change entries. An mm without notifiers costs one load, of a word that never changes. That the word may be read without a lock is what
 * mm_take_all_locks() buys: whoever is between start and end holds mmap_sem, i_mmap_lock or anon_vma->lock, and who registers
 * waits for all of them.
 */

type Call = (notifier: Ptr<MmuNotifier>, ops: MmuNotifierOps) => Op<void>;

/** Calls each notifier that is registered now. The list is walked under RCU: one that leaves meanwhile may be called still. */
function* forEachNotifier(notifiers: Ptr<MmuNotifierMm>, call: Call): Op<void> {
  yield* rcuReadLock();
  for (
    let node = yield* rcuDereference(HlistHead.first(MmuNotifierMm.list(notifiers)));
    node !== NULL;
    node = yield* rcuDereference(HlistNode.next(node))
  ) {
    const notifier = notifierAt(node);
    yield* call(notifier, pointedFunction(yield* load(MmuNotifier.ops(notifier))));
  }
  yield* rcuReadUnlock();
}

function* nothing(): Op<void> {}

/**
 * mmu_notifier_invalidate_range_start(): entries of [start, end) are about to change. Before the first of them does.
 *
 * *Context*: mmap_sem, i_mmap_lock or anon_vma->lock, the same until the matching end; a page table lock only where a huge entry changes.
 * *Source*: include/linux/mmu_notifier.h, cddb8a5c14 (2.6.27).
 */
export function* mmuNotifierInvalidateRangeStart(mm: Ptr<MmStruct>, start: number, end: number): Op<void> {
  const notifiers = yield* readOnce(MmStruct.mmuNotifierMm(mm));
  if (notifiers === NULL) return;
  yield* forEachNotifier(notifiers, (notifier, { invalidateRangeStart = nothing }) =>
    invalidateRangeStart(notifier, mm, start, end),
  );
}

/** mmu_notifier_invalidate_range_end(): they have changed. *Context*: as at the start. *Source*: as {@link mmuNotifierInvalidateRangeStart}. */
export function* mmuNotifierInvalidateRangeEnd(mm: Ptr<MmStruct>, start: number, end: number): Op<void> {
  const notifiers = yield* readOnce(MmStruct.mmuNotifierMm(mm));
  if (notifiers === NULL) return;
  yield* forEachNotifier(notifiers, (notifier, { invalidateRangeEnd = nothing }) =>
    invalidateRangeEnd(notifier, mm, start, end),
  );
}

/**
 * mmu_notifier_invalidate_page(): one entry is empty now.
 *
 * *Context*: after the entry was cleared and flushed, before its reference to the page is dropped; page table lock held.
 * *Source*: include/linux/mmu_notifier.h, cddb8a5c14 (2.6.27).
 */
export function* mmuNotifierInvalidatePage(mm: Ptr<MmStruct>, address: number): Op<void> {
  const notifiers = yield* readOnce(MmStruct.mmuNotifierMm(mm));
  if (notifiers === NULL) return;
  yield* forEachNotifier(notifiers, (notifier, { invalidatePage = nothing }) => invalidatePage(notifier, mm, address));
}

/**
 * mmu_notifier_clear_flush_young(): whether a notifier's translation of this page was used since the last call. All are asked.
 *
 * *Context*: page table lock held. *Source*: include/linux/mmu_notifier.h, cddb8a5c14 (2.6.27).
 */
export function* mmuNotifierClearFlushYoung(mm: Ptr<MmStruct>, address: number): Op<boolean> {
  const notifiers = yield* readOnce(MmStruct.mmuNotifierMm(mm));
  if (notifiers === NULL) return false;
  let young = false;
  yield* forEachNotifier(notifiers, function* (notifier, ops) {
    if (ops.clearFlushYoung !== undefined && (yield* ops.clearFlushYoung(notifier, mm, address))) young = true;
  });
  return young;
}

/** mmu_notifier_release(): *Context*: the last user of the mm, before it unmaps anything. *Source*: as {@link mmuNotifierInvalidatePage}. */
export function* mmuNotifierRelease(mm: Ptr<MmStruct>): Op<void> {
  if ((yield* readOnce(MmStruct.mmuNotifierMm(mm))) !== NULL) yield* __mmuNotifierRelease(mm);
}
