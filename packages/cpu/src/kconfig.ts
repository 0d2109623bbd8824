// SPDX-License-Identifier: MIT
import { defineWord, peek, poke } from './memory.js';

/** The build of the kernel: what its `.config` decides and the source asks about. */
export interface KernelConfig {
  /**
   * CONFIG_SMP, default true. Without it there is one CPU: a spin lock is no more than preempt_disable(), smp_* barriers are barrier(), and a
   * speculative reference is a plain increment.
   */
  readonly smp: boolean;
  /** CONFIG_PREEMPT, default true. Without it kernel code gives up the CPU only by schedule(), and preempt_disable() is nothing. */
  readonly preempt: boolean;
  /** CONFIG_DEBUG_VM with CONFIG_PROVE_RCU, default false: get_page_unless_zero() asks whether its caller is an RCU reader. */
  readonly proveRcu: boolean;
  /** User-space RCU whose readers say nothing, so that threads say when they are in none (urcu-qsbr), default false. Natively it is the machine's. */
  readonly quietRcu: boolean;
}

/* Written at boot, constant after it, so reading them is no access. A fresh memory is all zeros: a build for SMP with preemption. */
const up = defineWord('CONFIG_SMP=n');
const voluntary = defineWord('CONFIG_PREEMPT=n');
const prove = defineWord('CONFIG_PROVE_RCU');
const quiet = defineWord('CONFIG_QUIET_RCU');

/** Chooses the build. Boot, before anything else: locks that are held meanwhile would not be released as they were taken. */
export function configureKernel({ smp, preempt, proveRcu, quietRcu }: Partial<KernelConfig>): void {
  if (smp !== undefined) poke(up, smp ? 0 : 1);
  if (preempt !== undefined) poke(voluntary, preempt ? 0 : 1);
  if (proveRcu !== undefined) poke(prove, proveRcu ? 1 : 0);
  if (quietRcu !== undefined) poke(quiet, quietRcu ? 1 : 0);
}

export const configSmp = (): boolean => peek(up) !== 1;
export const configPreempt = (): boolean => peek(voluntary) !== 1;
export const configProveRcu = (): boolean => peek(prove) === 1;
export const configQuietRcu = (): boolean => peek(quiet) === 1;
