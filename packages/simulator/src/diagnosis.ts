// SPDX-License-Identifier: MIT
import type { Executor } from './executor.js';
import type { Processor } from './processor.js';
import { kernelFrames } from './stacks.js';
import type { Context, Task } from './task.js';
import type { Tasks } from './tasks.js';
import type { ContextStack, Frame } from './violation.js';
import { Violation } from './violation.js';

/** Tasks off CPU whose stacks a report shows at most. */
const SHOWN_TASKS = 32;

/** Turns a broken rule into a report of what every CPU and task was doing. */
export class Diagnosis {
  private readonly executor: Executor;
  private readonly processors: readonly Processor[];
  private readonly tasks: Tasks;
  private captured = '';

  constructor(executor: Executor, processors: readonly Processor[], tasks: Tasks) {
    this.executor = executor;
    this.processors = processors;
    this.tasks = tasks;
  }

  /** A suspended context passes by: take down its stack. */
  probed(): void {
    this.captured = new Error('probe').stack ?? '';
  }

  /** The report. `thrown` is the stack of the error that the running context of `cpu` died of, if it did. */
  violation(
    kind: string,
    message: string,
    cpu: Processor,
    time: number,
    step: number,
    thrown: string | null,
  ): Violation {
    const stacks: ContextStack[] = [];
    for (const processor of this.processors) this.describe(processor, processor === cpu ? thrown : null, stacks);
    let shown = 0;
    for (const task of this.tasks.all()) {
      if (task.status !== 'blocked' && task.status !== 'queued') continue;
      if (++shown > SHOWN_TASKS) break;
      const status = task.status === 'blocked' ? 'sleeps' : 'runnable';
      stacks.push({ cpu: -1, context: task.name, status, frames: this.framesOf(task.context) });
    }
    return new Violation({ kind, message, cpu: cpu.id, task: taskName(cpu.task), stacks, time, step });
  }

  private describe(cpu: Processor, thrown: string | null, into: ContextStack[]): void {
    for (let context = cpu.top; context !== null; context = context.below) {
      const running = context === cpu.top;
      const frames = running && thrown !== null ? kernelFrames(thrown) : this.framesOf(context);
      const spins = running && cpu.spinsOn !== 0 ? `spins on ${this.executor.heap.describe(cpu.spinsOn)}` : null;
      into.push({ cpu: cpu.id, context: context.name, status: spins ?? (running ? 'running' : 'interrupted'), frames });
    }
  }

  private framesOf(context: Context): Frame[] {
    if (!context.started) return [];
    this.captured = '';
    try {
      this.executor.probe(context);
    } catch {
      // The generator that reports the violation is at its end, or is the one that runs: it has no suspended stack.
      return [];
    }
    return kernelFrames(this.captured);
  }
}

const taskName = (task: Task | null): string => task?.name ?? 'idle';
