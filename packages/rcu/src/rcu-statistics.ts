// SPDX-License-Identifier: GPL-2.0-only
import { peek } from '@lockless/cpu';
import { FLAVOUR_URCU_MB, rcuFlavour } from './flavour.js';
import { FIRST_BATCH, nrRcuCpus, RcuCtrlblk, RcuData, rcuCtrlblk, rcuData } from './rcu-struct.js';
import { urcuCallbacks } from './urcu-call-rcu.js';
import { urcuMbCompleted } from './urcu-mb.js';

/** What RCU did since boot. */
export interface RcuStatistics {
  /** Grace periods that ended. */
  readonly gracePeriods: number;
  /** Callbacks given to call_rcu(). */
  readonly callbacksQueued: number;
  readonly callbacksInvoked: number;
  /** The same by CPU; empty where callbacks belong to no CPU (user-space RCU). */
  readonly perCpu: readonly { readonly queued: number; readonly invoked: number }[];
}

/** Reads the counters from outside; what CPUs have not yet written back is missing while they run. */
export function rcuStatistics(): RcuStatistics {
  if (rcuFlavour() >= FLAVOUR_URCU_MB) {
    const { queued, invoked } = urcuCallbacks();
    return { gracePeriods: urcuMbCompleted(), callbacksQueued: queued, callbacksInvoked: invoked, perCpu: [] };
  }
  const perCpu = Array.from({ length: peek(nrRcuCpus) }, (_, cpu) => ({
    queued: peek(RcuData.queued(rcuData(cpu))),
    invoked: peek(RcuData.invoked(rcuData(cpu))),
  }));
  return {
    gracePeriods: (peek(RcuCtrlblk.completed(rcuCtrlblk)) - FIRST_BATCH) | 0,
    callbacksQueued: perCpu.reduce((sum, { queued }) => sum + queued, 0),
    callbacksInvoked: perCpu.reduce((sum, { invoked }) => sum + invoked, 0),
    perCpu,
  };
}
