// SPDX-License-Identifier: MIT
import type { Op, Ref } from '@lockless/cpu';
import {
  access,
  code,
  cpuRelax,
  load,
  localIrqDisable,
  mutexLock,
  preemptDisable,
  rawSpinLock,
  rawSpinUnlock,
  readLock,
  readOnce,
  type SpinLock,
  spinLock,
  spinLockIrqsave,
  spinUnlock,
  spinUnlockIrqrestore,
  store,
  writeLock,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MachineOptions, Violation } from '../src/index.js';
import { a, type Body, b, firstViolation, flag, mutex, other, rw } from './first-violation.js';

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
      expect(stack?.frames[1].location).toMatch(/^lock-violations\.test\.ts:\d+$/);
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
