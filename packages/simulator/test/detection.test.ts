// SPDX-License-Identifier: MIT
import type { Op, Ptr, Ref, RwLock } from '@lockless/cpu';
import {
  access,
  atomicAdd,
  bugOn,
  code,
  cpuRelax,
  defineStatic,
  defineWord,
  GFP_KERNEL,
  initWaitqueueHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  localIrqDisable,
  Mutex,
  mutexInit,
  mutexLock,
  mutexUnlock,
  NULL,
  preemptDisable,
  rawSpinLock,
  rawSpinUnlock,
  readLock,
  readOnce,
  type SpinLock,
  type StructOf,
  schedule,
  setCurrentState,
  setCurrentStateRelaxed,
  shouldFail,
  spinLock,
  spinLockIrqsave,
  spinUnlock,
  spinUnlockIrqrestore,
  store,
  struct,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  type TaskStruct,
  WaitQueueHead,
  waitEvent,
  wakeUp,
  wakeUpProcess,
  writeLock,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MachineOptions, MemoryModel, Violation } from '../src/index.js';
import { Machine } from '../src/index.js';

const a: Ref<SpinLock> = defineWord<SpinLock>('lock_a');
const b: Ref<SpinLock> = defineWord<SpinLock>('lock_b');
const rw: Ref<RwLock> = defineWord<RwLock>('rw_lock');
const flag = defineWord('flag');
const other = defineWord('other_flag');
const mutex = defineStatic(Mutex, 'detection_mutex');
const queue = defineStatic(WaitQueueHead, 'detection_queue');

interface Thing {
  value: number;
}
const Thing: StructOf<Thing> = struct<Thing>('thing', { value: 1 });
const things = kmemCacheCreate(Thing);

type Body = (machine: Machine) => Op<void>;

/** Runs the bodies under seed after seed until one breaks a rule. */
function firstViolation(bodies: Body[], options: MachineOptions = {}, seeds = 300): Violation | null {
  for (let seed = 1; seed <= seeds; seed++) {
    const machine = new Machine({ cpus: 2, seed, memoryWords: (1 << 18) + (1 << 15), ...options });
    machine.boot(mutexInit(mutex));
    machine.boot(initWaitqueueHead(queue));
    for (const [i, body] of bodies.entries())
      machine.spawn(`task${i}`, () => body(machine), { cpu: i % machine.config.cpus });
    const { violation } = machine.run({ maxSteps: 200_000 });
    if (violation !== null) return violation;
  }
  return null;
}

function* takeBoth(first: Ref<SpinLock>, second: Ref<SpinLock>): Op<void> {
  yield* spinLock(first);
  yield* spinLock(second);
  yield* spinUnlock(second);
  yield* spinUnlock(first);
}

describe('locks', () => {
  it('finds an ABBA deadlock when it happens, with both stacks', () => {
    const violation = firstViolation([() => takeBoth(a, b), () => takeBoth(b, a)], { lockdep: false });
    expect(violation?.kind).toBe('deadlock');
    expect(violation?.message).toMatch(
      /CPU \d holds lock_[ab] and spins on lock_[ab]; CPU \d holds lock_[ab] and spins on lock_[ab]/,
    );
    for (const cpu of [0, 1]) {
      const stack = violation?.stacks.find((s) => s.cpu === cpu);
      expect(stack?.status).toMatch(/spins on lock_[ab]|running/);
      expect(stack?.frames.map((f) => f.name)).toEqual(['spinLock', 'takeBoth']);
      expect(stack?.frames[1].location).toMatch(/^detection\.test\.ts:\d+$/);
    }
  });

  it('finds the wrong order even when no deadlock comes of it', () => {
    const violation = firstViolation(
      [
        function* () {
          yield* takeBoth(a, b);
          yield* takeBoth(b, a);
        },
      ],
      { cpus: 1 },
      1,
    );
    expect(violation?.kind).toBe('lock-order');
    expect(violation?.message).toContain('lock_a is taken under lock_b, but elsewhere lock_a, then lock_b');
  });

  it.each([
    [
      'self-deadlock',
      function* () {
        yield* spinLock(a);
        yield* spinLock(a);
      },
    ],
    [
      'self-deadlock',
      function* () {
        yield* readLock(rw);
        yield* writeLock(rw);
      },
    ],
    [
      'unlock-not-held',
      function* () {
        yield* spinUnlock(a);
      },
    ],
    [
      'lock-leak',
      function* () {
        yield* rawSpinLock(a);
      },
    ],
    [
      'preempt-imbalance',
      function* () {
        preemptDisable();
        yield* load(flag);
      },
    ],
    [
      'irq-imbalance',
      function* () {
        localIrqDisable();
        yield* load(flag);
      },
    ],
    [
      'BUG',
      function* () {
        yield* spinLock(a);
        yield* mutexLock(mutex);
      },
    ],
    [
      'scheduling-while-atomic',
      function* () {
        preemptDisable();
        yield* switchRaw();
      },
    ],
  ] as [string, Body][])('%s', (kind, body) => {
    expect(firstViolation([body], {}, 1)?.kind).toBe(kind);
  });

  it('finds a lock that is given back by another CPU', () => {
    const violation = firstViolation(
      [
        function* () {
          yield* rawSpinLock(a);
          yield* writeOnce(flag, 1);
          while ((yield* readOnce(other)) === 0) yield* cpuRelax();
        },
        function* () {
          while ((yield* readOnce(flag)) === 0) yield* cpuRelax();
          yield* rawSpinUnlock(a);
        },
      ],
      {},
      1,
    );
    expect(violation?.kind).toBe('unlock-not-held');
    expect(violation?.stacks.find((s) => s.cpu === 0)?.context).toBe('task0');
  });
});

/** schedule() without its own check. */
function* switchRaw(): Op<void> {
  yield* access<void>(code('schedule'), 0);
}
describe('interrupts', () => {
  const withInterrupt = (take: () => Op<void>, options: MachineOptions): Violation | null =>
    firstViolation(
      [
        function* (machine) {
          machine.addTimer(150, 'test timer', function* () {
            const flags = yield* spinLockIrqsave(a);
            yield* spinUnlockIrqrestore(a, flags);
          });
          for (let i = 0; i < 40; i++) yield* take();
        },
      ],
      { cpus: 1, ...options },
    );

  function* plain(): Op<void> {
    yield* spinLock(a);
    for (let i = 0; i < 5; i++) yield* store(flag, i);
    yield* spinUnlock(a);
  }

  it('finds the handler that takes a lock held by what it interrupted', () => {
    const violation = withInterrupt(plain, { lockdep: false });
    expect(violation?.kind).toBe('self-deadlock');
    expect(violation?.message).toBe('interrupt took lock_a held by the code it interrupted');
    expect(violation?.stacks.map((s) => s.context)).toEqual(['test timer', 'task0']);
    expect(violation?.stacks[1].frames.map((f) => f.name)).toContain('plain');
  });

  it('finds the missing irq-disable without the deadlock', () => {
    expect(withInterrupt(plain, {})?.kind).toMatch(/irq-unsafe-lock|self-deadlock/);
  });

  it('is content when interrupts are off', () => {
    function* safe(): Op<void> {
      const flags = yield* spinLockIrqsave(a);
      for (let i = 0; i < 5; i++) yield* store(flag, i);
      yield* spinUnlockIrqrestore(a, flags);
    }
    expect(withInterrupt(safe, {})).toBeNull();
  });
});

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
