// SPDX-License-Identifier: MIT
import { code } from './primitive.js';

const MB = code('smp_mb');
const RMB = code('smp_rmb');
const WMB = code('smp_wmb');
const BEFORE_ATOMIC = code('smp_mb__before_atomic');
const AFTER_ATOMIC = code('smp_mb__after_atomic');
const AFTER_SPINLOCK = code('smp_mb__after_spinlock');
const AFTER_UNLOCK_LOCK = code('smp_mb__after_unlock_lock');
const BARRIER = code('barrier');
const RELAX = code('cpu_relax');

/* As in barrier.ts; what each is natively says primitive.native.ts. */
export const smpMb = (): void => MB(0);
export const smpRmb = (): void => RMB(0);
export const smpWmb = (): void => WMB(0);
export const smpMbBeforeAtomic = (): void => BEFORE_ATOMIC(0);
export const smpMbAfterAtomic = (): void => AFTER_ATOMIC(0);
export const smpMbAfterSpinlock = (): void => AFTER_SPINLOCK(0);
export const smpMbAfterUnlockLock = (): void => AFTER_UNLOCK_LOCK(0);
export const barrier = (): void => BARRIER(0);
export const cpuRelax = (): void => RELAX(0);
