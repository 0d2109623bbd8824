// SPDX-License-Identifier: MIT
import { warn } from './surroundings.js';
import type { ThreadStatus } from './threads.js';

/** Milliseconds after which a wait for a thread that shows no sign of going on is reported; less where it is an error soon. */
export const STALL_AFTER = 3000;

/** A thread waits for another one that shows no sign of going on: for an RCU reader of it, say. */
export interface Stall {
  /** Who is waited for. */
  readonly thread: ThreadStatus;
  /** The words that say what it is doing, such as `urcu_reader[3]`. */
  readonly words: string;
  /** Name of who waits. */
  readonly waiter: string;
  /** Milliseconds for which those words have been seen to be the same. */
  readonly unchangedFor: number;
}

/** Tells the listeners, or, if there is none, everybody. */
export function reportStall(stall: Stall, listeners: readonly ((stall: Stall) => void)[]): void {
  for (const listener of listeners) listener(stall);
  if (listeners.length > 0) return;
  const { thread, words, waiter, unchangedFor } = stall;
  warn(
    `${waiter} has waited for ${words} of ${thread.name} (CPU ${thread.cpu}) for ${unchangedFor} ms: that thread is in an RCU reader, or computes or sleeps without having said that it is in none (where RCU is qsbr: rcuThreadOffline(), or an event loop that turns)`,
    'LOCKLESS_STALL',
  );
}
