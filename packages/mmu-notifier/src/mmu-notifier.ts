// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Null, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  atomicDecAndTest,
  atomicInc,
  atomicRead,
  bugOn,
  containerOf,
  defineGuard,
  downWrite,
  GFP_KERNEL,
  HlistHead,
  HlistNode,
  hlistAddHead,
  hlistDelInitRcu,
  hlistDelRcu,
  hlistUnhashed,
  initHlistHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  pointedFunction,
  type SpinLock,
  spinLock,
  spinUnlock,
  store,
  struct,
  upWrite,
} from '@lockless/cpu';
import { ENOMEM, MmStruct, MmuNotifierMm } from '@lockless/mm-types';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { mmDropAllLocks, mmTakeAllLocks } from './mm-take-all-locks.js';

/** struct mmu_notifier: somebody who keeps translations of an mm, embedded in what is his. */
export interface MmuNotifier {
  hlist: Embed<HlistNode>;
  ops: FunctionPointer<MmuNotifierOps>;
}
export const MmuNotifier: StructOf<MmuNotifier> = struct<MmuNotifier>('mmu_notifier', { hlist: HlistNode, ops: 1 });

/**
 * struct mmu_notifier_ops. All but `release` are called with RCU read-locked and, depending on who changes entries, with spin locks: they
 * must not sleep. Addresses are page numbers.
 */
export interface MmuNotifierOps {
  readonly name: string;
  /** The mm goes, or the notifier: give up all translations. Called once; no translation may be made any more. */
  readonly release?: (notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>) => Op<void>;
  /** Whether the page was used through a translation since the last call, and make the next use be noticed. */
  readonly clearFlushYoung?: (notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>, address: number) => Op<boolean>;
  /** The entry of this page is empty; its page goes when this has returned. */
  readonly invalidatePage?: (notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>, address: number) => Op<void>;
  /** Entries of [start, end) will change: give up translations, and make none, until the matching end. */
  readonly invalidateRangeStart?: (n: Ptr<MmuNotifier>, mm: Ptr<MmStruct>, start: number, end: number) => Op<void>;
  readonly invalidateRangeEnd?: (n: Ptr<MmuNotifier>, mm: Ptr<MmStruct>, start: number, end: number) => Op<void>;
}

const mmuNotifierMmCachep: KmemCache<MmuNotifierMm> = kmemCacheCreate(MmuNotifierMm);

const takeAllLocks = defineGuard(
  'mmuNotifierRegister.takeAllLocks',
  'a notifier is registered while entries are being changed, between invalidate_range_start and invalidate_range_end',
);
const holdMmapSem = defineGuard('mmuNotifierRegister.mmapSem', 'a notifier is registered without mmap_sem');
const delInit = defineGuard(
  'mmuNotifierRelease.delInit',
  'a notifier that was taken off for release still looks registered',
);
const hashedTest = defineGuard(
  'mmuNotifierUnregister.hashedTest',
  'unregistering does not ask whether release took the notifier off',
);
const releaseReads = defineGuard('mmuNotifierRelease.rcuReadLock', 'exit calls release outside RCU');
const unregisterReads = defineGuard('mmuNotifierUnregister.rcuReadLock', 'unregistering calls release outside RCU');
const releaseWaits = defineGuard(
  'mmuNotifierRelease.synchronizeRcu',
  'exit does not wait for a release that unregistering called',
);
const unregisterWaits = defineGuard(
  'mmuNotifierUnregister.synchronizeRcu',
  'unregistering does not wait for calls that are under way, nor for a release that exit called',
);

/** mmdrop() as far as this package can: the last reference is that of the mm's users. */
function* dropOneOfSeveral(mm: Ptr<MmStruct>): Op<void> {
  bugOn(yield* atomicDecAndTest(MmStruct.mmCount(mm)), 'the last reference to an mm, and nobody said how to free it');
}
let mmdrop: (mm: Ptr<MmStruct>) => Op<void> = dropOneOfSeveral;

/** Says what mmdrop() is: it frees page tables, which are of a higher package. *Context*: module load. */
export function provideMmdrop(implementation: (mm: Ptr<MmStruct>) => Op<void>): void {
  mmdrop = implementation;
}

/** The notifiers that a walk under RCU finds at `node`. */
export const notifierAt = (node: Ptr<HlistNode>): Ptr<MmuNotifier> => containerOf(node, MmuNotifier, 'hlist');

/**
 * mmu_notifier_register(): tells a notifier from now on of each change of the mm's entries.
 *
 * 1. Memory, before any lock; 2. mmap_sem, then all locks of the mm: no start..end pair is under way (E1);
 * 3. the list, if this is the first notifier; 4. the notifier joins it. When it returns, each pair was over before or will be told of.
 *
 * *Context*: the caller keeps the mm in use (mm_users), so release does not run meanwhile. Sleeps.
 * *Returns* 0; -ENOMEM; -EINTR, a signal came.
 * *Source*: `mmu_notifier_register`, mm/mmu_notifier.c, cddb8a5c14 (2.6.27).
 */
export const mmuNotifierRegister = (notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>): Op<number> =>
  doMmuNotifierRegister(notifier, mm, true);

/** __mmu_notifier_register(): {@link mmuNotifierRegister} for who has mmap_sem for write already. */
export const __mmuNotifierRegister = (notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>): Op<number> =>
  doMmuNotifierRegister(notifier, mm, false);

function* doMmuNotifierRegister(notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>, takeMmapSem: boolean): Op<number> {
  bugOn((yield* atomicRead(MmStruct.mmUsers(mm))) <= 0, 'mmu_notifier_register: the mm has no users');
  const fresh = yield* kmemCacheAlloc(mmuNotifierMmCachep, GFP_KERNEL); // 1
  if (fresh === NULL) return -ENOMEM;
  const own = takeMmapSem && holdMmapSem();
  const locked = takeAllLocks();
  if (own) yield* downWrite(MmStruct.mmapSem(mm)); // 2
  const error = locked ? yield* mmTakeAllLocks(mm) : 0;
  let unused: Ptr<MmuNotifierMm> | Null = fresh;
  if (error === 0) {
    unused = yield* joinList(notifier, mm, fresh);
    if (locked) yield* mmDropAllLocks(mm);
  }
  if (own) yield* upWrite(MmStruct.mmapSem(mm));
  if (unused !== NULL) yield* kmemCacheFree(mmuNotifierMmCachep, unused);
  bugOn((yield* atomicRead(MmStruct.mmUsers(mm))) <= 0, 'mmu_notifier_register: the mm has no users');
  return error;
}

/** *Context*: all locks of the mm. *Returns* `fresh` when there is a list already. */
function* joinList(
  notifier: Ptr<MmuNotifier>,
  mm: Ptr<MmStruct>,
  fresh: Ptr<MmuNotifierMm>,
): Op<Ptr<MmuNotifierMm> | Null> {
  let unused: Ptr<MmuNotifierMm> | Null = fresh;
  let notifiers = yield* load(MmStruct.mmuNotifierMm(mm));
  if (notifiers === NULL) {
    yield* initHlistHead(MmuNotifierMm.list(fresh)); // 3
    yield* store(MmuNotifierMm.lock(fresh), 0 as SpinLock);
    yield* store(MmStruct.mmuNotifierMm(mm), fresh);
    notifiers = fresh;
    unused = NULL;
  }
  yield* atomicInc(MmStruct.mmCount(mm));
  // Unregistering another notifier takes no lock but this one.
  yield* spinLock(MmuNotifierMm.lock(notifiers));
  yield* hlistAddHead(MmuNotifier.hlist(notifier), MmuNotifierMm.list(notifiers)); // 4
  yield* spinUnlock(MmuNotifierMm.lock(notifiers));
  return unused;
}

/** Calls release within RCU, having taken the notifier off: the other side's grace period waits for it. Enters with the lock held, leaves without. */
function* releaseOutsideLock(
  notifiers: Ptr<MmuNotifierMm>,
  notifier: Ptr<MmuNotifier>,
  mm: Ptr<MmStruct>,
  reads: boolean,
): Op<void> {
  if (reads) yield* rcuReadLock();
  yield* spinUnlock(MmuNotifierMm.lock(notifiers));
  const { release } = pointedFunction(yield* load(MmuNotifier.ops(notifier)));
  if (release !== undefined) yield* release(notifier, mm);
  if (reads) yield* rcuReadUnlock();
}

/**
 * mmu_notifier_unregister(): the notifier is not called any more, and its release has been called, once.
 *
 * A. Who takes the notifier off the list calls release: this, or {@link __mmuNotifierRelease}, under the list's lock;
 * B. a grace period: calls that are under way are over, and a release that exit called is, too (E7).
 *
 * *Context*: the caller has what the notifier is embedded in, and its registration's reference on the mm, which this drops. Sleeps.
 * *Source*: `mmu_notifier_unregister`, mm/mmu_notifier.c, cddb8a5c14 (2.6.27).
 */
export function* mmuNotifierUnregister(notifier: Ptr<MmuNotifier>, mm: Ptr<MmStruct>): Op<void> {
  bugOn((yield* atomicRead(MmStruct.mmCount(mm))) <= 0, 'mmu_notifier_unregister: the mm is gone');
  const notifiers = (yield* load(MmStruct.mmuNotifierMm(mm))) as Ptr<MmuNotifierMm>;
  const node = MmuNotifier.hlist(notifier);
  yield* spinLock(MmuNotifierMm.lock(notifiers));
  if (!hashedTest() || !(yield* hlistUnhashed(node))) {
    yield* hlistDelRcu(node); // A
    yield* releaseOutsideLock(notifiers, notifier, mm, unregisterReads());
  } else {
    yield* spinUnlock(MmuNotifierMm.lock(notifiers));
  }
  if (unregisterWaits()) yield* synchronizeRcu(); // B
  yield* mmdrop(mm);
}

/**
 * __mmu_notifier_release(): the mm goes: each notifier is taken off and released, before the first page is freed.
 *
 * A. Under the list's lock the first is taken off so that it looks unregistered; B. released without the lock; C. a grace period, for releases
 * that unregistering has begun.
 *
 * *Context*: the last user of an mm with notifiers. Sleeps.
 * *Source*: `__mmu_notifier_release`, mm/mmu_notifier.c, cddb8a5c14 (2.6.27).
 */
export function* __mmuNotifierRelease(mm: Ptr<MmStruct>): Op<void> {
  const notifiers = (yield* load(MmStruct.mmuNotifierMm(mm))) as Ptr<MmuNotifierMm>;
  for (;;) {
    yield* spinLock(MmuNotifierMm.lock(notifiers));
    const node = yield* load(HlistHead.first(MmuNotifierMm.list(notifiers)));
    if (node === NULL) break;
    yield* delInit() ? hlistDelInitRcu(node) : hlistDelRcu(node); // A
    yield* releaseOutsideLock(notifiers, notifierAt(node), mm, releaseReads()); // B
  }
  yield* spinUnlock(MmuNotifierMm.lock(notifiers));
  if (releaseWaits()) yield* synchronizeRcu(); // C
}

/** mmu_notifier_mm_destroy(): *Context*: the last reference to the mm. *Source*: mm/mmu_notifier.c, cddb8a5c14 (2.6.27). */
export function* mmuNotifierMmDestroy(mm: Ptr<MmStruct>): Op<void> {
  const notifiers = yield* load(MmStruct.mmuNotifierMm(mm));
  if (notifiers === NULL) return;
  bugOn((yield* load(HlistHead.first(MmuNotifierMm.list(notifiers)))) !== NULL, 'mmdrop: a notifier is registered');
  yield* kmemCacheFree(mmuNotifierMmCachep, notifiers);
}
