// SPDX-License-Identifier: MIT

/**
 * R, W, F  a load, a store, a fence (or any other event without a location).
 * LKR, LKW the load and the store of a lock acquisition; UL the store of a release; LF a trylock that failed; RL, RU a spin_is_locked() that
 *          said yes, no. A lock word is 0 when free and 1 when held (lock.cat).
 * A read-modify-write is two events, the load and the store, that {@link Event.partner} joins.
 * srcu_read_lock() is an R and srcu_read_unlock() a W with a tag of its own, as in linux-kernel.def, or an F with a location for who does not want
 * to choose who reads from whom there; synchronize_srcu() is an F with a location.
 */
export type EventType = 'R' | 'W' | 'F' | 'LKR' | 'LKW' | 'UL' | 'LF' | 'RL' | 'RU';

/** What linux-kernel.bell annotates events with. `mb` on a load or store: half of a fully ordered read-modify-write (or smp_store_mb). */
export type Tag =
  | 'plain'
  | 'once'
  | 'acquire'
  | 'release'
  | 'mb'
  /** The load and store of a read-modify-write that returns nothing. */
  | 'noreturn'
  | 'rmb'
  | 'wmb'
  | 'barrier'
  | 'before-atomic'
  | 'after-atomic'
  | 'after-spinlock'
  | 'after-unlock-lock'
  | 'after-srcu-read-unlock'
  | 'rcu-lock'
  | 'rcu-unlock'
  | 'sync-rcu'
  | 'srcu-lock'
  | 'srcu-unlock'
  | 'sync-srcu';

/** Thread of the initial stores, which come before everything. */
export const INITIAL = -1;

/** One event of an execution. Its number is its position in {@link Skeleton.events}; those of a thread ascend in program order. */
export interface Event {
  /** From 0; {@link INITIAL} for initial stores. */
  readonly thread: number;
  readonly type: EventType;
  readonly tag: Tag;
  /** Any number that names the location, -1 when there is none (a fence). For SRCU events the srcu_struct. */
  readonly location: number;
  /** Number of the other half of a read-modify-write (or of a lock acquisition: LKR and LKW), else -1. */
  readonly partner: number;
  /** What was read or written; for reports, the models do not look at it (srcu-lock, srcu-unlock excepted: the flag srcu-bad-value-match). */
  readonly value: number;
  /**
   * The load of a conditional read-modify-write that stored nothing (a cmpxchg that failed). It may carry the tag of the operation: acquire and mb
   * order nothing then. But smp_mb__before_atomic() and smp_mb__after_atomic() next to it do, and on x86 it is a locked instruction.
   */
  readonly failed?: boolean;
}
