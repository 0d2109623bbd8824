// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Engine, Heap, Op } from '@lockless/cpu';
import { choose, engine, installEngine, irqsDisabled, thisCpu } from '@lockless/cpu';

const SUSPENDED: IteratorResult<Access<unknown>, unknown> = {
  done: false,
  value: undefined as unknown as Access<unknown>,
};

/** Stops a task before each access; lets it make the access when told so, by the engine behind it. */
class Gate implements Engine {
  readonly behind: Engine;
  readonly words: Int32Array;
  readonly heap?: Heap;
  open = false;
  private pending = { code: 0, address: 0, operand: 0, expected: 0 };

  constructor(behind: Engine) {
    this.behind = behind;
    this.words = behind.words;
    if (behind.heap !== undefined) this.heap = behind.heap;
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    if (!this.open) {
      const { code, address, operand, expected } = access;
      this.pending = { code, address, operand, expected };
      return SUSPENDED;
    }
    const step = this.behind.step(Object.assign(access, this.pending));
    if (step.done) this.open = false;
    return step;
  }
}

/** Runs a task up to its next access, or through it. */
function resume<T>(task: Op<T>, gate: Gate): IteratorResult<Access<unknown>, T> {
  const before = installEngine(gate);
  try {
    return task.next();
  } finally {
    installEngine(before);
  }
}

/**
 * A task that shares its CPU with another one: once, before any of its accesses at which preemption and interrupts are on, or never, the other
 * takes the CPU and runs to its end.
 */
export function* preemptible<T>(task: Op<T>, other: () => Op<void>): Op<T> {
  let ran = false;
  const gate = new Gate(engine);
  for (let step = resume(task, gate); ; step = resume(task, gate)) {
    if (step.done) return step.value;
    if (gate.open) {
      // The engine behind suspends it in the middle of the access.
      yield step.value;
      continue;
    }
    if (!ran && thisCpu.preemptCount === 0 && !irqsDisabled() && (yield* choose(2)) === 1) {
      ran = true;
      yield* other();
    }
    gate.open = true;
  }
}
