// SPDX-License-Identifier: MIT

/*
 * What a thread of the native build records of the locks that it takes, in a word for each: the address, and bits above. Whoever finds the thread dead
 * reads there what it held, and what it waited for.
 */

/** Bits above an address. An entry with none of the first two is a spin lock, or an rwlock that is written. */
export const HELD_MUTEX: number = 1 << 26;
export const HELD_RWSEM: number = 1 << 27;
/** An rwlock or rwsem that is read. */
export const HELD_READ: number = 1 << 28;
/** It is about to take the lock, or to release it: the thread may hold it or not. */
export const HELD_UNSURE: number = 1 << 29;
/** The address in an entry. */
export const HELD_ADDRESS: number = HELD_MUTEX - 1;
