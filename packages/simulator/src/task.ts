// SPDX-License-Identifier: MIT
import type { Op, Ptr, TaskStruct } from '@lockless/cpu';

export type ContextKind = 'task' | 'interrupt' | 'softirq' | 'switch' | 'idle';

/** A stack of generators, and the access at which it was suspended. */
export class Context {
  readonly kind: ContextKind;
  readonly name: string;
  readonly op: Op<unknown>;
  /** What this one interrupted. */
  readonly below: Context | null;
  /** False until it ran for the first time: it has no pending access yet. */
  started = false;
  code = 0;
  address = 0;
  operand = 0;
  expected = 0;
  /** preempt_count and interrupt flag at entry; what it must leave behind. For a task off its CPU: what it continues with. */
  preemptCount = 0;
  irqsDisabled = false;
  /** RCU readers that a task off its CPU is in. */
  rcuReaders = 0;

  constructor(kind: ContextKind, name: string, op: Op<unknown>, below: Context | null) {
    this.kind = kind;
    this.name = name;
    this.op = op;
    this.below = below;
  }
}

/** `blocked` tasks left their CPU with a state other than TASK_RUNNING; `parked` ones are held in user mode until the machine is quiescent. */
export type TaskStatus = 'queued' | 'running' | 'blocked' | 'parked' | 'dead';

/** The scheduler's side of a task; the rest is its TaskStruct in word memory. */
export class Task {
  readonly pointer: Ptr<TaskStruct>;
  readonly name: string;
  readonly context: Context;
  /** CPU it must stay on, or -1. */
  readonly pinned: number;
  readonly daemon: boolean;
  status: TaskStatus = 'queued';
  /** CPU it ran on last. */
  cpu = 0;
  /** Virtual time at which it got its CPU. */
  since = 0;
  userMode = false;
  /** Virtual ns that are left of a computation in which it was preempted. */
  computes = 0;

  constructor(pointer: Ptr<TaskStruct>, name: string, context: Context, pinned: number, daemon: boolean) {
    this.pointer = pointer;
    this.name = name;
    this.context = context;
    this.pinned = pinned;
    this.daemon = daemon;
  }
}
