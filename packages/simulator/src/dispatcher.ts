// SPDX-License-Identifier: MIT
import type { Op } from '@lockless/cpu';
import {
  HARDIRQ_OFFSET,
  KernelBug,
  PREEMPT_OFFSET,
  SOFTIRQ_OFFSET,
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TaskStruct,
} from '@lockless/cpu';
import { INTERRUPT_COST, SPIN_COST } from './cost.js';
import type { Executor } from './executor.js';
import type { Hooks, Observer } from './options.js';
import type { Processor } from './processor.js';
import type { RunQueues } from './run-queues.js';
import type { Spinners } from './spinners.js';
import type { Statistics } from './statistics.js';
import type { ContextKind, Task } from './task.js';
import { Context } from './task.js';

/** What each CPU runs: tasks, what interrupts them, and the way from one to the next. */
export class Dispatcher {
  private readonly executor: Executor;
  private readonly queues: RunQueues;
  private readonly hooks: Hooks;
  private readonly observer: Observer;
  private readonly statistics: Statistics;
  /** CPUs that can execute, the first `count` of the array. */
  readonly runnable: Processor[] = [];
  count = 0;
  private readonly spinners: Spinners;

  constructor(
    executor: Executor,
    queues: RunQueues,
    code: { readonly hooks?: Hooks; readonly observer?: Observer },
    statistics: Statistics,
    spinners: Spinners,
  ) {
    this.executor = executor;
    this.queues = queues;
    this.hooks = code.hooks ?? {};
    this.observer = code.observer ?? {};
    this.statistics = statistics;
    this.spinners = spinners;
    spinners.release = (cpu) => {
      cpu.clock = Math.max(cpu.clock, executor.cpu.clock + executor.elapsed) + SPIN_COST;
      this.activate(cpu);
    };
  }

  /** The CPU can execute. */
  activate(cpu: Processor): void {
    if (cpu.slot >= 0) return;
    if (cpu.spinsOn !== 0) this.spinners.remove(cpu);
    cpu.slot = this.count;
    this.runnable[this.count++] = cpu;
    if (cpu.clock < this.executor.horizon) this.executor.horizon = cpu.clock;
  }

  /** It has nothing to execute, or waits. */
  deactivate(cpu: Processor): void {
    if (cpu.slot < 0) return;
    const last = this.runnable[--this.count];
    this.runnable[cpu.slot] = last;
    last.slot = cpu.slot;
    cpu.slot = -1;
    cpu.stopped = true;
  }

  /** Something waits for the CPU's attention; a CPU that cannot run is woken unless it cannot be interrupted either. */
  raise(cpu: Processor): void {
    cpu.attention = true;
    if (cpu === this.executor.cpu) this.executor.watch = true;
    if (cpu.slot < 0 && (cpu.canTakeInterrupt || cpu.canRunSoftirq || (cpu.top === null && cpu.queue.length > 0)))
      this.activate(cpu);
  }

  /** A task became runnable. */
  enqueue(task: Task): void {
    const cpu = this.queues.enqueue(task);
    if (cpu.top === null) this.activate(cpu);
    else if (cpu.needResched) this.raise(cpu);
    // A CPU without work takes it over when that one is not getting there.
    if (task.pinned < 0 && cpu.top !== null) this.kickIdle(cpu);
  }

  private kickIdle(busy: Processor): void {
    const idle = this.queues.idleBeside(busy);
    if (idle !== null) this.activate(idle);
  }

  /** The CPU spins on a lock. What it stored reaches memory, since whoever holds the lock may wait for that. */
  spin(cpu: Processor): void {
    this.executor.memory.drain(cpu.id);
    this.spinners.add(cpu);
    this.deactivate(cpu);
  }

  /** Takes what the current CPU may take now: interrupts first, then softirqs, then another task. */
  attend(cpu: Processor): void {
    const { top } = cpu;
    while (cpu.top === top && (cpu.canTakeInterrupt || cpu.canRunSoftirq || cpu.canPreempt)) this.takeOne(cpu);
    cpu.attention = cpu.tickPending || cpu.interrupts.length > 0 || cpu.softirqPending || cpu.needResched;
  }

  private takeOne(cpu: Processor): void {
    if (cpu.canTakeInterrupt) {
      if (cpu.tickPending) {
        cpu.tickPending = false;
        this.tick(cpu);
      } else {
        const interrupt = cpu.interrupts.shift();
        this.statistics.deviceInterrupts++;
        if (interrupt !== undefined) this.push(cpu, 'interrupt', interrupt.name, interrupt.handler());
      }
    } else if (cpu.canRunSoftirq) {
      cpu.softirqPending = false;
      this.statistics.softirqs++;
      if (this.hooks.onSoftirq !== undefined) this.push(cpu, 'softirq', 'softirq', this.hooks.onSoftirq(cpu.id));
    } else if (cpu.canPreempt) {
      cpu.needResched = false;
      if (cpu.task !== null && cpu.top === cpu.task.context && cpu.queue.length > 0) {
        this.statistics.preemptions++;
        this.queueAgain(cpu, this.leave(cpu));
      }
    }
  }

  private tick(cpu: Processor): void {
    this.statistics.timerInterrupts++;
    const user =
      cpu.top === null ||
      (cpu.task !== null && cpu.top === cpu.task.context && cpu.task.userMode && cpu.preemptCount === 0);
    // RCU takes a tick in user mode or idle for a quiescent state, so it has to be a barrier.
    if (user) this.executor.memory.full();
    if (this.hooks.onSoftirq !== undefined) cpu.softirqPending = true;
    if (this.hooks.onTick !== undefined)
      this.push(cpu, 'interrupt', 'timer interrupt', this.hooks.onTick(cpu.id, user));
  }

  private push(cpu: Processor, kind: ContextKind, name: string, op: Op<unknown>): void {
    const context = new Context(kind, name, op, cpu.top);
    context.preemptCount = cpu.preemptCount;
    context.irqsDisabled = cpu.irqsDisabled;
    cpu.top = context;
    if (kind === 'interrupt') {
      cpu.preemptCount += HARDIRQ_OFFSET;
      cpu.irqsDisabled = true;
      cpu.clock += INTERRUPT_COST;
    } else {
      cpu.preemptCount += kind === 'softirq' ? SOFTIRQ_OFFSET : PREEMPT_OFFSET;
      cpu.irqsDisabled = false;
    }
  }

  /** The context that the CPU goes on with, or null when it has nothing to do. */
  choose(cpu: Processor): Context | null {
    if (cpu.top !== null) return cpu.top;
    if (cpu.switching) {
      cpu.switching = false;
      if (this.hooks.onContextSwitch !== undefined) {
        this.push(cpu, 'switch', 'context switch', this.hooks.onContextSwitch(cpu.id));
        return cpu.top;
      }
    }
    const task = this.queues.next(cpu);
    if (task !== null) return this.start(cpu, task);
    cpu.current = cpu.idleTask;
    if (cpu.idle) return null;
    cpu.idle = true;
    if (this.hooks.onIdle !== undefined) this.push(cpu, 'idle', 'idle', this.hooks.onIdle(cpu.id));
    return cpu.top;
  }

  private start(cpu: Processor, task: Task): Context {
    if (task.cpu !== cpu.id) this.statistics.migrations++;
    task.status = 'running';
    task.cpu = cpu.id;
    task.since = cpu.clock;
    cpu.busyUntil = cpu.clock + task.computes;
    cpu.idle = false;
    cpu.task = task;
    cpu.top = task.context;
    cpu.current = task.pointer;
    cpu.preemptCount = task.context.preemptCount;
    cpu.irqsDisabled = task.context.irqsDisabled;
    cpu.rcuReaders = task.context.rcuReaders;
    cpu.needResched = false;
    this.executor.memory.full();
    this.observer.onSwitch?.(cpu.id, cpu.clock, task.name);
    return task.context;
  }

  /** The current task of the CPU goes off it. Full barrier. */
  private leave(cpu: Processor): Task {
    const task = cpu.task as Task;
    task.computes = Math.max(0, cpu.busyUntil - cpu.clock);
    cpu.busyUntil = 0;
    task.context.preemptCount = cpu.preemptCount;
    task.context.irqsDisabled = cpu.irqsDisabled;
    task.context.rcuReaders = cpu.rcuReaders;
    cpu.task = null;
    cpu.top = null;
    cpu.preemptCount = 0;
    cpu.irqsDisabled = false;
    cpu.rcuReaders = 0;
    cpu.switching = true;
    this.statistics.contextSwitches++;
    this.executor.memory.full();
    this.observer.onSwitch?.(cpu.id, cpu.clock, null);
    return task;
  }

  private queueAgain(cpu: Processor, task: Task): void {
    task.status = 'queued';
    if (task.pinned >= 0 && task.pinned !== cpu.id) this.enqueue(task);
    else cpu.queue.push(task);
  }

  /** schedule(): sleeps unless the task is (again) TASK_RUNNING or a signal ends an interruptible sleep. */
  schedule(cpu: Processor): void {
    const task = this.leave(cpu);
    const { words } = this.executor;
    const state = TaskStruct.state(task.pointer);
    if (words[state] === TASK_INTERRUPTIBLE && words[TaskStruct.signalPending(task.pointer)] !== 0)
      words[state] = TASK_RUNNING;
    if (words[state] === TASK_RUNNING) this.queueAgain(cpu, task);
    else task.status = 'blocked';
  }

  /** The task, which is in user mode, stays off its CPU until it is enqueued again. */
  park(cpu: Processor): Task {
    const task = this.leave(cpu);
    task.status = 'parked';
    return task;
  }

  /** A context came to its end. Returns the task that died of it, if one did. */
  finish(cpu: Processor, context: Context): Task | null {
    this.checkBalance(cpu, context);
    if (context.kind === 'task') {
      const task = this.leave(cpu);
      task.status = 'dead';
      this.executor.words[TaskStruct.state(task.pointer)] = TASK_DEAD;
      return task;
    }
    cpu.preemptCount = context.preemptCount;
    cpu.irqsDisabled = context.irqsDisabled;
    cpu.top = context.below;
    cpu.attention ||= cpu.softirqPending || cpu.needResched;
    return null;
  }

  /** What a context took it must have given back. */
  private checkBalance(cpu: Processor, context: Context): void {
    const added =
      context.kind === 'task'
        ? 0
        : context.kind === 'interrupt'
          ? HARDIRQ_OFFSET
          : context.kind === 'softirq'
            ? SOFTIRQ_OFFSET
            : PREEMPT_OFFSET;
    const expected = context.kind === 'task' ? 0 : context.preemptCount + added;
    if (cpu.preemptCount !== expected)
      throw new KernelBug(
        'preempt-imbalance',
        `${context.name} ends with preempt_count ${cpu.preemptCount.toString(16)} in place of ${expected.toString(16)}`,
      );
    if (cpu.irqsDisabled !== (context.kind === 'interrupt'))
      throw new KernelBug(
        'irq-imbalance',
        `${context.name} ends with interrupts ${cpu.irqsDisabled ? 'disabled' : 'enabled'}`,
      );
    const lock = cpu.held.findIndex((_, i) => cpu.heldIn[i] === context);
    if (lock >= 0)
      throw new KernelBug('lock-leak', `${context.name} ends with ${this.executor.heap.describe(cpu.held[lock])} held`);
  }
}
