// SPDX-License-Identifier: MIT

/** The build of the kernel; natively there is one: for SMP, with preemption. */
export interface KernelConfig {
  readonly smp: boolean;
  readonly preempt: boolean;
  readonly proveRcu: boolean;
}

/** Only to say what is so: a native build is for SMP with preemption. Throws RangeError when asked for another. */
export function configureKernel({ smp = true, preempt = true, proveRcu = false }: Partial<KernelConfig>): void {
  if (!smp || !preempt || proveRcu)
    throw new RangeError('a native build is for CONFIG_SMP=y, CONFIG_PREEMPT=y, CONFIG_PROVE_RCU=n');
}

export const configSmp = (): boolean => true;
export const configPreempt = (): boolean => true;
export const configProveRcu = (): boolean => false;
