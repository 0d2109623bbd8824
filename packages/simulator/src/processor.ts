// SPDX-License-Identifier: MIT
import type { CpuLocal, Op, Ptr } from '@lockless/cpu';
import { configPreempt } from '@lockless/cpu';
import type { Context, Task } from './task.js';

/** preempt_count bits of interrupt and softirq context. */
const INTERRUPT_BITS = 0xfffff00;

/** An interrupt that waits to be taken. */
export interface PendingInterrupt {
  readonly name: string;
  readonly handler: () => Op<void>;
}

/** One CPU. */
export class Processor implements CpuLocal {
  readonly id: number;
  preemptCount = 0;
  irqsDisabled = false;
  rcuReaders = 0;
  current: Ptr<unknown>;
  readonly idleTask: Ptr<unknown>;

  /** Virtual ns. */
  clock = 0;
  /** The running context; what it interrupted lies below. Null while idle. */
  top: Context | null = null;
  task: Task | null = null;
  readonly queue: Task[] = [];

  /** Something below waits to be dealt with at an access boundary. */
  attention = false;
  tickPending = false;
  readonly interrupts: PendingInterrupt[] = [];
  softirqPending = false;
  needResched = false;
  /** A task left: the context-switch hook is still to run. */
  switching = false;
  /** It found nothing to do and said so to the idle hook. */
  idle = false;

  /** Position among the CPUs that can run, or -1. */
  slot = -1;
  /** It executed nothing for a while: its clock is behind. */
  stopped = false;
  /** Lock word that it spins on, or 0. */
  spinsOn = 0;
  /** Busy in user mode until then. */
  busyUntil = 0;
  /** The event that ends the computation is set to that time. */
  busyEventAt = 0;
  /** Its last access was cpu_relax(): others go first. */
  relaxed = false;

  /** Spin locks it holds, in the order taken, and how many contexts deep each was taken. */
  readonly held: number[] = [];
  readonly heldIn: (Context | null)[] = [];

  constructor(id: number, idleTask: Ptr<unknown>) {
    this.id = id;
    this.idleTask = idleTask;
    this.current = idleTask;
  }

  get canTakeInterrupt(): boolean {
    return !this.irqsDisabled && (this.tickPending || this.interrupts.length > 0);
  }

  get canRunSoftirq(): boolean {
    return this.softirqPending && !this.irqsDisabled && (this.preemptCount & INTERRUPT_BITS) === 0;
  }

  get canPreempt(): boolean {
    if (!this.needResched || this.irqsDisabled || this.preemptCount !== 0) return false;
    return configPreempt() || this.task?.userMode === true;
  }

  get inInterrupt(): boolean {
    return (this.preemptCount & 0xfff0000) !== 0;
  }
}
