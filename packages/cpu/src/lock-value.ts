// SPDX-License-Identifier: MIT

/*
 * The word of a spin lock or rwlock: 0 free; CPU + 1, the holder; -n, held by n readers. Natively threads may sleep until it changes. Meanwhile bit 30 is
 * the other way round than the sign says, so that whoever releases the lock learns that he has to wake somebody by the same read-modify-write
 * that releases it.
 */
const SLEEPERS: number = 1 << 30;

/** Whether somebody sleeps on a lock whose word has this value. */
export const hasSleepers = (value: number): boolean => (((value >> 31) ^ (value >> 30)) & 1) !== 0;
/** The value without what it says of sleepers. */
export const withoutSleepers = (value: number): number => (hasSleepers(value) ? value ^ SLEEPERS : value);
/** The value, saying that somebody sleeps. */
export const withSleepers = (value: number): number => (hasSleepers(value) ? value : value ^ SLEEPERS);
