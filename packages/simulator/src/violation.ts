// SPDX-License-Identifier: MIT

/** One kernel function on a stack, innermost first. */
export interface Frame {
  /** Name of the function in its camelCase spelling. */
  readonly name: string;
  /** `file.ts:line`. */
  readonly location: string;
}

/** What one context (a task, an interrupt handler) was doing. */
export interface ContextStack {
  /** CPU that runs it; -1 for a task that is on none. */
  readonly cpu: number;
  /** Task name, or `interrupt`, `softirq`, ... */
  readonly context: string;
  /** How it stands: `running`, `spins on page.lock`, `sleeps`, `runnable`. */
  readonly status: string;
  readonly frames: readonly Frame[];
}

export interface ViolationDetails {
  /** Stable name of the broken rule: `deadlock`, `use-after-free`, `BUG`, ... */
  readonly kind: string;
  readonly message: string;
  readonly cpu: number;
  readonly task: string;
  readonly stacks: readonly ContextStack[];
  /** Virtual ns. */
  readonly time: number;
  /** Accesses performed so far. */
  readonly step: number;
}

/** A broken rule, with what every CPU was doing. */
export class Violation extends Error {
  readonly kind: string;
  readonly cpu: number;
  readonly task: string;
  readonly stacks: readonly ContextStack[];
  readonly time: number;
  readonly step: number;

  constructor(details: ViolationDetails) {
    super(details.message);
    this.name = 'Violation';
    this.kind = details.kind;
    this.cpu = details.cpu;
    this.task = details.task;
    this.stacks = details.stacks;
    this.time = details.time;
    this.step = details.step;
  }

  /** As an oops prints it. */
  report(): string {
    const lines = [
      `${this.kind}: ${this.message}`,
      `  CPU ${this.cpu}, task ${this.task}, ${this.time} ns, access ${this.step}`,
    ];
    for (const { cpu, context, status, frames } of this.stacks) {
      lines.push(`  ${cpu < 0 ? 'off CPU' : `CPU ${cpu}`}: ${context} (${status})`);
      for (const frame of frames) lines.push(`    ${frame.name} (${frame.location})`);
    }
    return lines.join('\n');
  }
}
