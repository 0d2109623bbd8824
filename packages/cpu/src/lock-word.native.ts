// SPDX-License-Identifier: MIT
import { KernelBug } from './bug.js';
import { HELD_READ, HELD_UNSURE } from './held-entry.js';
import { changeHeld, recordHeld, spoiltLocks, strikeHeld } from './held-locks.js';
import { hasSleepers, withoutSleepers } from './lock-value.js';
import { staticSymbolAt } from './memory.js';
import { attached } from './op.js';

/*
 * Spin locks and rwlocks of the native build, the part without waiting; the rest is sleeping-lock.ts. The word is as other engines keep it, see
 * lock-value.ts.
 */

export function spinLockWord(lock: number): void {
  recordHeld(lock);
  if (Atomics.compareExchange(attached.words, lock, 0, attached.thisCpu.id + 1) !== 0) attached.engine.takeSlowly(lock);
  if (attached.words[spoiltLocks] !== 0) attached.engine.refuseSpoiltLock(lock);
}

export function spinTrylockWord(lock: number): boolean {
  recordHeld(lock);
  if (Atomics.compareExchange(attached.words, lock, 0, attached.thisCpu.id + 1) === 0) {
    if (attached.words[spoiltLocks] !== 0) attached.engine.refuseSpoiltLock(lock);
    return true;
  }
  strikeHeld(lock);
  return false;
}

export const spinUnlockWord = (lock: number): void => unlockWord(lock, false);
export const writeUnlockWord = (lock: number): void => unlockWord(lock, true);

function unlockWord(lock: number, all: boolean): void {
  const before = Atomics.exchange(attached.words, lock, 0);
  if (before !== attached.thisCpu.id + 1) unlockOddly(lock, before, all);
  strikeHeld(lock);
}

function unlockOddly(lock: number, before: number, all: boolean): void {
  if (withoutSleepers(before) !== attached.thisCpu.id + 1) {
    // It must not have happened: put back, unless somebody took the lock meanwhile.
    if (before !== 0) Atomics.compareExchange(attached.words, lock, 0, before);
    notHeld(lock, before);
  }
  if (hasSleepers(before)) attached.engine.notifyLock(lock, all);
}

export function readLockWord(lock: number): void {
  recordHeld(lock | HELD_READ | HELD_UNSURE);
  const before = Atomics.load(attached.words, lock);
  if (before > 0 || Atomics.compareExchange(attached.words, lock, before, before - 1) !== before)
    attached.engine.shareSlowly(lock);
  changeHeld(lock | HELD_READ | HELD_UNSURE, lock | HELD_READ);
  if (attached.words[spoiltLocks] !== 0) attached.engine.refuseSpoiltLock(lock | HELD_READ);
}

export function readUnlockWord(lock: number): void {
  changeHeld(lock | HELD_READ, lock | HELD_READ | HELD_UNSURE);
  const before = attached.engine.unshare(lock);
  if (before >= 0) notHeld(lock, before);
  strikeHeld(lock | HELD_READ | HELD_UNSURE);
}

function notHeld(lock: number, before: number): never {
  const holder = withoutSleepers(before);
  const who = holder === 0 ? 'nobody holds it' : holder < 0 ? 'readers hold it' : `CPU ${holder - 1} holds it`;
  const name = staticSymbolAt(lock)?.name ?? `the lock at ${lock}`;
  throw new KernelBug('unlock-not-held', `unlock of ${name} by CPU ${attached.thisCpu.id}: ${who}`);
}
