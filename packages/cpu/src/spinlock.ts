// SPDX-License-Identifier: MIT
import { configSmp } from './kconfig.js';
import type { Access, Op } from './op.js';
import { access } from './op.js';
import {
  localIrqDisable,
  localIrqEnable,
  localIrqRestore,
  localIrqSave,
  preemptDisable,
  preemptEnable,
} from './preempt.js';
import { code } from './primitive.js';
import type { Ref } from './word.js';

/*
 * A lock is one word, 0 when free, and taking it is one event (LKMM's LKR/LKW pair), so engines know who waits for whom.
 * Every engine keeps: 0 free; > 0 held by CPU (value - 1); an rwlock held by n readers is -n.
 *
 * Without CONFIG_SMP there is no word (include/linux/spinlock_up.h): who cannot be switched away from, nor interrupted by whoever takes the
 * lock too, is alone. So a lock is preempt_disable(), and without CONFIG_PREEMPT nothing; a trylock gets it always.
 */
const SPIN_LOCK = code('spin_lock');
const SPIN_TRYLOCK = code('spin_trylock');
const SPIN_UNLOCK = code('spin_unlock');
const READ_LOCK = code('read_lock');
const READ_UNLOCK = code('read_unlock');
const WRITE_LOCK = code('write_lock');
const WRITE_TRYLOCK = code('write_trylock');
const WRITE_UNLOCK = code('write_unlock');

declare const spinlock: unique symbol;
declare const rwlock: unique symbol;
/** Content of a spinlock_t word. */
export type SpinLock = number & { readonly [spinlock]: true };
/** Content of an rwlock_t word. */
export type RwLock = number & { readonly [rwlock]: true };

/** The lock word itself, of a build for SMP, preemption untouched: what the forms below are made of. */
export const rawSpinLock = (lock: Ref<SpinLock>): Access<void> => access(SPIN_LOCK, lock);
export const rawSpinTrylock = (lock: Ref<SpinLock>): Access<boolean> => access(SPIN_TRYLOCK, lock);
export const rawSpinUnlock = (lock: Ref<SpinLock>): Access<void> => access(SPIN_UNLOCK, lock);

/** spin_lock(): preemption off, then the lock. Acquire. */
export function* spinLock(lock: Ref<SpinLock>): Op<void> {
  preemptDisable();
  if (configSmp()) yield* rawSpinLock(lock);
}

/** spin_unlock(): release, then preemption on. */
export function* spinUnlock(lock: Ref<SpinLock>): Op<void> {
  if (configSmp()) yield* rawSpinUnlock(lock);
  preemptEnable();
}

/** spin_trylock(): true when taken. */
export function* spinTrylock(lock: Ref<SpinLock>): Op<boolean> {
  preemptDisable();
  if (!configSmp() || (yield* rawSpinTrylock(lock))) return true;
  preemptEnable();
  return false;
}

/** spin_lock_irq(): for locks that an interrupt handler takes too, when interrupts are known to be on. */
export function* spinLockIrq(lock: Ref<SpinLock>): Op<void> {
  localIrqDisable();
  yield* spinLock(lock);
}

/** spin_unlock_irq(). */
export function* spinUnlockIrq(lock: Ref<SpinLock>): Op<void> {
  if (configSmp()) yield* rawSpinUnlock(lock);
  localIrqEnable();
  preemptEnable();
}

/** spin_lock_irqsave(): returns the flags for {@link spinUnlockIrqrestore}. */
export function* spinLockIrqsave(lock: Ref<SpinLock>): Op<boolean> {
  const flags = localIrqSave();
  yield* spinLock(lock);
  return flags;
}

/** spin_unlock_irqrestore(). */
export function* spinUnlockIrqrestore(lock: Ref<SpinLock>, flags: boolean): Op<void> {
  if (configSmp()) yield* rawSpinUnlock(lock);
  localIrqRestore(flags);
  preemptEnable();
}

/** read_lock(): shared with other readers. */
export function* readLock(lock: Ref<RwLock>): Op<void> {
  preemptDisable();
  if (configSmp()) yield* access<void>(READ_LOCK, lock);
}

/** read_unlock(). */
export function* readUnlock(lock: Ref<RwLock>): Op<void> {
  if (configSmp()) yield* access<void>(READ_UNLOCK, lock);
  preemptEnable();
}

/** write_lock(): alone. */
export function* writeLock(lock: Ref<RwLock>): Op<void> {
  preemptDisable();
  if (configSmp()) yield* access<void>(WRITE_LOCK, lock);
}

/** write_trylock(): true when taken. */
export function* writeTrylock(lock: Ref<RwLock>): Op<boolean> {
  preemptDisable();
  if (!configSmp() || (yield* access<boolean>(WRITE_TRYLOCK, lock))) return true;
  preemptEnable();
  return false;
}

/** write_unlock(). */
export function* writeUnlock(lock: Ref<RwLock>): Op<void> {
  if (configSmp()) yield* access<void>(WRITE_UNLOCK, lock);
  preemptEnable();
}

/** read_lock_irq(): with interrupts off, as page-cache lookups took tree_lock up to 2.6.26. */
export function* readLockIrq(lock: Ref<RwLock>): Op<void> {
  localIrqDisable();
  yield* readLock(lock);
}

/** read_unlock_irq(). */
export function* readUnlockIrq(lock: Ref<RwLock>): Op<void> {
  if (configSmp()) yield* access<void>(READ_UNLOCK, lock);
  localIrqEnable();
  preemptEnable();
}

/** write_lock_irq(). */
export function* writeLockIrq(lock: Ref<RwLock>): Op<void> {
  localIrqDisable();
  yield* writeLock(lock);
}

/** write_unlock_irq(). */
export function* writeUnlockIrq(lock: Ref<RwLock>): Op<void> {
  if (configSmp()) yield* access<void>(WRITE_UNLOCK, lock);
  localIrqEnable();
  preemptEnable();
}
