// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';
import type { Processor } from './processor.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

/** Accesses in one turn of a CPU that is far behind all others. */
const LONGEST_RUN = 256;

/** The CPU whose clock is earliest goes on until it is no longer that: accesses happen in the order of virtual time. The seed decides ties. */
export class EarliestScheduler implements Scheduler {
  readonly inOrder = true;
  readonly weight: Uint8Array = new Uint8Array(PRIMITIVES.length).fill(1);
  horizon: number = Number.POSITIVE_INFINITY;
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  pick(runnable: readonly Processor[], count: number): Processor {
    let first = runnable[0];
    let second = Number.POSITIVE_INFINITY;
    let ties = 1;
    for (let i = 1; i < count; i++) {
      const cpu = runnable[i];
      if (cpu.clock === first.clock) {
        second = cpu.clock;
        if (this.random.below(++ties) === 0) first = cpu;
      } else if (cpu.clock < first.clock) {
        second = first.clock;
        first = cpu;
        ties = 1;
      } else if (cpu.clock < second) second = cpu.clock;
    }
    this.horizon = second;
    return first;
  }

  budget(): number {
    return LONGEST_RUN;
  }

  ran(): void {}
}
