// SPDX-License-Identifier: MIT
import type { Null, Ptr } from './word.js';

/*
 * Where lockdep's lock_acquire() and lock_release() stand in the kernel: what a thread says of the locks that it takes. In the native build it is
 * recorded for the case that the thread dies (held-locks.native.ts). Other engines see every access and need no word of it; it is no access.
 */

/** About to take a lock, or to wait. `entry`: see held-entry.ts. */
export function lockTaking(_entry: number): void {}
/** It is taken. */
export function lockTaken(_entry: number): void {}
/** About to release it. */
export function lockReleasing(_entry: number): void {}
/** It is released, or the wait is over. */
export function lockReleased(_entry: number): void {}
/** The current task is on that wait queue, or soon will be; NULL: on none any more. */
export function waitingOn(_queue: Ptr<unknown> | Null): void {}
