// SPDX-License-Identifier: MIT
import { bugOn } from './bug.js';
import { configPreempt } from './kconfig.js';
import { thisCpu } from './op.js';
import type { TaskStruct } from './sched.js';
import type { Ptr } from './word.js';

/*
 * preempt_count, include/linux/hardirq.h (2.6.27). Only its own CPU sees it: changing it is no access. 2.6.27 has 8 bits for preemption, and a task that
 * holds more than 255 spin locks, as mm_take_all_locks() may, looks as if it were in a softirq there; so it has 16 bits here.
 */
export const PREEMPT_OFFSET = 1;
export const SOFTIRQ_OFFSET: number = 1 << 16;
export const HARDIRQ_OFFSET: number = 1 << 24;
const PREEMPT_MASK = 0xffff;
const SOFTIRQ_MASK = 0xff << 16;
const HARDIRQ_MASK = 0x7f << 24;

/** preempt_disable(): the task stays on this CPU and no other task runs here. Nothing without CONFIG_PREEMPT: so it is anyway, until schedule(). */
export function preemptDisable(): void {
  if (!configPreempt()) return;
  thisCpu.preemptCount += PREEMPT_OFFSET;
}

/** preempt_enable(); the engine may preempt at the next access. */
export function preemptEnable(): void {
  if (!configPreempt()) return;
  bugOn((thisCpu.preemptCount & PREEMPT_MASK) === 0, 'preempt_enable without preempt_disable');
  thisCpu.preemptCount -= PREEMPT_OFFSET;
}

/** local_irq_disable(). */
export function localIrqDisable(): void {
  thisCpu.irqsDisabled = true;
}

/** local_irq_enable(); a pending interrupt is taken at the next access. */
export function localIrqEnable(): void {
  thisCpu.irqsDisabled = false;
}

/** local_irq_save(): returns what {@link localIrqRestore} wants back. */
export function localIrqSave(): boolean {
  const flags = thisCpu.irqsDisabled;
  thisCpu.irqsDisabled = true;
  return flags;
}

/** local_irq_restore(). */
export function localIrqRestore(flags: boolean): void {
  thisCpu.irqsDisabled = flags;
}

/** local_bh_disable(). */
export function localBhDisable(): void {
  thisCpu.preemptCount += SOFTIRQ_OFFSET;
}

/** local_bh_enable(). */
export function localBhEnable(): void {
  bugOn((thisCpu.preemptCount & SOFTIRQ_MASK) === 0, 'local_bh_enable without local_bh_disable');
  thisCpu.preemptCount -= SOFTIRQ_OFFSET;
}

export const irqsDisabled = (): boolean => thisCpu.irqsDisabled;
/** In a hardirq or softirq handler, or with softirqs disabled. */
export const inInterrupt = (): boolean => (thisCpu.preemptCount & (HARDIRQ_MASK | SOFTIRQ_MASK)) !== 0;
export const inIrq = (): boolean => (thisCpu.preemptCount & HARDIRQ_MASK) !== 0;
/** Sleeping is forbidden. Without CONFIG_PREEMPT, spin locks and RCU readers are not known here: only interrupts are. */
export const inAtomic = (): boolean => thisCpu.preemptCount !== 0;

/** smp_processor_id(): stable only while preemption is off. */
export const smpProcessorId = (): number => thisCpu.id;

/** The running task. */
export const current = (): Ptr<TaskStruct> => thisCpu.current as Ptr<TaskStruct>;

/** might_sleep(): BUG when the caller must not sleep here. */
export function mightSleep(): void {
  bugOn(inAtomic() || thisCpu.irqsDisabled, 'sleeping function called from atomic context');
}
