// SPDX-License-Identifier: GPL-2.0-only
import type { Access, CpuLocal, Engine, Heap, Op, Ptr } from '@lockless/cpu';
import {
  choose,
  code,
  configPreempt,
  defineStatic,
  engine,
  HARDIRQ_OFFSET,
  installEngine,
  KernelBug,
  readOnce,
  TASK_RUNNING,
  TaskStruct,
  thisCpu,
} from '@lockless/cpu';

/*
 * Tasks that share one CPU, for the checker, whose threads have a CPU each: all of them are one of its threads, and choose() says which goes on.
 * A task is stopped before each of its accesses. There another may go on, if the build has CONFIG_PREEMPT and the task lets itself be preempted,
 * and there the interrupt may come, if the task has not disabled it.
 */

const SUSPENDED: IteratorResult<Access<unknown>, unknown> = {
  done: false,
  value: undefined as unknown as Access<unknown>,
};
const SCHEDULE = code('schedule');
const CPU_RELAX = code('cpu_relax');

/** Stops a task before each access; lets it make the access when told so, by the engine behind it. */
class Gate implements Engine {
  readonly behind: Engine = engine;
  readonly words: Int32Array = engine.words;
  readonly heap?: Heap;
  open = false;
  /** What it is stopped before; at first, nothing. */
  pending = { code: -1, address: 0, operand: 0, expected: 0 };

  constructor() {
    if (engine.heap !== undefined) this.heap = engine.heap;
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    if (!this.open) {
      const { code, address, operand, expected } = access;
      this.pending = { code, address, operand, expected };
      return SUSPENDED;
    }
    // Of the scheduler it has been through.
    if (this.pending.code === SCHEDULE) {
      this.open = false;
      return { done: true, value: undefined };
    }
    const step = this.behind.step(Object.assign(access, this.pending));
    if (step.done) this.open = false;
    return step;
  }
}

/** A task, and what the CPU keeps for it while another runs. */
class SharingTask {
  readonly name: string;
  readonly op: Op<unknown>;
  readonly gate: Gate = new Gate();
  readonly kept: Omit<CpuLocal, 'id'>;
  ended = false;
  result: unknown = undefined;

  constructor(name: string, op: Op<unknown>, current: Ptr<TaskStruct>) {
    this.name = name;
    this.op = op;
    this.kept = { preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current };
  }

  /** Runs it up to its next access, through the one before which it is stopped if the gate is open; or to its end. */
  *advance(): Op<void> {
    do {
      const before = installEngine(this.gate);
      try {
        const step = this.op.next();
        this.ended = step.done === true;
        this.result = step.value;
      } finally {
        installEngine(before);
      }
      // The engine behind suspends it in the middle of an access.
      if (!this.ended && this.gate.open) yield undefined as unknown as Access<unknown>;
    } while (!this.ended && this.gate.open);
  }

  /** schedule() is where it is, and it does not want to be run. */
  *sleeps(): Op<boolean> {
    if (this.gate.pending.code !== SCHEDULE) return false;
    return (yield* readOnce(TaskStruct.state(this.kept.current as Ptr<TaskStruct>))) !== TASK_RUNNING;
  }
}

export interface SharedCpu {
  /** How often tasks can be preempted, altogether; one that gives up the CPU is not. Default 1. */
  readonly preemptions?: number;
  /** The handler of a hardware interrupt that comes once, or never. */
  readonly interrupt?: () => Op<void>;
}

/** The scheduler. */
class OneCpu {
  private readonly tasks: readonly SharingTask[];
  private interrupt: (() => Op<void>) | undefined;
  private preemptions: number;

  constructor(tasks: readonly SharingTask[], { preemptions = 1, interrupt }: SharedCpu) {
    this.tasks = tasks;
    this.preemptions = preemptions;
    this.interrupt = interrupt;
  }

  *run(): Op<void> {
    for (let task = yield* this.next(null); task !== null; task = yield* this.next(task)) {
      Object.assign(thisCpu, task.kept);
      // Stopped before its first access, it has not been looked at yet.
      if (task.gate.pending.code < 0) yield* task.advance();
      else task.gate.open = true;
      while (!task.ended) {
        if (task.gate.open) yield* task.advance();
        else if (yield* this.leaves(task)) break;
        else task.gate.open = true;
      }
      const { preemptCount, irqsDisabled, rcuReaders } = thisCpu;
      Object.assign(task.kept, { preemptCount, irqsDisabled, rcuReaders });
    }
  }

  /** Before an access of the running task: whether another goes on. An interrupt may come first. */
  private *leaves(task: SharingTask): Op<boolean> {
    if (!thisCpu.irqsDisabled && this.interrupt !== undefined && (yield* choose(2)) === 1) yield* this.takeInterrupt();
    const { code } = task.gate.pending;
    if (code === SCHEDULE) return true;
    if (!configPreempt() || thisCpu.preemptCount !== 0 || thisCpu.irqsDisabled) return false;
    if (code === CPU_RELAX) return true;
    if (this.preemptions === 0 || (yield* this.runnable(task)).length === 0 || (yield* choose(2)) === 0) return false;
    this.preemptions--;
    return true;
  }

  private *takeInterrupt(): Op<void> {
    const handler = this.interrupt as () => Op<void>;
    this.interrupt = undefined;
    const { preemptCount, irqsDisabled } = thisCpu;
    Object.assign(thisCpu, { preemptCount: preemptCount + HARDIRQ_OFFSET, irqsDisabled: true });
    yield* handler();
    Object.assign(thisCpu, { preemptCount, irqsDisabled });
  }

  private *runnable(except: SharingTask | null): Op<SharingTask[]> {
    const found: SharingTask[] = [];
    for (const task of this.tasks) if (task !== except && !task.ended && !(yield* task.sleeps())) found.push(task);
    return found;
  }

  /** Who goes on after a task: another if there is one. Null: all have ended. */
  private *next(after: SharingTask | null): Op<SharingTask | null> {
    let ready = yield* this.runnable(after);
    if (ready.length === 0) ready = yield* this.runnable(null);
    if (ready.length === 0 && this.interrupt !== undefined && this.tasks.some(({ ended }) => !ended)) {
      yield* this.takeInterrupt();
      ready = yield* this.runnable(null);
    }
    if (ready.length > 0) return ready.length === 1 ? ready[0] : ready[yield* choose(ready.length)];
    const asleep = this.tasks.filter(({ ended }) => !ended).map(({ name }) => name);
    if (asleep.length > 0)
      throw new KernelBug('lost-wakeup', `${asleep.join(', ')} sleeps, and nobody is left to wake it`);
    return null;
  }
}

const structs: readonly Ptr<TaskStruct>[] = [0, 1, 2].map((i) => defineStatic(TaskStruct, `up_task[${i}]`));

/** Runs tasks on one CPU, in every order that its scheduler and its interrupt allow. Returns what each of them returned. */
export function* onOneCpu(
  tasks: Readonly<Record<string, () => Op<unknown>>>,
  shared: SharedCpu = {},
): Op<Readonly<Record<string, unknown>>> {
  const own = thisCpu.current;
  const sharing = Object.entries(tasks).map(([name, body], i) => new SharingTask(name, body(), structs[i]));
  yield* new OneCpu(sharing, shared).run();
  thisCpu.current = own;
  return Object.fromEntries(sharing.map(({ name, result }) => [name, result]));
}
