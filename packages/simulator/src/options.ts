// SPDX-License-Identifier: MIT
import type { FaultKind, Op } from '@lockless/cpu';
import { NR_CPUS, STATIC_WORDS } from '@lockless/cpu';
import type { CacheModel } from './caches.js';
import { CACHES } from './caches.js';
import type { CostModel } from './cost.js';
import { defaultCost } from './cost.js';

export type MemoryModel = 'sc' | 'tso' | 'weak';
export type SchedulerName = 'random' | 'round-robin' | 'pct';

/** Everything that decides a run, apart from the code that runs. It is what a replay token holds. */
export interface MachineConfig {
  /** 1 to 64. */
  readonly cpus: number;
  readonly model: MemoryModel;
  readonly seed: number;
  readonly scheduler: SchedulerName;
  /** Mean run of accesses between switches of the random scheduler; quantum of the round-robin one. */
  readonly runLength: number;
  /** PCT: number of ordering constraints of the bug that is looked for. */
  readonly pctDepth: number;
  /** PCT: accesses that the run is expected to take. */
  readonly pctSteps: number;
  /** Words of memory; the static segment alone takes 262,144. */
  readonly memoryWords: number;
  /** Probabilities, each 0 to 1: an allocation fails; a device request fails; at a tick, a task gets a signal. */
  readonly inject: Readonly<Record<FaultKind, number>>;
  /** Period of the timer interrupt of each CPU in virtual ns. */
  readonly timerTick: number;
  /** How long a task keeps a CPU that others wait for, in virtual ns. */
  readonly timeSlice: number;
  /** How far the clocks of running CPUs may lie apart, in virtual ns. */
  readonly clockWindow: number;
  /** Accesses without a store by any task after which tasks that still run are said to livelock. */
  readonly livelockSteps: number;
  /** Virtual ns for which daemons and timers may go on alone before the tasks that sleep are said to sleep for ever. */
  readonly hungTaskTime: number;
  /**
   * Whose caches accesses wait for; 'none': an access costs what it costs in the CPU's own cache. With caches the CPU whose clock is earliest goes
   * on, whatever `scheduler` says, so that lines are asked for in the order of virtual time.
   */
  readonly caches: CacheModel | 'none';
  /** Check the order in which classes of spin locks are taken, and which ones interrupt handlers take. */
  readonly lockdep: boolean;
}

/** Kernel code that runs at the machine's own events, on the CPU in question. */
export interface Hooks {
  /** Between two tasks, preemption off: rcu_qsctr_inc(). */
  readonly onContextSwitch?: (cpu: number) => Op<void>;
  /** In the timer interrupt. `user`: it interrupted user mode or the idle loop. */
  readonly onTick?: (cpu: number, user: boolean) => Op<void>;
  /** In softirq context, after each tick and after {@link Machine.raiseSoftirq}. */
  readonly onSoftirq?: (cpu: number) => Op<void>;
  /** Each time the CPU runs out of tasks, as its idle task. */
  readonly onIdle?: (cpu: number) => Op<void>;
}

/** Host code that looks on. It must not change the run. */
export interface Observer {
  /** From virtual time `time` on the CPU is the named task's; null: nobody's. Never goes back in time on one CPU. */
  readonly onSwitch?: (cpu: number, time: number, task: string | null) => void;
}

export interface MachineOptions extends Partial<Omit<MachineConfig, 'inject'>> {
  readonly inject?: Partial<MachineConfig['inject']>;
  readonly hooks?: Hooks;
  readonly observer?: Observer;
  readonly cost?: CostModel;
  /** Keep the last so many accesses of each CPU for reports. */
  readonly history?: number;
}

const DEFAULTS: MachineConfig = {
  cpus: 2,
  model: 'weak',
  seed: 1,
  scheduler: 'random',
  runLength: 12,
  pctDepth: 3,
  pctSteps: 10_000,
  memoryWords: STATIC_WORDS + (1 << 20),
  inject: { enomem: 0, eio: 0, enospc: 0, signal: 0 },
  timerTick: 50_000,
  timeSlice: 200_000,
  clockWindow: 5_000,
  livelockSteps: 2_000_000,
  hungTaskTime: 10e9,
  caches: 'none',
  lockdep: true,
};

function within(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) throw new RangeError(`${name} is ${value}; it must be ${low} to ${high}`);
}

/** Fills in the defaults and checks the rest. Throws RangeError. */
export function configOf(options: MachineOptions): MachineConfig {
  const given = Object.fromEntries(
    Object.keys(DEFAULTS).flatMap((key) => {
      const value = options[key as keyof MachineConfig];
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const config: MachineConfig = { ...DEFAULTS, ...given, inject: { ...DEFAULTS.inject, ...options.inject } };
  within('cpus', config.cpus, 1, NR_CPUS);
  if (!['sc', 'tso', 'weak'].includes(config.model))
    throw new RangeError(`model is ${config.model}; it must be sc, tso or weak`);
  if (!['random', 'round-robin', 'pct'].includes(config.scheduler))
    throw new RangeError(`scheduler is ${config.scheduler}; it must be random, round-robin or pct`);
  if (config.caches !== 'none' && !Object.hasOwn(CACHES, config.caches))
    throw new RangeError(`caches is ${config.caches}; it must be none, ${Object.keys(CACHES).join(' or ')}`);
  within('runLength', config.runLength, 1, 1_000_000);
  within('pctDepth', config.pctDepth, 1, 1000);
  within('memoryWords', config.memoryWords, STATIC_WORDS + 4096, 2 ** 29);
  for (const [kind, rate] of Object.entries(config.inject)) within(`inject.${kind}`, rate, 0, 1);
  within('timerTick', config.timerTick, 100, 1e12);
  return config;
}

/** The cost model in force. */
export const costOf = (options: MachineOptions): CostModel => options.cost ?? defaultCost;
