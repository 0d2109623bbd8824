// SPDX-License-Identifier: MIT
import { HELD_UNSURE } from './held-entry.js';
import { defineWord } from './memory.js';
import { attached } from './op.js';
import type { Null, Ptr, Ref } from './word.js';

/*
 * Each thread records the locks it takes in words of its own, so that whoever finds it dead knows what it held. A spin lock is recorded before it is taken
 * and struck off after it is released: a thread may die in between, and the lock word itself says who holds it. Others do not say so, or not at
 * once; for them HELD_UNSURE is set meanwhile.
 */

/** Words of a TaskStruct. The engine keeps the queue that the task waits on behind them. */
export const TASK_WORDS = 16;
/** Locks that are recorded for one thread. Deeper ones are not: then only who waits for one finds out. */
export const HELD_LOCKS = 40;

/** Locks whose holder died and that nobody could repair: how many there are. */
export const spoiltLocks: Ref<number> = defineWord('spoilt_locks');

/** Records a lock, with its bits, on top. */
export function recordHeld(entry: number): void {
  const cpu = attached.thisCpu;
  const depth = cpu.heldDepth++;
  if (depth < HELD_LOCKS) attached.words[cpu.held + depth] = entry;
}

/** Changes the bits of a lock that is recorded. */
export function changeHeld(before: number, after: number): void {
  const cpu = attached.thisCpu;
  for (let at = cpu.held + Math.min(cpu.heldDepth, HELD_LOCKS) - 1; at >= cpu.held; at--) {
    if (attached.words[at] !== before) continue;
    attached.words[at] = after;
    return;
  }
}

/** Strikes a lock off. Mostly it is the last that was taken. */
export function strikeHeld(entry: number): void {
  const cpu = attached.thisCpu;
  const depth = --cpu.heldDepth;
  if (depth >= HELD_LOCKS) return;
  const top = cpu.held + depth;
  const last = attached.words[top];
  if (last !== entry) fillGap(entry, top, last);
  attached.words[top] = 0;
}

/** The lock was taken before others: the last one takes its place, and is there twice for a moment rather than never. */
function fillGap(entry: number, top: number, last: number): void {
  for (let at = top - 1; at >= attached.thisCpu.held; at--) {
    if (attached.words[at] !== entry) continue;
    attached.words[at] = last;
    return;
  }
}

export const lockTaking = (entry: number): void => recordHeld(entry | HELD_UNSURE);

/** Throws, with the lock released, if its last holder died and left it spoilt. */
export function lockTaken(entry: number): void {
  changeHeld(entry | HELD_UNSURE, entry);
  if (attached.words[spoiltLocks] !== 0) attached.engine.refuseSpoiltLock(entry);
}

export const lockReleasing = (entry: number): void => changeHeld(entry, entry | HELD_UNSURE);
export const lockReleased = (entry: number): void => strikeHeld(entry | HELD_UNSURE);

/** Kept with the task, in the first word behind it: a thread may have several tasks, all of which wait. */
export function waitingOn(queue: Ptr<unknown> | Null): void {
  attached.words[attached.thisCpu.current + TASK_WORDS] = queue;
}
