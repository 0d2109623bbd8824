// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { barrier, defineGuard, preemptDisable, preemptEnable } from '@lockless/cpu';

/*
 * Readers of classic RCU without CONFIG_SMP. A reader is over when its CPU switches tasks, and there is no other CPU: so to read is to keep
 * others from this one, and a grace period has passed whenever somebody may sleep. With CONFIG_PREEMPT only preempt_disable() keeps them away.
 */

const staysOnCpu = defineGuard(
  'rcuReadLock.preemptDisable',
  'without CONFIG_SMP, an RCU reader can be preempted: rcu_read_lock() is a compiler barrier',
);

/** rcu_read_lock() without CONFIG_SMP. *Source*: `__rcu_read_lock`, include/linux/rcuclassic.h, 2.6.27. */
export function* upReadLock(): Op<void> {
  if (staysOnCpu()) preemptDisable();
  yield* barrier();
}

/** rcu_read_unlock() without CONFIG_SMP. *Source*: `__rcu_read_unlock`, include/linux/rcuclassic.h, 2.6.27. */
export function* upReadUnlock(): Op<void> {
  yield* barrier();
  if (staysOnCpu()) preemptEnable();
}
