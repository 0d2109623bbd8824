// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { atomicAdd, atomicRead, condResched, defineWord, KernelBug, load, store } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { Machine, type MachineOptions, Random, type RunOutcome } from '@lockless/simulator';
import type * as PagePackage from '../src/index.js';

/** The package under test, or a mutant of it. */
export type PageApi = typeof PagePackage;
export interface Options extends MachineOptions {
  readonly pages?: number;
  readonly rounds?: number;
}

export function broken(what: string): never {
  throw new KernelBug('broken-promise', what);
}

/** Runs a handler as a timer interrupt; what it holds is waited for at the end. */
type Timer = (delay: number, name: string, handler: () => Op<void>) => void;

/** Boots the package, lets one task per CPU and one more run, and drains all CPUs' lists at the end. */
export function runOn(
  api: PageApi,
  options: Options,
  body: (timer: Timer, random: Random, id: number) => Op<void>,
  setup: () => Op<void> = function* () {},
  teardown: () => Op<void> = function* () {},
): RunOutcome {
  const machine = new Machine({ timerTick: 20_000, ...options });
  const { cpus } = machine.config;
  machine.boot(
    (function* (): Op<void> {
      const { pages = 64 + 16 * cpus } = options;
      const bootReserve = (words: number): number => machine.heap.reserve(words);
      yield* api.freeAreaInit({ pages, nrCpus: cpus, minFreeKbytes: 16, bootReserve });
      yield* setup();
    })(),
  );
  for (const check of [api.frameInvariant, api.lruInvariant, api.zoneCounterInvariant])
    machine.addInvariant({ name: check.name, check });
  machine.addInvariant({ name: 'nothing is left allocated', check: () => leftAllocated(api) });
  let running = cpus + 1;
  let armed = 0;
  const timer: Timer = (delay, name, handler) => {
    armed++;
    machine.addTimer(delay, name, function* () {
      yield* handler();
      armed--;
    });
  };
  for (let id = 0; id <= cpus; id++) {
    const random = new Random(machine.config.seed, 100 + id);
    machine.spawn(`task ${id}`, function* () {
      yield* body(timer, random, id);
      yield* atomicAdd(1, finished);
      if (--running > 0) return;
      while ((yield* atomicRead(finished)) <= cpus || armed > 0) yield* condResched();
      yield* teardown();
      for (let cpu = 0; cpu < cpus; cpu++) yield* api.drainCpuPagevecs(cpu);
    });
  }
  return machine.run({ maxSteps: 4_000_000 });
}
const finished: Ref<number> = defineWord('page_test_finished');

function leftAllocated(api: PageApi): string | null {
  const left = api.frameStates().indexOf('allocated');
  return left < 0 ? null : `frame ${left} is still allocated`;
}

/** What went wrong in a run, or null. */
export function wrongIn({ status, violation }: RunOutcome): string | null {
  return violation === null ? (status === 'finished' ? null : status) : `${violation.kind}: ${violation.report()}`;
}

/** A frame in use belongs to one owner: he marks it, and the mark stays. */
export function* own(page: Ptr<Page>, mark: number, order = 0): Op<void> {
  for (let i = 0; i < 1 << order; i++) yield* store(Page.index((page + i * Page.$size) as Ptr<Page>), mark);
}
export function* stillOwn(page: Ptr<Page>, mark: number, order = 0): Op<void> {
  for (let i = 0; i < 1 << order; i++) {
    const found = yield* load(Page.index((page + i * Page.$size) as Ptr<Page>));
    if (found !== mark) broken(`a frame in use was marked ${mark} and now ${found}: it has two owners`);
  }
}

/** Where tasks leave pages for each other. */
export const SLOTS = 4;
export const slots: readonly Ref<Ptr<Page> | 0>[] = Array.from({ length: SLOTS }, (_, i) =>
  defineWord(`page_test_slot[${i}]`),
);
