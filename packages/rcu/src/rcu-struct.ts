// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, Null, Ptr, Ref, SpinLock, StructOf, Vec } from '@lockless/cpu';
import { definePerCpu, defineStatic, defineWord, NR_CPUS, struct } from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';

/** Words of a mask with one bit for each CPU. */
export const CPUMASK_WORDS: number = NR_CPUS / 32;

/** Both counters start here, as in the kernel, so that the wrap to positive numbers is met early. */
export const FIRST_BATCH = -300;

/** struct rcu_ctrlblk: the grace period in progress. Batches are numbered; batch n is over when `completed` reaches n. */
export interface RcuCtrlblk {
  /** Number of the batch in progress, or of the last one when none is. Written under the lock, read by everybody. */
  cur: number;
  /** Number of the last batch that is over. Written under the lock, read by everybody. */
  completed: number;
  /** 1 when a batch waits to be started after the one in progress. */
  nextPending: number;
  lock: SpinLock;
  /** CPUs that the batch in progress still waits for; under the lock. */
  cpumask: Vec<number>;
}
export const RcuCtrlblk: StructOf<RcuCtrlblk> = struct<RcuCtrlblk>('rcu_ctrlblk', {
  cur: 1,
  completed: 1,
  nextPending: 1,
  lock: 1,
  cpumask: CPUMASK_WORDS,
});

/** The link word at the end of a list of callbacks. */
export type RcuTail = Ref<Ptr<RcuHead> | Null>;

/** struct rcu_data: what one CPU knows. Only that CPU touches it, with interrupts off where the tick looks at it too. */
export interface RcuData {
  /** Batch for which this CPU knows that a quiescent state is wanted. */
  quiescbatch: number;
  /** 1 when this CPU went through a quiescent state since it learned of quiescbatch. */
  passedQuiesc: number;
  /** 1 while this CPU owes quiescbatch a quiescent state. */
  qsPending: number;
  /** The batch that curlist waits for. */
  batch: number;
  /** Callbacks just queued; not yet part of a batch. */
  nxtlist: Ptr<RcuHead> | Null;
  nxttail: RcuTail;
  /** Callbacks that wait for `batch`. */
  curlist: Ptr<RcuHead> | Null;
  curtail: RcuTail;
  /** Callbacks whose grace period is over. */
  donelist: Ptr<RcuHead> | Null;
  donetail: RcuTail;
  /** Callbacks queued here and not yet invoked. */
  qlen: number;
  /** How many callbacks one softirq may invoke. */
  blimit: number;
  /** Callbacks ever queued and ever invoked here, for statistics. */
  queued: number;
  invoked: number;
  /** rcu_barrier()'s callback on this CPU. */
  barrier: Embed<RcuHead>;
  /** 1 while rcu_barrier() asks this CPU to queue it; the one word here that other CPUs write. */
  barrierRequest: number;
}
export const RcuData: StructOf<RcuData> = struct<RcuData>('rcu_data', {
  quiescbatch: 1,
  passedQuiesc: 1,
  qsPending: 1,
  batch: 1,
  nxtlist: 1,
  nxttail: 1,
  curlist: 1,
  curtail: 1,
  donelist: 1,
  donetail: 1,
  qlen: 1,
  blimit: 1,
  queued: 1,
  invoked: 1,
  barrier: RcuHead,
  barrierRequest: 1,
});

export const rcuCtrlblk: Ptr<RcuCtrlblk> = defineStatic(RcuCtrlblk, 'rcu_ctrlblk');
export const rcuData: (cpu: number) => Ptr<RcuData> = definePerCpu(RcuData, 'rcu_data');

/** Number of CPUs that take part; constant after {@link rcuInit}. */
export const nrRcuCpus: Ref<number> = defineWord('rcu_nr_cpus');

/** nohz_cpu_mask: CPUs that sleep in the idle loop without a tick. Two words, on cache lines of their own. */
interface CpuMask {
  bits: Vec<number>;
}
const CpuMask: StructOf<CpuMask> = struct<CpuMask>('cpumask_t', { bits: CPUMASK_WORDS });
const nohzCpuMask: Ptr<CpuMask> = defineStatic(CpuMask, 'nohz_cpu_mask');

/** Word `index` of nohz_cpu_mask. */
export const nohzMaskWord = (index: number): Ref<number> => CpuMask.bits(nohzCpuMask, index);
