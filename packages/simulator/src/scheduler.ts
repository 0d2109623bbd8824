// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';
import { INTERESTING } from './codes.js';
import { EarliestScheduler } from './earliest-scheduler.js';
import type { MachineConfig } from './options.js';
import type { Processor } from './processor.js';
import { geometricQuantiles, Random } from './random.js';

/** Decides which CPU executes next, and for how long. */
export interface Scheduler {
  /** Accesses happen in the order of the CPUs' clocks. */
  readonly inOrder: boolean;
  /** The clock of the next CPU after the picked one, at which that one should stop; infinite when order does not matter. */
  readonly horizon: number;
  /** What each access takes off the budget, by code. */
  readonly weight: Uint8Array;
  /** The next CPU, out of the first `count` of `runnable` (at least one). */
  pick(runnable: readonly Processor[], count: number): Processor;
  /** How much the picked one may execute. */
  budget(step: number): number;
  /** What the picked one did: it ran `steps` accesses, and whether memory changed. */
  ran(cpu: Processor, steps: number, progress: boolean): void;
}

/** How much likelier a switch is before an access that other CPUs take notice of. */
const INTEREST = 4;

/**
 * Runs of geometric length, so that a switch is as likely at any access, and INTEREST times as likely at a read-modify-write, lock,
 * release or barrier.
 */
class RandomScheduler implements Scheduler {
  readonly inOrder = false;
  readonly horizon: number = Number.POSITIVE_INFINITY;
  readonly weight: Uint8Array = INTERESTING.map((yes) => (yes ? INTEREST : 1));
  private readonly random: Random;
  private readonly lengths: Float64Array;

  constructor(random: Random, mean: number) {
    this.random = random;
    // Interesting accesses take more, so a run of this weight is shorter in accesses.
    this.lengths = geometricQuantiles(mean * 1.5);
  }

  pick(runnable: readonly Processor[], count: number): Processor {
    if (count === 1) return runnable[0];
    const first = runnable[this.random.below(count)];
    if (!first.relaxed) return first;
    first.relaxed = false;
    return runnable[this.random.below(count)];
  }

  budget(): number {
    return this.lengths[this.random.bits() & 255];
  }

  ran(): void {}
}

/** Every CPU in turn, for a fixed number of accesses. */
class RoundRobinScheduler implements Scheduler {
  readonly inOrder = false;
  readonly horizon: number = Number.POSITIVE_INFINITY;
  readonly weight: Uint8Array = new Uint8Array(PRIMITIVES.length).fill(1);
  private readonly quantum: number;
  private last = -1;

  constructor(quantum: number) {
    this.quantum = quantum;
  }

  pick(runnable: readonly Processor[], count: number): Processor {
    let next: Processor | null = null;
    let lowest = runnable[0];
    for (let i = 0; i < count; i++) {
      const cpu = runnable[i];
      if (cpu.id < lowest.id) lowest = cpu;
      if (cpu.id > this.last && (next === null || cpu.id < next.id)) next = cpu;
    }
    const picked = next ?? lowest;
    this.last = picked.id;
    return picked;
  }

  budget(): number {
    return this.quantum;
  }

  ran(): void {}
}

const PCT_LONGEST_RUN = 64;
/** Accesses without a store after which a CPU is taken to wait for another one. */
const PCT_PATIENCE = 2000;

/**
 * PCT (Burckhardt et al., ASPLOS 2010): random priorities, the runnable CPU of highest priority executes, and at depth - 1 random steps
 * the one that executes falls to the bottom. A bug of depth d is found with probability 1/(n k^(d-1)) at least. Priorities belong to
 * CPUs: pin each task to one of its own for the bound to hold. A CPU that waits (cpu_relax, or reads for ever) falls to the bottom too; so does
 * one that has executed as many accesses as the whole run was expected to take: it may have work for ever, and others wait for their turn. Up to
 * that many in all it makes no difference, so the bound stays.
 */
class PctScheduler implements Scheduler {
  readonly inOrder = false;
  readonly horizon: number = Number.POSITIVE_INFINITY;
  readonly weight: Uint8Array = new Uint8Array(PRIMITIVES.length).fill(1);
  private readonly priority: Float64Array;
  private readonly changes: number[];
  private readonly patience: number;
  /** By CPU: accesses since it was at the bottom. */
  private readonly executed: Float64Array;
  private lowest = 0;
  private idleSteps = 0;
  private last = -1;

  constructor(random: Random, { cpus, pctDepth, pctSteps }: MachineConfig) {
    this.priority = Float64Array.from({ length: cpus }, () => 1 + random.fraction());
    this.patience = pctSteps;
    this.executed = new Float64Array(cpus);
    this.changes = Array.from({ length: pctDepth - 1 }, () => random.below(pctSteps)).sort((a, b) => a - b);
  }

  pick(runnable: readonly Processor[], count: number): Processor {
    let best = runnable[0];
    for (let i = 0; i < count; i++) {
      const cpu = runnable[i];
      if (cpu.relaxed) {
        cpu.relaxed = false;
        this.demote(cpu);
      }
    }
    for (let i = 1; i < count; i++) if (this.priority[runnable[i].id] > this.priority[best.id]) best = runnable[i];
    return best;
  }

  budget(step: number): number {
    const next = this.changes[0];
    return next === undefined ? PCT_LONGEST_RUN : Math.min(PCT_LONGEST_RUN, Math.max(1, next - step));
  }

  private demote(cpu: Processor): void {
    this.priority[cpu.id] = --this.lowest;
    this.executed[cpu.id] = 0;
  }

  private total = 0;

  ran(cpu: Processor, steps: number, progress: boolean): void {
    this.total += steps;
    this.executed[cpu.id] += steps;
    this.idleSteps = progress || cpu.id !== this.last ? 0 : this.idleSteps + steps;
    this.last = cpu.id;
    if (this.changes.length > 0 && this.total >= this.changes[0]) {
      this.changes.shift();
      this.demote(cpu);
    } else if (this.idleSteps > PCT_PATIENCE) {
      this.idleSteps = 0;
      this.demote(cpu);
    } else if (this.executed[cpu.id] > this.patience) {
      this.demote(cpu);
    }
  }
}

/** The scheduler that the configuration names. */
export function schedulerOf(config: MachineConfig): Scheduler {
  if (config.caches !== 'none') return new EarliestScheduler(new Random(config.seed, 0));
  switch (config.scheduler) {
    case 'random':
      return new RandomScheduler(new Random(config.seed, 0), config.runLength);
    case 'round-robin':
      return new RoundRobinScheduler(config.runLength);
    case 'pct':
      return new PctScheduler(new Random(config.seed, 0), config);
  }
}
