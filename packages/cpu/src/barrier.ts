// SPDX-License-Identifier: MIT
import { configSmp } from './kconfig.js';
import type { Access } from './op.js';
import { access } from './op.js';
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

/** A barrier between CPUs. Where there is one CPU alone, it sees its own accesses in order: a compiler barrier. */
const betweenCpus = (code: number): Access<void> => access(configSmp() ? code : BARRIER, 0);

/** Full barrier: everything before it is visible to all before anything after it happens. */
export const smpMb = (): Access<void> => betweenCpus(MB);
/** Loads before stay before loads after. Pairs with a {@link smpWmb} or a release. */
export const smpRmb = (): Access<void> => betweenCpus(RMB);
/** Stores before stay before stores after. Pairs with a {@link smpRmb}, an acquire or a dependency. */
export const smpWmb = (): Access<void> => betweenCpus(WMB);
/** Makes a non-value-returning atomic that follows ordered after what precedes (2.6.27: smp_mb__before_atomic_inc, _clear_bit). */
export const smpMbBeforeAtomic = (): Access<void> => betweenCpus(BEFORE_ATOMIC);
/** Makes a non-value-returning atomic that precedes ordered before what follows. */
export const smpMbAfterAtomic = (): Access<void> => betweenCpus(AFTER_ATOMIC);
/** After spin_lock(): what precedes the lock comes before what follows this, for all CPUs. */
export const smpMbAfterSpinlock = (): Access<void> => betweenCpus(AFTER_SPINLOCK);
/** After a lock that follows an unlock: the two together are a full barrier. */
export const smpMbAfterUnlockLock = (): Access<void> => betweenCpus(AFTER_UNLOCK_LOCK);
/** Compiler barrier: orders nothing between CPUs. */
export const barrier = (): Access<void> => access(BARRIER, 0);
/** One turn of a spin loop: tells the engine that nothing changes until another CPU moves. */
export const cpuRelax = (): Access<void> => access(RELAX, 0);
