// SPDX-License-Identifier: MIT
import { thisCpu, words } from './op.js';

/*
 * Each thread records the locks it takes in words of its own, so that whoever finds it dead knows what it held. A spin lock is recorded before it is taken
 * and struck off after it is released: a thread may die in between, and the lock word itself says whether it is the holder. The word of an
 * rwlock does not tell who reads; READ says that the thread surely does, UNSURE that it was about to take or release it.
 */

/** Locks that are recorded for one thread. Deeper ones are not: then only who waits for one finds out. */
export const HELD_LOCKS = 40;
/** Bits above an address. */
export const HELD_READ: number = 1 << 29;
export const HELD_UNSURE: number = 1 << 30;
export const HELD_ADDRESS: number = HELD_READ - 1;

/** Records a lock, with its bits, on top. */
export function recordHeld(entry: number): void {
  const cpu = thisCpu;
  const depth = cpu.heldDepth++;
  if (depth < HELD_LOCKS) words[cpu.held + depth] = entry;
}

/** Changes the bits of a lock that is recorded. */
export function changeHeld(before: number, after: number): void {
  const cpu = thisCpu;
  for (let at = cpu.held + Math.min(cpu.heldDepth, HELD_LOCKS) - 1; at >= cpu.held; at--) {
    if (words[at] !== before) continue;
    words[at] = after;
    return;
  }
}

/** Strikes a lock off. Mostly it is the last that was taken. */
export function strikeHeld(entry: number): void {
  const cpu = thisCpu;
  const depth = --cpu.heldDepth;
  if (depth >= HELD_LOCKS) return;
  const top = cpu.held + depth;
  const last = words[top];
  words[top] = 0;
  if (last !== entry) strikeInner(entry, top, last);
}

/** The lock was taken before others: the last one takes its place. A thread that dies meanwhile may be said to hold less than it does, for a moment. */
function strikeInner(entry: number, top: number, last: number): void {
  for (let at = top - 1; at >= thisCpu.held; at--) {
    if (words[at] !== entry) continue;
    words[at] = last;
    return;
  }
}
