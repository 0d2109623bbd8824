// SPDX-License-Identifier: MIT
import type { Processor } from './processor.js';
import type { Random } from './random.js';
import type { Task } from './task.js';

/** Chance in 2^n that a wake-up asks the CPU that it lands on to switch at once. */
const WAKEUP_PREEMPTION = 4;

/** Which task runs where: one queue for each CPU, served in order. */
export class RunQueues {
  private readonly processors: readonly Processor[];
  private readonly random: Random;
  /** CPUs that may be used: one while the machine boots. */
  online = 1;

  constructor(processors: readonly Processor[], random: Random) {
    this.processors = processors;
    this.random = random;
  }

  /** Queues a runnable task; returns the CPU. */
  enqueue(task: Task): Processor {
    const cpu = this.choose(task);
    task.status = 'queued';
    task.cpu = cpu.id;
    cpu.queue.push(task);
    if (cpu.task !== null && this.random.oneIn(WAKEUP_PREEMPTION)) this.reschedule(cpu);
    return cpu;
  }

  /** Asks a CPU to switch tasks when it may. */
  reschedule(cpu: Processor): void {
    cpu.needResched = true;
    cpu.attention = true;
  }

  private choose(task: Task): Processor {
    if (task.pinned >= 0) return this.processors[task.pinned];
    const last = this.processors[task.cpu % this.online];
    if (last.task === null && last.queue.length === 0) return last;
    const other = this.processors[this.random.below(this.online)];
    return other.queue.length + (other.task === null ? 0 : 1) <= last.queue.length + (last.task === null ? 0 : 1)
      ? other
      : last;
  }

  /** A CPU without any task, the first after that one, or null. */
  idleBeside(busy: Processor): Processor | null {
    for (let i = 1; i < this.online; i++) {
      const cpu = this.processors[(busy.id + i) % this.online];
      if (cpu.task === null && cpu.top === null && cpu.slot < 0) return cpu;
    }
    return null;
  }

  /** The next task of a CPU: its own, or one that waits elsewhere. Null when there is none. */
  next(cpu: Processor): Task | null {
    const own = cpu.queue.shift();
    if (own !== undefined) return own;
    for (let i = 1; i < this.online; i++) {
      const { queue } = this.processors[(cpu.id + i) % this.online];
      const at = queue.findIndex((task) => task.pinned < 0);
      if (at >= 0) return queue.splice(at, 1)[0];
    }
    return null;
  }
}
