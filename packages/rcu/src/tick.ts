// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import {
  bugOn,
  clearBit,
  defineGuard,
  localBhDisable,
  localBhEnable,
  NR_CPUS,
  poke,
  SOFTIRQ_OFFSET,
  setBit,
  smpMb,
  smpMbAfterAtomic,
  smpProcessorId,
  store,
  thisCpu,
} from '@lockless/cpu';
import { FLAVOUR_CLASSIC, FLAVOUR_URCU_MB, FLAVOUR_URCU_QSBR, rcuFlavour } from './flavour.js';
import { answerBarrierRequest, initRcuBarrier } from './rcu-barrier.js';
import { FIRST_BATCH, nohzMaskWord, nrRcuCpus, RcuCtrlblk, rcuCtrlblk } from './rcu-struct.js';
import { initRcuData, processBatches, rcuNeedsCpu, rcuNoteContextSwitch, rcuPending } from './rcuclassic.js';
import { urcuReclaim } from './urcu-call-rcu.js';
import { rcuQuiescentState, rcuThreadOffline } from './urcu-qsbr.js';

/*
 * What RCU asks of whoever drives the machine. Enough: rcuNoteContextSwitch() at every context switch, and from every CPU's timer interrupt
 * rcuTick(), or rcuCheckCallbacks() and then rcuProcessCallbacks() as a softirq (rcuHooks); `user` true when that interrupted user mode or the idle loop. An idle CPU then holds up nothing, because its own tick speaks
 * for it. A driver that stops the tick of idle CPUs brackets the sleep with rcuEnterIdle() and rcuExitIdle() instead.
 */

const userOnly = defineGuard('rcuCheckCallbacks.userOnly', 'a tick within a reader counts as a quiescent state');
const asleepFirst = defineGuard(
  'rcuEnterIdle.asleepFirst',
  'asks whether RCU needs the CPU before it says that it sleeps, as 2.6.27 does',
);

/**
 * rcu_init(): at boot, on one CPU, before any other runs.
 *
 * *Source*: `__rcu_init`, kernel/rcuclassic.c, 2.6.27. *Differs*: all CPUs come online here; there is no CPU hotplug.
 */
export function* rcuInit(nrCpus: number): Op<void> {
  bugOn(nrCpus < 1 || nrCpus > NR_CPUS, `rcuInit of ${nrCpus} CPUs`);
  poke(nrRcuCpus, nrCpus);
  yield* store(RcuCtrlblk.cur(rcuCtrlblk), FIRST_BATCH);
  yield* store(RcuCtrlblk.completed(rcuCtrlblk), FIRST_BATCH);
  for (let cpu = 0; cpu < nrCpus; cpu++) yield* initRcuData(cpu);
  yield* initRcuBarrier();
}

/**
 * rcu_check_callbacks(): a tick's look at this CPU. `user` says that the tick interrupted user mode or the idle loop itself, where no
 * reader can be, so it counts as a quiescent state.
 *
 * *Context*: timer interrupt. The driver then runs {@link rcuProcessCallbacks} as a softirq (or uses {@link rcuTick}).
 * *Source*: `rcu_check_callbacks`, kernel/rcuclassic.c, 2.6.27, which finds out about the idle loop by itself.
 */
export function* rcuCheckCallbacks(user: boolean): Op<void> {
  if (user || !userOnly()) yield* rcuNoteContextSwitch();
}

/**
 * rcu_process_callbacks(): starts and ends batches for this CPU and invokes callbacks whose grace period is over, a limited number at once.
 *
 * *Context*: softirq, or a task with preemption off; never nested on one CPU.
 * *Ordering*: full barriers A and B around it, see the top of rcuclassic.ts.
 * *Source*: `rcu_process_callbacks`, kernel/rcuclassic.c, 2.6.27.
 */
export function* rcuProcessCallbacks(): Op<void> {
  localBhDisable();
  // A: readers that the interrupted code ran are over before this CPU reports anything.
  yield* smpMb();
  yield* answerBarrierRequest();
  yield* processBatches();
  // B: readers that the interrupted code runs later see what was removed before a batch that we have learned of.
  yield* smpMb();
  localBhEnable();
}

const inSoftirq = (): boolean => (thisCpu.preemptCount & (SOFTIRQ_OFFSET * 0xff)) !== 0;

/**
 * One timer interrupt, for drivers that have no softirqs of their own: {@link rcuPending}, {@link rcuCheckCallbacks} and, unless the
 * interrupt hit softirq work, {@link rcuProcessCallbacks}.
 *
 * *Context*: timer interrupt.
 * *Source*: `update_process_times` and `irq_exit`, kernel/timer.c and kernel/softirq.c, 2.6.27.
 */
export function* rcuTick(user: boolean): Op<void> {
  if (!(yield* rcuPending())) return;
  yield* rcuCheckCallbacks(user);
  if (!inSoftirq()) yield* rcuProcessCallbacks();
}

/** The two above as hooks of a machine that has softirqs: what `new Machine({ hooks })` of `@lockless/simulator` takes. User-space RCU needs them with quiescent states only. */
export const rcuHooks: {
  readonly onContextSwitch: (cpu: number) => Op<void>;
  readonly onTick: (cpu: number, user: boolean) => Op<void>;
  readonly onSoftirq: (cpu: number) => Op<void>;
} = {
  *onContextSwitch() {
    const flavour = rcuFlavour();
    if (flavour === FLAVOUR_CLASSIC) yield* rcuNoteContextSwitch();
    else if (flavour === FLAVOUR_URCU_QSBR) yield* rcuQuiescentState();
  },
  *onTick(_cpu, user) {
    const flavour = rcuFlavour();
    if (flavour === FLAVOUR_CLASSIC) yield* rcuCheckCallbacks(user);
    // It has not interrupted a reader, or nothing happens. A task may spin here that waits for a grace period, after another one has read.
    else if (flavour === FLAVOUR_URCU_QSBR) yield* rcuThreadOffline();
  },
  *onSoftirq() {
    if (rcuFlavour() === FLAVOUR_CLASSIC && (yield* rcuPending())) yield* rcuProcessCallbacks();
  },
};

/**
 * The idle loop's share, without waiting for a tick: everything that RCU can do on this CPU now. On a machine of one CPU, or one where no
 * other CPU is awake, this ends all grace periods and invokes all callbacks.
 *
 * *Context*: a task that is in no reader, preemption on. *Differs*: the kernel leaves this to ticks.
 */
export function* rcuIdle(): Op<void> {
  if (rcuFlavour() >= FLAVOUR_URCU_MB) {
    yield* urcuReclaim();
    return;
  }
  while (yield* rcuPending()) {
    yield* rcuCheckCallbacks(true);
    yield* rcuProcessCallbacks();
  }
}

/**
 * This CPU is about to sleep without a tick: grace periods need not wait for it.
 *
 * *Returns* false when RCU still needs it; it then keeps its tick.
 * *Ordering*: the barrier pairs with the one of the next batch's start (rcuclassic.ts): if that counts us in, we see the batch and stay awake.
 * *Source*: `tick_nohz_stop_sched_tick`, kernel/time/tick-sched.c, 2.6.27, which asks rcu_needs_cpu() first and sets the bit then; a batch that
 * starts in between waits for the CPU's next interrupt. *Differs*: the bit first, so that there is no such batch.
 */
export function* rcuEnterIdle(): Op<boolean> {
  const cpu = smpProcessorId();
  if (!asleepFirst() && (yield* rcuNeedsCpu())) return false;
  yield* setBit(cpu & 31, nohzMaskWord(cpu >> 5));
  yield* smpMbAfterAtomic();
  if (!asleepFirst() || !(yield* rcuNeedsCpu())) return true;
  yield* rcuExitIdle();
  return false;
}

/**
 * This CPU has a tick again. Before anything else that it runs, interrupt handlers too.
 *
 * *Ordering*: full: readers that begin now see what was removed before any batch that did not wait for us.
 * *Source*: `tick_nohz_restart_sched_tick` and `tick_nohz_update_jiffies`, kernel/time/tick-sched.c, 2.6.27.
 */
export function* rcuExitIdle(): Op<void> {
  const cpu = smpProcessorId();
  yield* clearBit(cpu & 31, nohzMaskWord(cpu >> 5));
  yield* smpMbAfterAtomic();
}
