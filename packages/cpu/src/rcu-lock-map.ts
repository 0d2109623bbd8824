// SPDX-License-Identifier: MIT
import { thisCpu } from './op.js';

/*
 * rcu_lock_map, what lockdep knows of RCU readers (CONFIG_PROVE_RCU, include/linux/rcupdate.h since 2.6.32). Classic RCU protects whoever
 * cannot be switched away from; this tells who *said* that it reads. It orders nothing and is no access.
 */

/** rcu_read_acquire(): the task is a reader from here on. */
export function rcuReadAcquire(): void {
  thisCpu.rcuReaders += 1;
}

/** rcu_read_release(). */
export function rcuReadRelease(): void {
  if (thisCpu.rcuReaders > 0) thisCpu.rcuReaders -= 1;
}

/** lock_is_held(&rcu_lock_map): the task is between rcu_read_lock() and rcu_read_unlock(). An interrupt handler is where it interrupts. */
export const rcuLockMapHeld = (): boolean => thisCpu.rcuReaders > 0;
