// SPDX-License-Identifier: MIT
import type { Access } from '@lockless/cpu';
import * as C from './codes.js';
import type { Coherence } from './coherence.js';
import type { ExecutorParts } from './executor.js';
import { Executor, STOPPED_SPIN } from './executor.js';

/**
 * An executor whose accesses wait for their cache lines. A CPU stops where its clock passes that of the next one, so all reach a line in the
 * order of their clocks. Who finds a lock held reads its line and waits for a change, as the loops of spin locks do.
 */
class TimedExecutor extends Executor {
  private readonly coherence: Coherence;

  constructor(parts: ExecutorParts, coherence: Coherence) {
    super(parts);
    this.coherence = coherence;
  }

  override step(access: Access<unknown>): ReturnType<Executor['step']> {
    const { code, address } = access;
    const { cpu, coherence, steps } = this;
    const now = cpu.clock + this.elapsed;
    const result = super.step(access);
    if (this.steps === steps) return result;
    const touch = result.done === false && this.stopped === STOPPED_SPIN ? C.TOUCH_READ : C.TOUCH[code];
    if (touch !== C.TOUCH_NOTHING)
      this.elapsed +=
        touch === C.TOUCH_READ ? coherence.read(cpu.id, address, now) : coherence.write(cpu.id, address, now);
    if (cpu.clock + this.elapsed > this.horizon) this.stop();
    return result;
  }
}

/** Without caches nothing waits for them, and nothing is spent on that. */
export function executorOf(parts: ExecutorParts, coherence: Coherence | null): Executor {
  return coherence === null ? new Executor(parts) : new TimedExecutor(parts, coherence);
}
