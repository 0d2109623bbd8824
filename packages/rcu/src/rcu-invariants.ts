// SPDX-License-Identifier: GPL-2.0-only
import { NULL, peek } from '@lockless/cpu';
import {
  CPUMASK_WORDS,
  nohzMaskWord,
  nrRcuCpus,
  RcuCtrlblk,
  RcuData,
  rcuCtrlblk as rcp,
  rcuData,
} from './rcu-struct.js';

/**
 * What will keep a grace period of classic RCU from ever ending, in words, or null. To be asked from outside, when no CPU is inside RCU's
 * own code and CPUs that sleep without a tick go on to do so.
 */
export function rcuStall(): string | null {
  const cur = peek(RcuCtrlblk.cur(rcp));
  const pending = peek(RcuCtrlblk.nextPending(rcp)) !== 0;
  const inProgress = cur !== peek(RcuCtrlblk.completed(rcp));
  if (pending && !inProgress) return `batch ${cur + 1} is wanted, none is in progress, and it is not started`;
  for (let index = 0; index < CPUMASK_WORDS && inProgress; index++) {
    const waited = peek(RcuCtrlblk.cpumask(rcp, index)) & peek(nohzMaskWord(index));
    if (waited !== 0)
      return `batch ${cur} waits for CPU ${index * 32 + 31 - Math.clz32(waited)}, which sleeps without a tick`;
  }
  for (let cpu = 0; cpu < peek(nrRcuCpus); cpu++) {
    const waits = peek(RcuData.curlist(rcuData(cpu))) !== NULL;
    const batch = peek(RcuData.batch(rcuData(cpu)));
    if (waits && ((batch - cur) | 0) > (pending ? 1 : 0))
      return `CPU ${cpu} waits for batch ${batch}, which nobody starts`;
  }
  return null;
}
