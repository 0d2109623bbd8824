// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  bug,
  bugOn,
  defineGuard,
  defineStatic,
  downReadTrylock,
  ListHead,
  load,
  Mutex,
  mutexInit,
  mutexIsLocked,
  mutexLock,
  mutexUnlock,
  NULL,
  nonAtomicTestAndClearBit,
  nonAtomicTestAndSetBit,
  rcuDereference,
  signalPending,
  spinLock,
  spinUnlock,
  testAndClearBit,
  testAndSetBit,
  testBit,
} from '@lockless/cpu';
import { AddressSpace, AnonVma, AS_MM_ALL_LOCKS, EINTR, File, MmStruct, VmAreaStruct } from '@lockless/mm-types';

/** DEFINE_MUTEX(mm_all_locks_mutex): who holds it owns the marks of all anon_vmas and mappings. */
const mmAllLocksMutex: Ptr<Mutex> = defineStatic(Mutex, 'mm_all_locks_mutex');

const oneTaker = defineGuard('mmTakeAllLocks.mutex', 'two tasks take all locks of their address spaces at once');
const mappingsFirst = defineGuard(
  'mmTakeAllLocks.mappingsFirst',
  'locks are taken area by area, the anon_vma before the mapping, as first posted',
);
const dropOnSignal = defineGuard(
  'mmTakeAllLocks.dropOnSignal',
  'a signal ends the taking, and what was taken stays so',
);
const markAnonVma = defineGuard('vmLockAnonVma.mark', 'an anon_vma is locked once for each area that has it');
const markMapping = defineGuard('vmLockMapping.mark', 'a mapping is locked once for each area that maps it');
const lockThenMark = defineGuard('vmLockAnonVma.lockFirst', 'head.next is marked before anon_vma->lock is taken');
const clearThenUnlock = defineGuard(
  'vmUnlockAnonVma.clearFirst',
  'anon_vma->lock is given back with head.next still marked',
);
const unlockThenClear = defineGuard(
  'vmUnlockMapping.unlockFirst',
  'AS_MM_ALL_LOCKS is cleared before i_mmap_lock is given back',
);
const atomicMark = defineGuard(
  'vmLockMapping.atomicBit',
  'AS_MM_ALL_LOCKS is set as if nobody else wrote mapping->flags',
);

/** Sets up mm_all_locks_mutex. *Context*: boot. */
export const mmAllLocksInit = (): Op<void> => mutexInit(mmAllLocksMutex);

/** The low bit of head.next, which as a pointer is even. */
const TAKEN = 0;
const markedWord = (anonVma: Ptr<AnonVma>): Ref<number> =>
  ListHead.next(AnonVma.head(anonVma)) as number as Ref<number>;

/**
 * vm_lock_anon_vma(): takes an anon_vma, unless this taker has it already.
 *
 * 1. The mark is looked at without the lock: only takers set it, and mm_all_locks_mutex leaves one of them;
 * 2. the lock; 3. the mark, not atomically: whoever else reads or writes `head` holds the lock.
 *
 * *Context*: mm_all_locks_mutex held. *Source*: `vm_lock_anon_vma`, mm/mmap.c, 7906d00cd1 (2.6.27).
 */
export function* vmLockAnonVma(anonVma: Ptr<AnonVma>): Op<void> {
  const next = markedWord(anonVma);
  if (!markAnonVma()) {
    yield* spinLock(AnonVma.lock(anonVma));
    return;
  }
  if (yield* testBit(TAKEN, next)) return; // 1
  if (lockThenMark()) yield* spinLock(AnonVma.lock(anonVma)); // 2
  if (yield* nonAtomicTestAndSetBit(TAKEN, next)) bug('vm_lock_anon_vma: taken by two'); // 3
  if (!lockThenMark()) yield* spinLock(AnonVma.lock(anonVma));
}

/**
 * vm_lock_mapping(): takes a mapping's i_mmap_lock, unless this taker has it already. The mark is set first, and atomically: other bits of `flags`
 * change without the lock. Nobody but takers looks at it.
 *
 * *Context*: mm_all_locks_mutex held. *Source*: `vm_lock_mapping`, mm/mmap.c, 7906d00cd1 (2.6.27).
 */
export function* vmLockMapping(mapping: Ptr<AddressSpace>): Op<void> {
  const flags = AddressSpace.flags(mapping);
  if (markMapping()) {
    if (yield* testBit(AS_MM_ALL_LOCKS, flags)) return;
    const was = yield* atomicMark()
      ? testAndSetBit(AS_MM_ALL_LOCKS, flags)
      : nonAtomicTestAndSetBit(AS_MM_ALL_LOCKS, flags);
    if (was) bug('vm_lock_mapping: taken by two');
  }
  yield* spinLock(AddressSpace.iMmapLock(mapping));
}

/**
 * vm_unlock_anon_vma(): gives an anon_vma back, if it was taken. The mark goes before the lock: the next owner follows head.next.
 *
 * *Context*: mm_all_locks_mutex held. *Source*: `vm_unlock_anon_vma`, mm/mmap.c, 7906d00cd1 (2.6.27).
 */
export function* vmUnlockAnonVma(anonVma: Ptr<AnonVma>): Op<void> {
  const next = markedWord(anonVma);
  if (!(yield* testBit(TAKEN, next))) return;
  if (!clearThenUnlock()) yield* spinUnlock(AnonVma.lock(anonVma));
  if (!(yield* nonAtomicTestAndClearBit(TAKEN, next))) bug('vm_unlock_anon_vma: the mark is gone');
  if (clearThenUnlock()) yield* spinUnlock(AnonVma.lock(anonVma));
}

/**
 * vm_unlock_mapping(): gives a mapping back, if it was taken. The lock goes before the mark; the other order would do as well.
 *
 * *Context*: mm_all_locks_mutex held. *Source*: `vm_unlock_mapping`, mm/mmap.c, 7906d00cd1 (2.6.27).
 */
export function* vmUnlockMapping(mapping: Ptr<AddressSpace>): Op<void> {
  const flags = AddressSpace.flags(mapping);
  if (!(yield* testBit(AS_MM_ALL_LOCKS, flags))) return;
  if (unlockThenClear()) yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  if (!(yield* testAndClearBit(AS_MM_ALL_LOCKS, flags))) bug('vm_unlock_mapping: the mark is gone');
  if (!unlockThenClear()) yield* spinUnlock(AddressSpace.iMmapLock(mapping));
}

type Visit = (vma: Ptr<VmAreaStruct>) => Op<void>;

function* lockMappingOf(vma: Ptr<VmAreaStruct>): Op<void> {
  const file = yield* load(VmAreaStruct.vmFile(vma));
  if (file !== NULL) yield* vmLockMapping(yield* rcuDereference(File.mapping(file)));
}

function* lockAnonVmaOf(vma: Ptr<VmAreaStruct>): Op<void> {
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  if (anonVma !== NULL) yield* vmLockAnonVma(anonVma);
}

function* lockBothOf(vma: Ptr<VmAreaStruct>): Op<void> {
  yield* lockAnonVmaOf(vma);
  yield* lockMappingOf(vma);
}

/** *Returns* false when a signal came between. */
function* visitUntilSignal(mm: Ptr<MmStruct>, visit: Visit): Op<boolean> {
  for (let vma = yield* load(MmStruct.mmap(mm)); vma !== NULL; vma = yield* load(VmAreaStruct.vmNext(vma))) {
    if (yield* signalPending()) return false;
    yield* visit(vma);
  }
  return true;
}

/**
 * mm_take_all_locks(): holds off everything that may change entries of an mm: faults by mmap_sem, truncation by the i_mmap_lock of each file that is
 * mapped, reclaim by those and by the lock of each anon_vma. Each object is locked once, however many areas share it.
 *
 * 1. One taker at a time: others wait here, with nothing but their mmap_sem;
 * 2. all mappings, then all anon_vmas: vma_adjust() takes one of each in that order (E2). Within a class any order will do, as nobody
 *    but a taker holds two locks of one class;
 * 3. a signal ends it: with thousands of areas it may take long. What was taken goes back.
 *
 * *Context*: mmap_sem for write until {@link mmDropAllLocks} returns; no other spin lock held. A task cannot take two address spaces at
 * once: it would wait for itself at 1. May sleep; afterwards it may not.
 * *Returns* 0; -EINTR, and no lock.
 * *Source*: `mm_take_all_locks`, mm/mmap.c, 7906d00cd1, with the order of 7cd5a02f54 (2.6.27).
 */
export function* mmTakeAllLocks(mm: Ptr<MmStruct>): Op<number> {
  bugOn(yield* downReadTrylock(MmStruct.mmapSem(mm)), 'mm_take_all_locks: mmap_sem is not held for write');
  if (oneTaker()) yield* mutexLock(mmAllLocksMutex); // 1
  const all = mappingsFirst()
    ? (yield* visitUntilSignal(mm, lockMappingOf)) && (yield* visitUntilSignal(mm, lockAnonVmaOf)) // 2
    : yield* visitUntilSignal(mm, lockBothOf);
  if (all) return 0;
  if (dropOnSignal()) yield* mmDropAllLocks(mm); // 3
  return -EINTR;
}

/**
 * mm_drop_all_locks(): gives back what {@link mmTakeAllLocks} took, also when it came half way: what is not marked was not taken.
 *
 * *Context*: mmap_sem for write since the taking. *Source*: `mm_drop_all_locks`, mm/mmap.c, 7906d00cd1 (2.6.27).
 */
export function* mmDropAllLocks(mm: Ptr<MmStruct>): Op<void> {
  bugOn(yield* downReadTrylock(MmStruct.mmapSem(mm)), 'mm_drop_all_locks: mmap_sem is not held for write');
  bugOn(oneTaker() && !(yield* mutexIsLocked(mmAllLocksMutex)), 'mm_drop_all_locks: nobody took them');
  for (let vma = yield* load(MmStruct.mmap(mm)); vma !== NULL; vma = yield* load(VmAreaStruct.vmNext(vma))) {
    const anonVma = yield* load(VmAreaStruct.anonVma(vma));
    if (anonVma !== NULL) yield* vmUnlockAnonVma(anonVma);
    const file = yield* load(VmAreaStruct.vmFile(vma));
    if (file !== NULL) yield* vmUnlockMapping(yield* rcuDereference(File.mapping(file)));
  }
  if (oneTaker()) yield* mutexUnlock(mmAllLocksMutex);
}
