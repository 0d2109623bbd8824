// SPDX-License-Identifier: MIT
import type { Op } from '@lockless/cpu';
import { defineStatic, defineWord, load, Mutex, mutexInit, mutexLock, mutexUnlock, store } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MachineOptions, Observer } from '../src/index.js';
import { Machine } from '../src/index.js';

const counter = defineWord('observed_counter');
const mutex = defineStatic(Mutex, 'observed_mutex');

interface Switch {
  readonly time: number;
  readonly task: string | null;
}

function* contend(): Op<void> {
  for (let i = 0; i < 60; i++) {
    yield* mutexLock(mutex);
    yield* store(counter, (yield* load(counter)) + 1);
    yield* mutexUnlock(mutex);
  }
}

/** Five tasks on three CPUs that preempt each other, sleep and end. */
function contention(observer: Observer | undefined, options: MachineOptions): { machine: Machine; time: number } {
  const observed = observer === undefined ? options : { ...options, observer };
  const machine = new Machine({ cpus: 3, timerTick: 2_000, timeSlice: 2_000, ...observed });
  machine.boot(mutexInit(mutex));
  for (let i = 0; i < 5; i++) machine.spawn(`task${i}`, contend);
  const { status, time } = machine.run();
  expect(status).toBe('finished');
  return { machine, time };
}

describe.each(['random', 'round-robin', 'pct'] as const)('an observer, %s scheduling', (scheduler) => {
  const seen: Switch[][] = [[], [], []];
  const { machine, time } = contention(
    { onSwitch: (cpu, at, task) => void seen[cpu].push({ time: at, task }) },
    { scheduler },
  );

  it('sees one start and one end of each stay of a task on a CPU, in order', () => {
    for (const switches of seen) {
      for (const [i, { task }] of switches.entries()) expect(task !== null).toBe(i % 2 === 0);
      const times = switches.map((one) => one.time);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(switches.at(-1)?.time ?? 0).toBeLessThanOrEqual(time);
    }
  });

  it('sees every switch that the machine counts', () => {
    const ends = seen.flat().filter(({ task }) => task === null).length;
    expect(ends).toBe(machine.statistics.contextSwitches);
    expect(machine.statistics.contextSwitches).toBeGreaterThan(5);
    for (let i = 0; i < 5; i++) expect(seen.flat().some(({ task }) => task === `task${i}`)).toBe(true);
  });

  it('changes nothing', () => {
    expect(contention(undefined, { scheduler }).machine.traceHash).toBe(machine.traceHash);
  });
});

it('tells of no task on two CPUs at a time', () => {
  const where = new Map<string, number>();
  const on = new Map<number, string>();
  const onSwitch = (cpu: number, _time: number, task: string | null): void => {
    where.delete(on.get(cpu) ?? '');
    on.delete(cpu);
    if (task === null) return;
    expect(where.has(task)).toBe(false);
    where.set(task, cpu);
    on.set(cpu, task);
  };
  contention({ onSwitch }, { seed: 7 });
});
