// SPDX-License-Identifier: MIT
import type { Op, Ptr } from '@lockless/cpu';
import {
  atomicAdd,
  bugOn,
  cpuRelax,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  mutexLock,
  mutexUnlock,
  NULL,
  readOnce,
  type StructOf,
  schedule,
  setCurrentState,
  setCurrentStateRelaxed,
  shouldFail,
  store,
  struct,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  type TaskStruct,
  waitEvent,
  wakeUp,
  wakeUpProcess,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MemoryModel, Violation } from '../src/index.js';
import { Machine } from '../src/index.js';
import { type Body, firstViolation, flag, mutex, other, queue } from './first-violation.js';

interface Thing {
  value: number;
}
const Thing: StructOf<Thing> = struct<Thing>('thing', { value: 1 });
const things = kmemCacheCreate(Thing);

describe('sleep and wake-up', () => {
  const sleeper = (setState: (state: number) => Op<void>): Body =>
    function* () {
      for (;;) {
        yield* setState(TASK_UNINTERRUPTIBLE);
        if ((yield* readOnce(flag)) === 1) break;
        yield* schedule();
      }
      yield* setState(TASK_RUNNING);
    };
  const race = (model: MemoryModel, setState: (state: number) => Op<void>): Violation | null => {
    for (let seed = 1; seed <= (setState === setCurrentState ? 300 : 3000); seed++) {
      const machine = new Machine({ cpus: 2, seed, model, runLength: 3, memoryWords: (1 << 18) + (1 << 13) });
      const task: Ptr<TaskStruct> = machine.spawn('sleeper', () => sleeper(setState)(machine), { cpu: 0 });
      machine.spawn(
        'waker',
        function* () {
          yield* load(other);
          yield* writeOnce(flag, 1);
          yield* wakeUpProcess(task);
        },
        { cpu: 1 },
      );
      const { violation } = machine.run();
      if (violation !== null) return violation;
    }
    return null;
  };

  it.each(['tso', 'weak'] as const)('finds the lost wake-up when the state is set without a barrier (%s)', (model) => {
    const violation = race(model, setCurrentStateRelaxed);
    expect(violation?.kind).toBe('deadlock');
    expect(violation?.message).toBe('nothing can wake sleeper');
    expect(violation?.stacks.find((s) => s.context === 'sleeper')?.frames.map((f) => f.name)).toContain('schedule');
  });

  it.each(['sc', 'tso', 'weak'] as const)('loses none with the barrier (%s)', (model) => {
    expect(race(model, setCurrentState)).toBeNull();
  });

  it('waits on queues, woken by others, in all modes', () => {
    for (const model of ['sc', 'tso', 'weak'] as const) {
      const violation = firstViolation(
        [
          () =>
            waitEvent(queue, function* () {
              return (yield* readOnce(flag)) === 1;
            }),
          () =>
            waitEvent(queue, function* () {
              return (yield* readOnce(flag)) === 1;
            }),
          function* () {
            yield* writeOnce(flag, 1);
            yield* wakeUp(queue);
          },
        ],
        { model, cpus: 3 },
        100,
      );
      expect(violation?.report() ?? null).toBeNull();
    }
  });

  it('calls retrying for ever a livelock', () => {
    const violation = firstViolation(
      [
        function* () {
          while ((yield* readOnce(flag)) === 0) yield* cpuRelax();
        },
      ],
      { livelockSteps: 5000 },
      1,
    );
    expect(violation?.kind).toBe('livelock');
    expect(violation?.stacks[0].frames.length).toBeGreaterThan(0);
  });
});

describe('memory', () => {
  it('finds a use after free, with the stack of the access', () => {
    const violation = firstViolation(
      [
        function* () {
          const thing = yield* kmemCacheAlloc(things, GFP_KERNEL);
          if (thing === NULL) return;
          yield* kmemCacheFree(things, thing);
          yield* touch(thing);
        },
      ],
      {},
      1,
    );
    expect(violation?.kind).toBe('use-after-free');
    expect(violation?.message).toMatch(/thing@\d+\.value/);
    expect(violation?.stacks[0].frames[0].name).toBe('touch');
  });

  function* touch(thing: Ptr<Thing>): Op<void> {
    yield* store(Thing.value(thing), 1);
  }

  it('finds a store that is still on its way when another CPU frees the object; TSO lets none be', () => {
    for (const model of ['tso', 'weak'] as const) {
      const shared = { thing: 0 as Ptr<Thing> };
      const violation = firstViolation(
        [
          function* () {
            const thing = yield* kmemCacheAlloc(things, GFP_KERNEL);
            if (thing === NULL) return;
            shared.thing = thing;
            yield* store(Thing.value(thing), 1);
            // The relaxed increment gives the object away without ordering the store before it.
            yield* atomicAdd(1, flag);
            for (let i = 0; i < 20; i++) yield* load(other);
          },
          function* () {
            for (let i = 0; i < 200; i++) if ((yield* readOnce(flag)) !== 0) break;
            if (shared.thing !== (0 as Ptr<Thing>)) yield* kmemCacheFree(things, shared.thing);
          },
        ],
        { model, runLength: 4 },
        model === 'weak' ? 1000 : 100,
      );
      expect(violation?.kind).toBe(model === 'weak' ? 'use-after-free' : undefined);
    }
  });
});

describe('schedulers and faults', () => {
  /** A bug of depth 2: the second store must fall between the two reads. */
  const depthTwo: Body[] = [
    function* () {
      for (let i = 0; i < 30; i++) yield* load(other);
      const first = yield* readOnce(flag);
      const second = yield* readOnce(flag);
      bugOn(first !== second, 'first != second');
    },
    function* () {
      for (let i = 0; i < 30; i++) yield* load(other);
      yield* writeOnce(flag, 1);
    },
  ];

  it('PCT finds a bug of depth 2 at about the promised rate', () => {
    let found = 0;
    for (let seed = 1; seed <= 600; seed++)
      if (firstViolation(depthTwo, { scheduler: 'pct', pctDepth: 2, pctSteps: 70, seed, model: 'sc' }, 1) !== null)
        found++;
    // 1 / (n k) = 1/140 at least.
    expect(found).toBeGreaterThan(600 / 140 / 2);
  });

  it('injects what it is asked to, at about the rate', () => {
    const machine = new Machine({ inject: { enomem: 0.25 } });
    let failed = 0;
    let pages = 0;
    machine.spawn('allocator', function* () {
      for (let i = 0; i < 400; i++) {
        const thing = yield* kmemCacheAlloc(things, GFP_KERNEL);
        if (thing === NULL) failed++;
        else yield* kmemCacheFree(things, thing);
        if (shouldFail('enomem')) pages++;
      }
    });
    expect(machine.run().status).toBe('finished');
    expect(failed).toBeGreaterThan(60);
    expect(failed).toBeLessThan(150);
    expect(pages).toBeGreaterThan(60);
    expect(machine.statistics.injected.enomem).toBe(failed + pages);
  });

  it('a mutex taken by one and given back by another is a BUG', () => {
    expect(
      firstViolation(
        [
          () => mutexLock(mutex),
          function* () {
            for (let i = 0; i < 50; i++) yield* load(flag);
            yield* mutexUnlock(mutex);
          },
        ],
        {},
        1,
      )?.kind,
    ).toBe('BUG');
  });
});
