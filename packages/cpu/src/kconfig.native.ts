// SPDX-License-Identifier: MIT
import { attached } from './op.js';

/** The build of the kernel; natively there is one: for SMP, with preemption. Which RCU readers it has is the machine's affair. */
export interface KernelConfig {
  readonly smp: boolean;
  readonly preempt: boolean;
  readonly proveRcu: boolean;
  readonly quietRcu: boolean;
}

/** Only to say what is so: a native build is for SMP with preemption, a machine was made for its RCU. Throws RangeError when asked for another. */
export function configureKernel({
  smp = true,
  preempt = true,
  proveRcu = false,
  quietRcu = attached.quietRcu,
}: Partial<KernelConfig>): void {
  if (!smp || !preempt || proveRcu)
    throw new RangeError('a native build is for CONFIG_SMP=y, CONFIG_PREEMPT=y, CONFIG_PROVE_RCU=n');
  if (quietRcu !== attached.quietRcu)
    throw new RangeError(
      `RCU of this machine is ${attached.quietRcu ? 'qsbr' : 'mb'}: NativeMachine.create({ rcu }) chooses it, for all its threads`,
    );
}

export const configSmp = (): boolean => true;
export const configPreempt = (): boolean => true;
export const configProveRcu = (): boolean => false;
/** Of the machine that this thread is attached to: a constant to V8, see {@link attached}. */
export const configQuietRcu = (): boolean => attached.quietRcu;
