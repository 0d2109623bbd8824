// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import type { FunctionPointer, Op } from '../src/index.js';
import * as cpu from '../src/index.js';
import {
  access,
  atomicAddNegative,
  atomicAddUnless,
  atomicCmpxchg,
  atomicDecAndTest,
  atomicFetchAdd,
  atomicIncNotZero,
  atomicIncReturn,
  atomicRead,
  atomicSet,
  atomicXchg,
  clearBit,
  code,
  defineWord,
  functionPointer,
  PRIMITIVES,
  runSequentially,
  SequentialEngine,
  setBit,
  testAndClearBit,
  testAndSetBit,
  testBit,
} from '../src/index.js';

const word = defineWord('primitives.test');

/** Runs on a word that holds `start`; returns what the primitive gave and what the word holds after. */
function on<T>(start: number, op: () => Op<T>): [T, number] {
  return runSequentially(function* () {
    yield* atomicSet(word, start);
    const result = yield* op();
    return [result, yield* atomicRead(word)] as [T, number];
  });
}

describe('read-modify-write primitives', () => {
  it.each<[string, number, () => Op<unknown>, unknown, number]>([
    [
      'atomic_inc_return gives the new value',
      41,
      function* () {
        return yield* atomicIncReturn(word);
      },
      42,
      42,
    ],
    [
      'atomic_fetch_add gives the old value',
      41,
      function* () {
        return yield* atomicFetchAdd(2, word);
      },
      41,
      43,
    ],
    [
      'atomic_dec_and_test is true at zero',
      1,
      function* () {
        return yield* atomicDecAndTest(word);
      },
      true,
      0,
    ],
    [
      'atomic_dec_and_test is false above',
      2,
      function* () {
        return yield* atomicDecAndTest(word);
      },
      false,
      1,
    ],
    [
      'atomic_add_negative is true below zero',
      0,
      function* () {
        return yield* atomicAddNegative(-1, word);
      },
      true,
      -1,
    ],
    [
      'atomic_inc_not_zero leaves zero alone',
      0,
      function* () {
        return yield* atomicIncNotZero(word);
      },
      false,
      0,
    ],
    [
      'atomic_inc_not_zero takes one more',
      3,
      function* () {
        return yield* atomicIncNotZero(word);
      },
      true,
      4,
    ],
    [
      'atomic_add_unless stops at its value',
      7,
      function* () {
        return yield* atomicAddUnless(word, 5, 7);
      },
      false,
      7,
    ],
    [
      'atomic_xchg gives the old value',
      7,
      function* () {
        return yield* atomicXchg(word, 9);
      },
      7,
      9,
    ],
    [
      'atomic_cmpxchg stores on a match',
      2,
      function* () {
        return yield* atomicCmpxchg(word, 2, 0);
      },
      2,
      0,
    ],
    [
      'atomic_cmpxchg leaves a mismatch',
      3,
      function* () {
        return yield* atomicCmpxchg(word, 2, 0);
      },
      3,
      3,
    ],
    [
      'test_and_set_bit gives the old bit',
      0,
      function* () {
        return yield* testAndSetBit(31, word);
      },
      false,
      1 << 31,
    ],
    [
      'test_and_set_bit on a set bit',
      4,
      function* () {
        return yield* testAndSetBit(2, word);
      },
      true,
      4,
    ],
    [
      'test_and_clear_bit gives the old bit',
      5,
      function* () {
        return yield* testAndClearBit(2, word);
      },
      true,
      1,
    ],
    [
      'test_and_clear_bit on a clear bit',
      1,
      function* () {
        return yield* testAndClearBit(2, word);
      },
      false,
      1,
    ],
    [
      'set_bit and clear_bit',
      1,
      function* () {
        yield* setBit(4, word);
        yield* clearBit(0, word);
        return yield* testBit(4, word);
      },
      true,
      16,
    ],
    [
      'arithmetic wraps at 32 bits',
      0x7fffffff,
      function* () {
        return yield* atomicIncReturn(word);
      },
      -0x80000000,
      -0x80000000,
    ],
  ])('%s', (_name, start, op, result, after) => {
    expect(on(start, op)).toEqual([result, after]);
  });
});

describe('the table', () => {
  it('names each primitive once', () => {
    expect(new Set(PRIMITIVES.map((p) => p.name)).size).toBe(PRIMITIVES.length);
  });

  it('orders as the kernel documents: value-returning atomics are full, set_bit and atomic_add order nothing', () => {
    const orderOf = (name: string): string => PRIMITIVES[cpu.code(name)].order;
    const full = [
      'atomic_add_return',
      'atomic_fetch_add',
      'atomic_add_and_test',
      'atomic_add_unless',
      'atomic_xchg',
      'atomic_cmpxchg',
      'test_and_set_bit',
      'test_and_clear_bit',
    ];
    expect(full.map(orderOf)).toEqual(full.map(() => 'full'));
    expect(['set_bit', 'clear_bit', 'atomic_add', 'atomic_cmpxchg_relaxed'].map(orderOf)).toEqual([
      'relaxed',
      'relaxed',
      'relaxed',
      'relaxed',
    ]);
    expect(['spin_lock', 'test_and_set_bit_lock', 'smp_load_acquire'].map(orderOf)).toEqual([
      'acquire',
      'acquire',
      'acquire',
    ]);
    expect(['spin_unlock', 'clear_bit_unlock', 'rcu_assign_pointer'].map(orderOf)).toEqual([
      'release',
      'release',
      'release',
    ]);
  });

  it('says of every read-modify-write what it computes and what it returns', () => {
    for (const p of PRIMITIVES) {
      expect(p.event === 'RMW', p.name).toBe(p.operation !== undefined);
      expect(p.event === 'RMW', p.name).toBe(p.result !== undefined);
    }
  });
});

describe('call_rcu() on the sequential engine', () => {
  const CALL = code('call_rcu');
  const order: number[] = [];
  const note: FunctionPointer<unknown> = functionPointer('note', function* (head: number): Op<void> {
    order.push(head);
    if (head < 3) yield* access<void>(CALL, head + 10, note);
  });

  it('invokes callbacks in order when the code ends outside every reader', () => {
    const engine = new SequentialEngine();
    order.length = 0;
    engine.run(
      (function* () {
        yield* access<void>(code('rcu_read_lock'), 0);
        yield* access<void>(CALL, 1, note);
        yield* access<void>(CALL, 2, note);
      })(),
    );
    expect(order).toEqual([]);
    engine.run(
      (function* () {
        yield* access<void>(code('rcu_read_unlock'), 0);
      })(),
    );
    expect(order).toEqual([1, 2, 11, 12]);
  });
});
