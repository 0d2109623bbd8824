// SPDX-License-Identifier: MIT
import type { Op, Ref } from '@lockless/cpu';
import {
  Completion,
  complete,
  defineStatic,
  defineWord,
  downRead,
  downWrite,
  initCompletion,
  initRwsem,
  load,
  Mutex,
  mutexInit,
  mutexLock,
  mutexUnlock,
  RwSemaphore,
  type SpinLock,
  spinLock,
  spinUnlock,
  store,
  upRead,
  upWrite,
  waitForCompletion,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MachineOptions } from '../src/index.js';
import { decodeToken, Machine } from '../src/index.js';

const counter: Ref<number> = defineWord('counter');
const lock: Ref<SpinLock> = defineWord<SpinLock>('counter_lock');
const mutex = defineStatic(Mutex, 'test_mutex');
const rwsem = defineStatic(RwSemaphore, 'test_rwsem');
const done = defineStatic(Completion, 'test_done');

function* increment(times: number): Op<void> {
  for (let i = 0; i < times; i++) {
    yield* spinLock(lock);
    yield* store(counter, (yield* load(counter)) + 1);
    yield* spinUnlock(lock);
  }
}

const models = ['sc', 'tso', 'weak'] as const;
const sizes: MachineOptions[] = [1, 2, 3, 8].flatMap((cpus) => models.map((model) => ({ cpus, model })));

describe.each(sizes)('$cpus CPUs, $model', (options) => {
  it.each(['random', 'round-robin', 'pct'] as const)('a spin lock protects a counter (%s)', (scheduler) => {
    for (let seed = 1; seed <= 5; seed++) {
      const machine = new Machine({ ...options, scheduler, seed });
      for (let i = 0; i < 6; i++) machine.spawn(`inc${i}`, () => increment(40));
      const outcome = machine.run();
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
      expect(machine.heap.words[counter]).toBe(240);
    }
  });

  it('a mutex protects a counter, sleepers wake', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const machine = new Machine({ ...options, seed, timerTick: 2_000, timeSlice: 2_000 });
      machine.boot(mutexInit(mutex));
      for (let i = 0; i < 6; i++)
        machine.spawn(`inc${i}`, function* () {
          for (let k = 0; k < 30; k++) {
            yield* mutexLock(mutex);
            yield* store(counter, (yield* load(counter)) + 1);
            yield* mutexUnlock(mutex);
          }
        });
      const outcome = machine.run();
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
      expect(machine.heap.words[counter]).toBe(180);
    }
  });

  it('an rwsem excludes writers, a completion counts', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const machine = new Machine({ ...options, seed, timerTick: 2_000, timeSlice: 2_000 });
      machine.boot(initRwsem(rwsem));
      machine.boot(initCompletion(done));
      const seen: number[] = [];
      for (let i = 0; i < 3; i++)
        machine.spawn(`writer${i}`, function* () {
          for (let k = 0; k < 20; k++) {
            yield* downWrite(rwsem);
            yield* store(counter, (yield* load(counter)) + 1);
            yield* store(counter, (yield* load(counter)) + 1);
            yield* upWrite(rwsem);
          }
          yield* complete(done);
        });
      for (let i = 0; i < 2; i++)
        machine.spawn(`reader${i}`, function* () {
          for (let k = 0; k < 20; k++) {
            yield* downRead(rwsem);
            seen.push(yield* load(counter));
            yield* upRead(rwsem);
          }
          yield* complete(done);
        });
      machine.spawn('waiter', function* () {
        for (let k = 0; k < 5; k++) yield* waitForCompletion(done);
        seen.push(yield* load(counter));
      });
      const outcome = machine.run();
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
      expect(seen.filter((n) => n % 2 !== 0)).toEqual([]);
      expect(seen.at(-1)).toBe(120);
    }
  });
});

describe('replay', () => {
  it('repeats a run from its token, and differs with another seed', () => {
    const run = (options: MachineOptions) => {
      const machine = new Machine(options);
      for (let i = 0; i < 3; i++) machine.spawn(`inc${i}`, () => increment(50));
      machine.run();
      return machine;
    };
    const first = run({ cpus: 3, model: 'weak', seed: 42 });
    expect(run(decodeToken(first.token)).traceHash).toBe(first.traceHash);
    expect(run({ cpus: 3, model: 'weak', seed: 43 }).traceHash).not.toBe(first.traceHash);
  });

  it.each(['random', 'round-robin', 'pct'] as const)('goes on where it stopped, as if it had not (%s)', (scheduler) => {
    const machine = (): Machine => {
      const made = new Machine({ cpus: 4, scheduler, seed: 5, timerTick: 3000, history: 16 });
      for (let i = 0; i < 6; i++) made.spawn(`inc${i}`, () => increment(100));
      return made;
    };
    const whole = machine();
    expect(whole.run().status).toBe('finished');
    const sliced = machine();
    let slices = 1;
    while (sliced.run({ maxSteps: 100 }).status === 'bounded') slices++;
    expect(slices).toBeGreaterThan(10);
    expect(sliced.traceHash).toBe(whole.traceHash);
    expect(sliced.steps).toBe(whole.steps);
    expect(sliced.lastAccesses(2)).toEqual(whole.lastAccesses(2));
    expect([0, 1, 2, 3].some((cpu) => whole.lastAccesses(cpu).length === 16)).toBe(true);
  });

  it('counts what happens', () => {
    const machine = new Machine({ cpus: 2, seed: 3, model: 'weak' });
    for (let i = 0; i < 2; i++) machine.spawn(`inc${i}`, () => increment(200), { cpu: i });
    const { steps } = machine.run();
    const { statistics, memoryStatistics } = machine;
    expect(statistics.accesses).toBe(steps);
    const { LK, UL, R, W } = statistics.byEvent();
    expect({ UL, R, W }).toEqual({ UL: 400, R: 400, W: 400 });
    expect(LK).toBe(400 + statistics.contended);
    expect(statistics.contended).toBeGreaterThan(0);
    // Each lock, unlock and store reaches memory once.
    expect(memoryStatistics.commits).toBe(1200);
    expect(memoryStatistics.bufferedStores).toBeGreaterThan(0);
  });
});
