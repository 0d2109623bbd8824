// SPDX-License-Identifier: MIT
import { KernelBug, TASK_INTERRUPTIBLE, TASK_RUNNING, TaskStruct } from '@lockless/cpu';
import type { Diagnosis } from './diagnosis.js';
import type { Dispatcher } from './dispatcher.js';
import type { EventQueue, TimedEvent } from './events.js';
import type { Executor } from './executor.js';
import { STOPPED_SCHEDULE, STOPPED_SPIN } from './executor.js';
import type { FaultInjection } from './fault-injection.js';
import type { Invariants } from './invariants.js';
import type { MachineConfig } from './options.js';
import type { Processor } from './processor.js';
import type { RunQueues } from './run-queues.js';
import type { Scheduler } from './scheduler.js';
import type { Context, Task } from './task.js';
import type { Tasks } from './tasks.js';
import type { Violation } from './violation.js';

/** Budget while the machine boots: nobody else is there. */
const BOOT_BUDGET = 10_000;
/** Rounds of ticks that all CPUs may idle through, nothing else pending, before tasks that sleep are said to sleep for ever. */
const IDLE_ROUNDS = 64;

/** Ticks between two attempts to bring the machine to rest, when an invariant wants that. */
const REST_TICKS = 16;

export interface LoopParts {
  readonly config: MachineConfig;
  readonly processors: readonly Processor[];
  readonly executor: Executor;
  readonly scheduler: Scheduler;
  readonly queues: RunQueues;
  readonly dispatcher: Dispatcher;
  readonly events: EventQueue;
  readonly tasks: Tasks;
  readonly invariants: Invariants;
  readonly faults: FaultInjection;
  readonly diagnosis: Diagnosis;
}

/** The machine's clockwork: whose turn it is, for how long, and what happens when the turn ends. */
export class Loop {
  private readonly parts: LoopParts;
  booting = true;
  steps = 0;
  /** The latest clock of any CPU. */
  now = 0;
  private lastProgress = 0;
  /** When a task that is no daemon last executed something. */
  private lastRan = 0;
  private idleTicks = 0;
  /** The machine is being brought to rest: tasks stop when they are in user mode. */
  private parking = false;
  private ticksToRest = 0;
  private readonly parked: Task[] = [];

  constructor(parts: LoopParts) {
    this.parts = parts;
  }

  /** The other CPUs come up, timers start. */
  start(): void {
    const { processors, config, queues, dispatcher, faults } = this.parts;
    this.booting = false;
    faults.armed = true;
    queues.online = processors.length;
    this.now = Math.max(this.now, ...processors.map(({ clock }) => clock));
    processors.forEach((cpu, i) => {
      cpu.clock = this.now;
      this.startTimer(cpu, this.now + config.timerTick * (1 + i / processors.length));
      if (cpu.top === null) dispatcher.activate(cpu);
    });
  }

  /** One turn of one CPU, or the wait for the next event. Returns what is wrong, if something is. */
  turn(): Violation | null {
    const { events, dispatcher, scheduler } = this.parts;
    while (events.next <= this.now) this.fire();
    if (dispatcher.count === 0) {
      const complaint = this.atRest() ? this.quiescence() : null;
      return complaint === null ? this.idle() : this.report('invariant', complaint, this.parts.processors[0], null);
    }
    const cpu = scheduler.pick(dispatcher.runnable, dispatcher.count);
    if (!scheduler.inOrder) return this.run(cpu);
    // What happens before that CPU goes on comes before it.
    this.now = Math.max(this.now, Math.min(cpu.clock, events.next));
    if (events.next > this.now) return this.run(cpu);
    this.fire();
    return null;
  }

  private fire(): void {
    this.parts.events.take().fire();
  }

  /** Nobody is in kernel code any more, but those who sleep there and whom only user mode can wake. */
  private atRest(): boolean {
    const { events, processors } = this.parts;
    return this.parking && events.pending === events.computing && processors.every((cpu) => cpu.spinsOn === 0);
  }

  private quiescence(): string | null {
    const { invariants, executor, dispatcher, processors } = this.parts;
    for (const cpu of processors) executor.memory.drain(cpu.id);
    const complaint = invariants.atQuiescence(executor.words);
    this.parking = false;
    for (const task of this.parked.splice(0)) dispatcher.enqueue(task);
    return complaint;
  }

  private idle(): Violation | null {
    if (this.parts.dispatcher.count > 0) return null;
    const { events, processors, tasks, config } = this.parts;
    if (events.pending === 0 && tasks.alive > 0 && ++this.idleTicks > IDLE_ROUNDS * processors.length)
      return this.deadlock();
    if (events.pending > 0) this.idleTicks = 0;
    if (this.now - this.lastRan > config.hungTaskTime && events.computing === 0 && tasks.alive > 0)
      return this.deadlock();
    this.now = Math.max(this.now, events.next);
    if (this.now === Number.POSITIVE_INFINITY) return this.deadlock();
    this.fire();
    return null;
  }

  private deadlock(): Violation {
    const stuck = [...this.parts.tasks.all()].filter((task) => !task.daemon).map((task) => task.name);
    const names = stuck.length > 8 ? `${stuck.slice(0, 8).join(', ')} and ${stuck.length - 8} more` : stuck.join(', ');
    return this.report('deadlock', `nothing can wake ${names}`, this.parts.processors[0], null);
  }

  private run(cpu: Processor): Violation | null {
    const { executor, dispatcher, scheduler, config } = this.parts;
    const { memory } = executor;
    // A CPU that was left behind has been stalled; one that stopped comes back now.
    cpu.clock = Math.max(cpu.clock, cpu.stopped ? this.now : this.now - config.clockWindow);
    cpu.stopped = false;
    executor.enter(cpu);
    memory.drift(cpu.id);
    if (cpu.attention) dispatcher.attend(cpu);
    const context = dispatcher.choose(cpu);
    if (context === null) {
      memory.drain(cpu.id);
      dispatcher.deactivate(cpu);
      return null;
    }
    if (cpu.busyUntil > cpu.clock && context === cpu.task?.context) {
      this.leaveBusy(cpu);
      return null;
    }
    const commits = memory.commits;
    let violation: Violation | null = null;
    let inside = true;
    try {
      executor.horizon = scheduler.horizon;
      const ended = executor.resume(context, this.booting ? BOOT_BUDGET : scheduler.budget(this.steps));
      inside = false;
      this.account(cpu, memory.commits !== commits);
      this.settle(cpu, context, ended);
    } catch (error) {
      this.account(cpu, memory.commits !== commits);
      if (!(error instanceof KernelBug)) throw error;
      violation = this.report(error.kind, error.message, cpu, inside ? (error.stack ?? '') : null);
    }
    return violation ?? this.watchProgress(cpu, context, memory.commits !== commits);
  }

  private account(cpu: Processor, progress: boolean): void {
    const { executor, scheduler } = this.parts;
    this.steps += executor.steps;
    scheduler.ran(cpu, executor.steps, progress);
    executor.steps = 0;
    cpu.clock += executor.elapsed;
    executor.elapsed = 0;
    if (cpu.clock > this.now && !scheduler.inOrder) this.now = cpu.clock;
  }

  private settle(cpu: Processor, context: Context, ended: boolean): void {
    const { dispatcher, executor, tasks } = this.parts;
    if (ended) {
      const dead = dispatcher.finish(cpu, context);
      if (dead !== null) tasks.bury(dead);
      if (tasks.alive === 0) this.now = Math.max(this.now, ...this.parts.processors.map(({ clock }) => clock));
    } else if (executor.stopped === STOPPED_SPIN) {
      dispatcher.spin(cpu);
      this.checkCycle(cpu);
    } else if (executor.stopped === STOPPED_SCHEDULE) dispatcher.schedule(cpu);
    else if (this.parking && cpu.task?.userMode === true && cpu.top === cpu.task.context && cpu.preemptCount === 0)
      this.parked.push(dispatcher.park(cpu));
  }

  /** The CPU computes for a while; only interrupts reach it. */
  private leaveBusy(cpu: Processor): void {
    const { dispatcher, events, executor } = this.parts;
    executor.memory.drain(cpu.id);
    dispatcher.deactivate(cpu);
    const until = cpu.busyUntil;
    if (cpu.busyEventAt === until) return;
    cpu.busyEventAt = until;
    const kind = cpu.task?.userMode === true ? 'user' : 'other';
    events.at(
      until,
      () => {
        if (cpu.busyUntil === until) cpu.clock = Math.max(cpu.clock, until);
        dispatcher.activate(cpu);
      },
      kind,
    );
  }

  /** CPU waits for CPU waits for CPU ... waits for the first: none of them will ever go on, whatever the others do. */
  private checkCycle(cpu: Processor): void {
    const { processors, executor } = this.parts;
    const path = [cpu];
    for (let at = cpu; ; ) {
      const owner = at.spinsOn === 0 ? 0 : executor.words[at.spinsOn];
      if (owner <= 0) return;
      at = processors[owner - 1];
      if (at === cpu) break;
      if (at.slot >= 0 || path.includes(at)) return;
      path.push(at);
    }
    const chain = path.map(
      (c) =>
        `CPU ${c.id} holds ${c.held.map((lock) => executor.heap.describe(lock)).join(' and ')} and spins on ${executor.heap.describe(c.spinsOn)}`,
    );
    throw new KernelBug('deadlock', chain.join('; '));
  }

  private watchProgress(cpu: Processor, context: Context, progress: boolean): Violation | null {
    if (context.kind !== 'task') return null;
    this.idleTicks = 0;
    if (cpu.task?.daemon === false) this.lastRan = this.now;
    if (progress) this.lastProgress = this.steps;
    else if (this.steps - this.lastProgress > this.parts.config.livelockSteps)
      return this.report(
        'livelock',
        `no task stored anything for ${this.steps - this.lastProgress} accesses`,
        cpu,
        null,
      );
    return null;
  }

  private startTimer(cpu: Processor, first: number): void {
    const { config, events } = this.parts;
    let event: TimedEvent | null = null;
    event = events.at(
      first,
      () => {
        events.again(event as TimedEvent, (event as TimedEvent).time + config.timerTick);
        this.tick(cpu);
      },
      'tick',
    );
  }

  private tick(cpu: Processor): void {
    const { config, dispatcher, queues, faults, invariants, executor } = this.parts;
    if (cpu.queue.length > 0 && cpu.task !== null && this.now - cpu.task.since >= config.timeSlice)
      queues.reschedule(cpu);
    cpu.tickPending = true;
    dispatcher.raise(cpu);
    if (faults.shouldFail('signal')) this.signal();
    if (cpu.id !== 0) return;
    if (invariants.wantsQuiescence && ++this.ticksToRest >= REST_TICKS) {
      this.ticksToRest = 0;
      this.parking = true;
    }
    const complaint = invariants.atTick(executor.words);
    if (complaint !== null) throw new InvariantBroken(complaint);
  }

  /** Any task but a daemon may get it; one that sleeps interruptibly wakes up. */
  private signal(): void {
    const { tasks, executor, dispatcher, faults } = this.parts;
    const candidates = [...tasks.all()].filter((task) => !task.daemon);
    if (candidates.length === 0) return;
    const task = candidates[faults.below(candidates.length)];
    executor.words[TaskStruct.signalPending(task.pointer)] = 1;
    if (task.status !== 'blocked' || executor.words[TaskStruct.state(task.pointer)] !== TASK_INTERRUPTIBLE) return;
    executor.words[TaskStruct.state(task.pointer)] = TASK_RUNNING;
    dispatcher.enqueue(task);
  }

  report(kind: string, message: string, cpu: Processor, thrown: string | null): Violation {
    return this.parts.diagnosis.violation(kind, message, cpu, this.now, this.steps, thrown);
  }
}

/** A check between accesses found something wrong. */
export class InvariantBroken extends Error {}
