// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicInc,
  atomicRead,
  atomicXchg,
  Completion,
  complete,
  condResched,
  containerOf,
  cpuRelax,
  defineStatic,
  defineWord,
  type Embed,
  functionPointer,
  GFP_KERNEL,
  initCompletion,
  KernelBug,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  type Null,
  type Op,
  omitGuards,
  type Ptr,
  preemptDisable,
  preemptEnable,
  type Ref,
  rcuDereference,
  type StructOf,
  store,
  struct,
  waitForCompletion,
} from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';
import { type Hooks, Machine, type MachineOptions, type RunOutcome } from '@lockless/simulator';
import type * as RcuPackage from '../src/index.js';

/** The package under test, or a mutant of it. */
export type Rcu = typeof RcuPackage;

/** What readers look at: both fields have the same value, which no other object had. */
interface Config {
  rcu: Embed<RcuHead>;
  first: number;
  second: number;
}
const Config: StructOf<Config> = struct<Config>('rcu_test_config', { rcu: RcuHead, first: 1, second: 1 });
const configs = kmemCacheCreate(Config);
const published: Ref<Ptr<Config> | Null> = defineWord('published_config');

const freeConfig = functionPointer(
  'free_config',
  (head: Ptr<RcuHead>): Op<void> => freed(containerOf(head, Config, 'rcu')),
);
function* freed(config: Ptr<Config>): Op<void> {
  yield* kmemCacheFree(configs, config);
}

/** A reader, nested ones within, that lasts for that many virtual ns: looks at the published object before and after. The engine knows when it is freed. */
function* read(rcu: Rcu, machine: Machine, duration: number): Op<void> {
  yield* rcu.rcuReadLock();
  const config = yield* rcuDereference(published);
  if (config !== NULL) {
    const first = yield* load(Config.first(config));
    if (duration > 0) machine.compute(duration);
    for (let i = 0; i < 3; i++) {
      // Its end is not the end of the outer one.
      yield* rcu.rcuReadLock();
      yield* rcu.rcuReadUnlock();
      if ((yield* load(Config.second(config))) !== first)
        throw new KernelBug('reused', 'the object changes under its reader');
    }
  }
  yield* rcu.rcuReadUnlock();
}

/** Publishes a new object and gets rid of the old one. */
function* update(rcu: Rcu, value: number, wait: boolean): Op<void> {
  const config = yield* kmemCacheAlloc(configs, GFP_KERNEL);
  if (config === NULL) return;
  yield* store(Config.first(config), value);
  yield* store(Config.second(config), value);
  const old = yield* atomicXchg(published, config);
  if (old === NULL) return;
  if (wait) {
    yield* rcu.synchronizeRcu();
    yield* kmemCacheFree(configs, old);
  } else yield* rcu.callRcu(Config.rcu(old), freeConfig);
}

export interface Run {
  readonly outcome: RunOutcome;
  readonly gracePeriods: number;
  readonly callbacksInvoked: number;
  /** Why a grace period will never end. */
  readonly stall: string | null;
  /** Objects that live at the end; the published one is right. */
  readonly live: number;
}

/** Which RCU the machine boots. */
export interface RcuRunOptions extends MachineOptions {
  readonly flavour?: 'classic' | 'urcu-mb' | 'urcu-qsbr';
  /** Guards that it is booted without. */
  readonly without?: readonly string[];
}

/** Ticks and time slices so short that many grace periods pass in a short run. */
const BUSY: MachineOptions = { timerTick: 500, timeSlice: 4000, memoryWords: (1 << 18) + (1 << 16) };

function start(
  rcu: Rcu,
  { flavour = 'classic', without = [], ...options }: RcuRunOptions,
  hooks: Hooks = rcu.rcuHooks,
): Machine {
  const machine = new Machine({ ...BUSY, ...options, hooks });
  const { cpus } = machine.config;
  machine.boot(
    (function* () {
      omitGuards(without);
    })(),
  );
  const boot = { classic: rcu.rcuInit, 'urcu-mb': rcu.bootUrcu, 'urcu-qsbr': rcu.bootUrcuQsbr }[flavour];
  machine.boot(boot(cpus));
  return machine;
}

/** The figures, by an access from outside after the run. */
function figures(rcu: Rcu, machine: Machine): RcuPackage.RcuStatistics & { readonly stall: string | null } {
  let statistics: ReturnType<typeof figures> | undefined;
  machine.spawn('statistics', function* () {
    statistics = { ...rcu.rcuStatistics(), stall: rcu.rcuStall() };
  });
  machine.run();
  if (statistics === undefined) throw new Error('the machine runs no more');
  return statistics;
}

/** Readers on every CPU beside two updaters, one that queues callbacks and one that waits; at the end rcu_barrier(). */
export function readersAndUpdaters(rcu: Rcu, options: RcuRunOptions, hooks?: Hooks): Run {
  const machine = start(rcu, options, hooks);
  const tasks = machine.config.cpus + 1;
  for (let reader = 0; reader < tasks; reader++) {
    machine.spawn(`reader${reader}`, function* () {
      for (let i = 0; i < 40; i++) yield* read(rcu, machine, i % 3 === 0 ? i * 100 : 0);
    });
  }
  let running = 2;
  for (const wait of [false, true]) {
    machine.spawn(wait ? 'waiter' : 'queuer', function* () {
      for (let i = 0; i < (wait ? 3 : 20); i++) {
        yield* update(rcu, wait ? 1000 + i : i, wait);
        if ((options.flavour ?? 'classic') !== 'classic' && !wait && i % 4 === 3) yield* rcu.urcuReclaim();
      }
      if (--running === 0) yield* rcu.rcuBarrier();
    });
  }
  const outcome = machine.run({ maxSteps: 2_000_000 });
  const live = machine.heap.live[configs.id] ?? 0;
  if (outcome.status !== 'finished') return { outcome, gracePeriods: 0, callbacksInvoked: 0, stall: null, live };
  const { gracePeriods, callbacksInvoked, stall } = figures(rcu, machine);
  return { outcome, gracePeriods, callbacksInvoked, stall, live };
}

/** Readers on every CPU beside an updater that frees when it is told that a grace period has passed. *Returns* how often it had to ask. */
export function readersAndPoller(rcu: Rcu, options: RcuRunOptions): { outcome: RunOutcome; asked: number } {
  const machine = start(rcu, options);
  for (let reader = 0; reader < machine.config.cpus; reader++) {
    machine.spawn(`reader${reader}`, function* () {
      for (let i = 0; i < 40; i++) yield* read(rcu, machine, i % 3 === 0 ? i * 100 : 0);
    });
  }
  let asked = 0;
  machine.spawn('poller', function* () {
    for (let i = 0; i < 5; i++) {
      const config = yield* kmemCacheAlloc(configs, GFP_KERNEL);
      if (config === NULL) continue;
      yield* store(Config.first(config), i);
      yield* store(Config.second(config), i);
      const old = yield* atomicXchg(published, config);
      if (old === NULL) continue;
      const state = yield* rcu.startPollSynchronizeRcu();
      for (; !(yield* rcu.pollStateSynchronizeRcu(state)); asked++) {
        yield* condResched();
        if ((options.flavour ?? 'classic') !== 'classic') yield* rcu.synchronizeRcu();
      }
      yield* kmemCacheFree(configs, old);
    }
  });
  return { outcome: machine.run({ maxSteps: 2_000_000 }), asked };
}

const counted = functionPointer('counted', (_head: Ptr<RcuHead>): Op<void> => count());
const invoked: Ref<number> = defineWord('rcu_test_invoked');
function* count(): Op<void> {
  yield* atomicInc(invoked);
}

/** One task on each CPU queues callbacks; then one calls rcu_barrier(), and all of them must have been invoked. */
export function barrierAfterCallbacks(rcu: Rcu, options: RcuRunOptions): RunOutcome {
  const machine = start(rcu, options);
  const { cpus } = machine.config;
  const each = 15;
  machine.boot(initCompletion(queued));
  for (let cpu = 0; cpu < cpus; cpu++) {
    machine.spawn(
      `queuer${cpu}`,
      function* () {
        for (let i = 0; i < each; i++) {
          const config = yield* kmemCacheAlloc(configs, GFP_KERNEL);
          if (config !== NULL) yield* rcu.callRcu(Config.rcu(config), counted);
        }
        yield* complete(queued);
      },
      { cpu },
    );
  }
  machine.spawn('barrier', function* () {
    for (let cpu = 0; cpu < cpus; cpu++) yield* waitForCompletion(queued);
    yield* rcu.rcuBarrier();
    const seen = yield* atomicRead(invoked);
    if (seen !== cpus * each)
      throw new KernelBug('early', `rcu_barrier returns after ${seen} of ${cpus * each} callbacks`);
  });
  return machine.run({ maxSteps: 2_000_000 });
}
const queued = defineStatic(Completion, 'rcu_test_queued');

/**
 * CPU 0 updates and waits; each other CPU sleeps without a tick for ever longer times, and reads in between. So long a sleep must not hold
 * up grace periods, and none may end under a reader that has just woken up.
 */
export function sleepersWithoutTick(rcu: Rcu, options: MachineOptions): RunOutcome & { readonly slept: number } {
  const asleep: boolean[] = [];
  let slept = 0;
  const hooks: Hooks = {
    ...rcu.rcuHooks,
    *onTick(cpu, user) {
      if (asleep[cpu] !== true) yield* rcu.rcuHooks.onTick(cpu, user);
    },
    *onSoftirq(cpu) {
      if (asleep[cpu] !== true) yield* rcu.rcuHooks.onSoftirq(cpu);
    },
  };
  const machine = start(rcu, options, hooks);
  for (let cpu = 1; cpu < machine.config.cpus; cpu++) {
    machine.spawn(
      `sleeper${cpu}`,
      function* () {
        for (let nap = 0; nap < 30; nap++) {
          // The tick is off from the moment on when RCU agrees.
          preemptDisable();
          if (yield* rcu.rcuEnterIdle()) {
            asleep[cpu] = true;
            slept++;
            machine.compute(nap * 100);
            yield* cpuRelax();
            asleep[cpu] = false;
            yield* rcu.rcuExitIdle();
          }
          preemptEnable();
          for (const duration of [0, 2000, 0]) yield* read(rcu, machine, duration);
          yield* condResched();
        }
      },
      { cpu },
    );
  }
  machine.spawn(
    'updater',
    function* () {
      for (let i = 0; i < 15; i++) {
        yield* update(rcu, i, true);
        // Others fall asleep when no batch is in progress; the next one then begins while they sleep.
        machine.compute(2000);
        yield* cpuRelax();
      }
      yield* rcu.rcuBarrier();
    },
    { cpu: 0 },
  );
  return { ...machine.run({ maxSteps: 2_000_000 }), slept };
}
