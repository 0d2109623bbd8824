// SPDX-License-Identifier: MIT
import type { FaultKind, Op, Ptr, TaskStruct } from '@lockless/cpu';
import { barrier, Heap, installEngine, setFaultInjector, TASK_RUNNING, TaskStruct as TaskFields } from '@lockless/cpu';
import type { Coherence } from './coherence.js';
import { coherenceOf } from './coherence.js';
import { costTable } from './cost.js';
import type { DeviceSpec } from './devices.js';
import { Devices } from './devices.js';
import { Diagnosis } from './diagnosis.js';
import { Dispatcher } from './dispatcher.js';
import { EventQueue } from './events.js';
import type { Executor, ExecutorParts } from './executor.js';
import { FaultInjection } from './fault-injection.js';
import type { PerformedAccess } from './history.js';
import { History } from './history.js';
import type { Invariant } from './invariants.js';
import { Invariants } from './invariants.js';
import { Lockdep } from './lockdep.js';
import { Locks } from './locks.js';
import { InvariantBroken, Loop } from './loop.js';
import { memoryOf } from './memory/index.js';
import type { Memory } from './memory/memory.js';
import type { MachineConfig, MachineOptions } from './options.js';
import { configOf, costOf } from './options.js';
import type { RunLimits, RunOutcome } from './outcome.js';
import { statusOf } from './outcome.js';
import { Processor } from './processor.js';
import { Random } from './random.js';
import { RunQueues } from './run-queues.js';
import { schedulerOf } from './scheduler.js';
import { Spinners } from './spinners.js';
import { withDeepStacks } from './stacks.js';
import { Statistics } from './statistics.js';
import type { Task } from './task.js';
import type { TaskOptions } from './tasks.js';
import { Tasks } from './tasks.js';
import { executorOf } from './timed-executor.js';
import { encodeToken } from './token.js';
import type { Violation } from './violation.js';

/** A deterministic multiprocessor that runs kernel-side code. */
export class Machine {
  readonly config: MachineConfig;
  readonly heap: Heap;
  readonly statistics: Statistics = new Statistics();
  /** Who has which cache line, when the option `caches` names a machine. */
  readonly coherence: Coherence | null;
  private readonly processors: readonly Processor[];
  private readonly memory: Memory;
  private readonly executor: Executor;
  private readonly history: History | null;
  private readonly queues: RunQueues;
  private readonly dispatcher: Dispatcher;
  private readonly events: EventQueue = new EventQueue();
  private readonly devices: Devices;
  private readonly tasks: Tasks;
  private readonly invariants: Invariants = new Invariants();
  private readonly faults: FaultInjection;
  private readonly loop: Loop;
  /** Tasks that were made before the machine started. */
  private readonly waiting: Task[] = [];
  private failure: Violation | null = null;

  constructor(options: MachineOptions = {}) {
    const config = configOf(options);
    const random = (stream: number) => new Random(config.seed, stream);
    this.config = config;
    this.heap = new Heap(new Int32Array(config.memoryWords));
    const spinners = new Spinners();
    this.memory = memoryOf(config, this.heap, spinners);
    this.tasks = new Tasks(this.heap, this.memory);
    this.processors = Array.from({ length: config.cpus }, (_, id) => new Processor(id, this.tasks.allocate()));
    this.faults = new FaultInjection(config.inject, random(5), this.statistics);
    this.history = options.history === undefined ? null : new History(config.cpus, options.history);
    const { heap, memory, statistics } = this;
    const scheduler = schedulerOf(config);
    const choices = random(6);
    const parts: ExecutorParts = {
      heap,
      memory,
      cpu: this.processors[0],
      cost: costTable(costOf(options)),
      weight: scheduler.weight,
      surroundings: {
        wake: (task, mask) => this.wake(task as Ptr<TaskStruct>, mask),
        submit: (device, request) => this.devices.submit(device, request, this.executor.cpu, this.executor.elapsed),
        failsAllocation: () => this.faults.shouldFail('enomem'),
        choose: (alternatives) => choices.below(alternatives),
        probed: () => diagnosis.probed(),
      },
      locks: new Locks({ memory, heap, lockdep: new Lockdep(heap, config.lockdep), statistics, cpus: config.cpus }),
      statistics,
      history: this.history,
    };
    this.coherence = coherenceOf(config);
    this.executor = executorOf(parts, this.coherence);
    this.queues = new RunQueues(this.processors, random(2));
    this.dispatcher = new Dispatcher(this.executor, this.queues, options, this.statistics, spinners);
    const interruptTarget = random(3);
    this.devices = new Devices({
      events: this.events,
      random: random(4),
      faults: this.faults,
      words: this.heap.words,
      deliver: (interrupt) => {
        const cpu = this.processors[interruptTarget.below(this.queues.online)];
        cpu.interrupts.push(interrupt);
        this.dispatcher.raise(cpu);
      },
    });
    const diagnosis = new Diagnosis(this.executor, this.processors, this.tasks);
    const { processors, executor, queues, dispatcher, events, tasks, invariants, faults } = this;
    this.loop = new Loop({
      config,
      processors,
      executor,
      scheduler,
      queues,
      dispatcher,
      events,
      tasks,
      invariants,
      faults,
      diagnosis,
    });
  }

  /** Runs initialisation on CPU 0, alone, before the machine starts. Throws the {@link Violation} if it breaks a rule. */
  boot<T>(op: Op<T>): T {
    if (!this.loop.booting) throw new Error('the machine has started: boot() comes before run()');
    let result: T | undefined;
    const task = this.tasks.create(
      'swapper',
      function* () {
        result = yield* op;
      },
      { cpu: 0, pid: 0 },
    );
    this.dispatcher.enqueue(task);
    this.withEngine(() => {
      while (task.status !== 'dead' && this.failure === null) this.failure = this.loop.turn();
    });
    if (this.failure !== null) throw this.failure;
    return result as T;
  }

  /** A new task. Callable at any time, from kernel code too (fork, kthread_run): the new task sees what its creator did. */
  spawn(name: string, body: () => Op<unknown>, options: TaskOptions = {}): Ptr<TaskStruct> {
    const pinned = options.cpu ?? -1;
    if (pinned >= this.config.cpus)
      throw new RangeError(`task ${name} is pinned to CPU ${pinned} of ${this.config.cpus}`);
    const task = this.tasks.create(name, body, options);
    this.memory.drain(this.executor.cpu.id);
    task.cpu = pinned >= 0 ? pinned : this.tasks.size % this.config.cpus;
    if (this.loop.booting) this.waiting.push(task);
    else this.dispatcher.enqueue(task);
    return task.pointer;
  }

  /** Runs until all tasks but daemons have finished, a rule is broken, or a limit is reached. */
  run(limits: RunLimits = {}): RunOutcome {
    const lastStep = this.loop.steps + (limits.maxSteps ?? Number.POSITIVE_INFINITY);
    const lastTime = limits.maxTime ?? Number.POSITIVE_INFINITY;
    const { loop, tasks } = this;
    this.withEngine(() => {
      if (loop.booting) this.start();
      while (this.failure === null && tasks.alive > 0 && loop.steps < lastStep && loop.now < lastTime)
        this.failure = loop.turn();
      if (this.failure === null && tasks.alive === 0) this.end();
    });
    return this.outcome();
  }

  /** Something that must hold; see {@link Invariant} for when it is checked. */
  addInvariant(invariant: Invariant): void {
    this.invariants.add(invariant);
  }

  /** A device that submitIo(id, ...) reaches. */
  attachDevice(id: number, spec: DeviceSpec): void {
    this.devices.attach(id, spec);
  }

  /** Runs a handler as a timer interrupt on the current CPU, `delay` virtual ns from now: add_timer(). From kernel code only. */
  addTimer(delay: number, name: string, handler: () => Op<void>): void {
    const { cpu, elapsed } = this.executor;
    this.events.at(cpu.clock + elapsed + delay, () => {
      cpu.interrupts.push({ name, handler });
      this.dispatcher.raise(cpu);
    });
  }

  /** The current task computes in user mode for that long: for the time between two system calls. */
  *user(nanoseconds: number): Op<void> {
    this.setUserMode(true);
    this.compute(nanoseconds);
    yield* barrier();
    this.setUserMode(false);
  }

  /** The current CPU is busy for that long, from the next access on; interrupts still come. From a task's code only. */
  compute(nanoseconds: number): void {
    const { cpu, elapsed } = this.executor;
    cpu.busyUntil = cpu.clock + elapsed + nanoseconds;
    this.executor.stop();
  }

  /** raise_softirq() on the current CPU. */
  raiseSoftirq(): void {
    this.executor.cpu.softirqPending = true;
    this.dispatcher.raise(this.executor.cpu);
  }

  /** The current task enters or leaves user mode: in user mode a tick is a quiescent state for RCU. */
  setUserMode(user: boolean): void {
    const { task } = this.executor.cpu;
    if (task !== null) task.userMode = user;
  }

  /** Draws whether something fails now, at the configured rate. */
  injectFault(kind: FaultKind): boolean {
    return this.faults.shouldFail(kind);
  }

  /** Virtual ns. */
  get time(): number {
    return this.loop.now;
  }

  /** Virtual ns of the current CPU, in the middle of its turn too. From kernel code only. */
  get cpuTime(): number {
    return this.executor.cpu.clock + this.executor.elapsed;
  }

  /** Accesses so far. */
  get steps(): number {
    return this.loop.steps;
  }

  /** Hash of every access so far, with its CPU, address and value: equal hashes, equal runs. */
  get traceHash(): string {
    return (this.executor.hash >>> 0).toString(16).padStart(8, '0');
  }

  /** Give it to {@link decodeToken} to build a machine that schedules the same way. */
  get token(): string {
    return encodeToken(this.config);
  }

  /** Figures of the memory: commits, stale loads, buffered stores. */
  get memoryStatistics(): { commits: number; staleLoads: number; bufferedStores: number } {
    const { commits, staleLoads, bufferedStores } = this.memory;
    return { commits, staleLoads, bufferedStores };
  }

  /** The last accesses of a CPU, oldest first, as far as the option `history` keeps them. */
  lastAccesses(cpu: number): PerformedAccess[] {
    return this.history?.last(cpu) ?? [];
  }

  private start(): void {
    this.loop.start();
    for (const task of this.waiting.splice(0)) this.dispatcher.enqueue(task);
  }

  private end(): void {
    for (const cpu of this.processors) this.memory.drain(cpu.id);
    const complaint = this.invariants.atEnd(this.heap.words);
    if (complaint !== null) this.failure = this.loop.report('invariant', complaint, this.processors[0], null);
  }

  private outcome(): RunOutcome {
    const violation = this.failure;
    const status = statusOf(violation, this.tasks.alive === 0);
    return { status, violation, steps: this.loop.steps, time: this.loop.now, invariants: this.invariants.results };
  }

  private wake(pointer: Ptr<TaskStruct>, mask: number): boolean {
    const state = TaskFields.state(pointer);
    if ((this.heap.words[state] & mask) === 0) return false;
    this.heap.words[state] = TASK_RUNNING;
    const task = this.tasks.find(pointer);
    if (task !== undefined && task.status === 'blocked') this.dispatcher.enqueue(task);
    return true;
  }

  private withEngine(body: () => void): void {
    const before = installEngine(this.executor);
    const injector = setFaultInjector((kind) => this.faults.shouldFail(kind));
    try {
      withDeepStacks(body);
    } catch (error) {
      if (!(error instanceof InvariantBroken)) throw error;
      this.failure = this.loop.report('invariant', error.message, this.processors[0], null);
    } finally {
      setFaultInjector(injector);
      installEngine(before.words.length === 0 ? null : before);
    }
  }
}
