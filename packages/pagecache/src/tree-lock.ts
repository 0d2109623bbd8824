// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, RwLock } from '@lockless/cpu';
import {
  defineGuard,
  localIrqRestore,
  localIrqSave,
  readLock,
  readLockIrq,
  readUnlock,
  readUnlockIrq,
  spinLock,
  spinLockIrq,
  spinLockIrqsave,
  spinUnlock,
  spinUnlockIrq,
  spinUnlockIrqrestore,
  writeLock,
  writeLockIrq,
  writeUnlock,
  writeUnlockIrq,
} from '@lockless/cpu';
import { AddressSpace } from '@lockless/mm-types';
import { treeLockGeneration } from './config.js';

/*
 * mapping->tree_lock protects page_tree and nrpages. The disk's interrupt takes it to change tags, hence interrupts off. It is a spin lock
 * since 2.6.27 (19fd623127), because no lookup takes it any more, and an rwlock before.
 */
const irqsOff = defineGuard('treeLock.irqsOff', 'tree_lock taken with spin_lock instead of spin_lock_irq');

const rwlockOf = (mapping: Ptr<AddressSpace>): Ref<RwLock> =>
  AddressSpace.treeLock(mapping) as number as Ref<number> as Ref<RwLock>;

/**
 * Takes tree_lock to change the tree. *Context*: interrupts on.
 * *Source*: `spin_lock_irq(&mapping->tree_lock)`, 2.6.27; `write_lock_irq`, 2.6.26.
 */
export function* lockTreeIrq(mapping: Ptr<AddressSpace>): Op<void> {
  if (treeLockGeneration()) yield* irqsOff() ? writeLockIrq(rwlockOf(mapping)) : writeLock(rwlockOf(mapping));
  else yield* irqsOff() ? spinLockIrq(AddressSpace.treeLock(mapping)) : spinLock(AddressSpace.treeLock(mapping));
}

/** Undoes {@link lockTreeIrq}. */
export function* unlockTreeIrq(mapping: Ptr<AddressSpace>): Op<void> {
  if (treeLockGeneration()) yield* irqsOff() ? writeUnlockIrq(rwlockOf(mapping)) : writeUnlock(rwlockOf(mapping));
  else yield* irqsOff() ? spinUnlockIrq(AddressSpace.treeLock(mapping)) : spinUnlock(AddressSpace.treeLock(mapping));
}

/** Takes tree_lock to change the tree, interrupts on or off. Returns what {@link unlockTreeIrqrestore} wants back. */
export function* lockTreeIrqsave(mapping: Ptr<AddressSpace>): Op<boolean> {
  if (!treeLockGeneration()) return yield* spinLockIrqsave(AddressSpace.treeLock(mapping));
  const flags = localIrqSave();
  yield* writeLock(rwlockOf(mapping));
  return flags;
}

/** Undoes {@link lockTreeIrqsave}. */
export function* unlockTreeIrqrestore(mapping: Ptr<AddressSpace>, flags: boolean): Op<void> {
  if (!treeLockGeneration()) return yield* spinUnlockIrqrestore(AddressSpace.treeLock(mapping), flags);
  yield* writeUnlock(rwlockOf(mapping));
  localIrqRestore(flags);
}

/** Takes tree_lock to look, as all lookups did up to 2.6.26 (`read_lock_irq`). Only in the 'tree-lock' generation. */
export function* readLockTree(mapping: Ptr<AddressSpace>): Op<void> {
  yield* irqsOff() ? readLockIrq(rwlockOf(mapping)) : readLock(rwlockOf(mapping));
}

/** Undoes {@link readLockTree}. */
export function* readUnlockTree(mapping: Ptr<AddressSpace>): Op<void> {
  yield* irqsOff() ? readUnlockIrq(rwlockOf(mapping)) : readUnlock(rwlockOf(mapping));
}
