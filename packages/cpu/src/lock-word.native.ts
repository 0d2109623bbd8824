// SPDX-License-Identifier: MIT

import { KernelBug } from './bug.js';
import { changeHeld, HELD_READ, HELD_UNSURE, recordHeld, strikeHeld } from './held-locks.js';
import { defineWord, staticSymbolAt } from './memory.js';
import { engine, thisCpu, words } from './op.js';
import type { Ref } from './word.js';

/*
 * Spin locks and rwlocks of the native build. The word is as other engines keep it: 0 free; CPU + 1, the holder; -n, held by n readers. While somebody
 * sleeps until the word changes, bit 30 is the other way round than the sign says, so that whoever releases the lock knows whether to wake, by
 * the same read-modify-write that releases it. Why no wake-up is lost: sleeping-lock.ts, which the checker has checked.
 */

/** Turned over while somebody sleeps on the word. */
export const SLEEPERS: number = 1 << 30;

/** Whether somebody sleeps on a lock whose word has this value. */
export const hasSleepers = (value: number): boolean => (((value >> 31) ^ (value >> 30)) & 1) !== 0;
/** The value without what it says of sleepers. */
export const withoutSleepers = (value: number): number => (hasSleepers(value) ? value ^ SLEEPERS : value);
/** The value, saying that somebody sleeps. */
export const withSleepers = (value: number): number => (hasSleepers(value) ? value : value ^ SLEEPERS);

/** Locks whose holder died and that nobody could repair: how many there are. */
export const spoiltLocks: Ref<number> = defineWord('spoilt_locks');

export function spinLockWord(lock: number): void {
  recordHeld(lock);
  if (Atomics.compareExchange(words, lock, 0, thisCpu.id + 1) !== 0) engine.spinLockSlowly(lock);
  if (words[spoiltLocks] !== 0) engine.refuseSpoiltLock(lock);
}

export function spinTrylockWord(lock: number): boolean {
  recordHeld(lock);
  if (Atomics.compareExchange(words, lock, 0, thisCpu.id + 1) === 0) {
    if (words[spoiltLocks] !== 0) engine.refuseSpoiltLock(lock);
    return true;
  }
  strikeHeld(lock);
  return false;
}

export function spinUnlockWord(lock: number): void {
  const before = Atomics.exchange(words, lock, 0);
  if (before !== thisCpu.id + 1) {
    if (withoutSleepers(before) !== thisCpu.id + 1) notHeld(lock, before);
    engine.notifyLock(lock, false);
  }
  strikeHeld(lock);
}

export function readLockWord(lock: number): void {
  recordHeld(lock | HELD_READ | HELD_UNSURE);
  const before = Atomics.load(words, lock);
  if (before > 0 || Atomics.compareExchange(words, lock, before, before - 1) !== before) engine.readLockSlowly(lock);
  changeHeld(lock | HELD_READ | HELD_UNSURE, lock | HELD_READ);
  if (words[spoiltLocks] !== 0) engine.refuseSpoiltLock(lock);
}

export function readUnlockWord(lock: number): void {
  changeHeld(lock | HELD_READ, lock | HELD_READ | HELD_UNSURE);
  for (;;) {
    const before = Atomics.load(words, lock);
    if (before >= 0) notHeld(lock, before);
    const last = withoutSleepers(before) === -1;
    if (Atomics.compareExchange(words, lock, before, last ? 0 : before + 1) !== before) continue;
    if (last && hasSleepers(before)) engine.notifyLock(lock, true);
    break;
  }
  strikeHeld(lock | HELD_READ | HELD_UNSURE);
}

export function writeLockWord(lock: number): void {
  recordHeld(lock);
  if (Atomics.compareExchange(words, lock, 0, thisCpu.id + 1) !== 0) engine.writeLockSlowly(lock);
  if (words[spoiltLocks] !== 0) engine.refuseSpoiltLock(lock);
}

export function writeUnlockWord(lock: number): void {
  const before = Atomics.exchange(words, lock, 0);
  if (before !== thisCpu.id + 1) {
    if (withoutSleepers(before) !== thisCpu.id + 1) notHeld(lock, before);
    engine.notifyLock(lock, true);
  }
  strikeHeld(lock);
}

/** The word of an unlock that must not have happened: it is put back, unless somebody took the lock meanwhile. */
function notHeld(lock: number, before: number): never {
  if (before > 0) Atomics.compareExchange(words, lock, 0, before);
  const holder = withoutSleepers(before);
  const who = holder === 0 ? 'nobody holds it' : holder < 0 ? 'readers hold it' : `CPU ${holder - 1} holds it`;
  throw new KernelBug(
    'unlock-not-held',
    `unlock of ${staticSymbolAt(lock)?.name ?? `the lock at ${lock}`} by CPU ${thisCpu.id}: ${who}`,
  );
}
