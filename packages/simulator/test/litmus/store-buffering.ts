// SPDX-License-Identifier: MIT
import {
  atomicAddReturn,
  atomicXchgAcquire,
  smpMb,
  smpRmb,
  smpStoreMb,
  smpWmb,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { bothZero, lockA, lockB, R, type Shape, storeThenLoad, W, x, y, z } from './threads.js';

/** Each of two threads stores, and loads what the other stores: SB. */
export const storeBuffering: readonly Shape[] = [
  {
    name: 'SB',
    threads: [storeThenLoad(x, y, 'a', null), storeThenLoad(y, x, 'b', null)],
    weird: bothZero,
    in: ['tso', 'weak'],
  },
  {
    name: 'SB+wmb+rmb',
    threads: [storeThenLoad(x, y, 'a', smpWmb), storeThenLoad(y, x, 'b', smpRmb)],
    weird: bothZero,
    in: ['tso', 'weak'],
  },
  {
    name: 'SB+mb+po',
    threads: [storeThenLoad(x, y, 'a', smpMb), storeThenLoad(y, x, 'b', null)],
    weird: bothZero,
    in: ['tso', 'weak'],
  },
  {
    name: 'SB+mbs',
    threads: [storeThenLoad(x, y, 'a', smpMb), storeThenLoad(y, x, 'b', smpMb)],
    weird: bothZero,
    in: [],
  },
  {
    name: 'SB+store-mbs',
    threads: [[x, y, 'a'] as const, [y, x, 'b'] as const].map(
      ([mine, other, reg]) =>
        function* (r) {
          yield* smpStoreMb(mine, 1);
          r[reg] = yield* R(other);
        },
    ),
    weird: bothZero,
    in: [],
  },
  {
    name: 'SB+xchg-acquire (the write part of an acquire orders nothing)',
    threads: [[x, y, 'a'] as const, [y, x, 'b'] as const].map(
      ([mine, other, reg]) =>
        function* (r) {
          yield* atomicXchgAcquire(mine, 1);
          r[reg] = yield* R(other);
        },
    ),
    weird: bothZero,
    in: ['weak'],
  },
  {
    name: 'SB+full-rmw',
    threads: [[x, y, 'a'] as const, [y, x, 'b'] as const].map(
      ([mine, other, reg]) =>
        function* (r) {
          yield* W(mine, 1);
          yield* atomicAddReturn(1, z);
          r[reg] = yield* R(other);
        },
    ),
    weird: bothZero,
    in: [],
  },
  {
    name: 'SB with unlock-lock between (unlock is no full barrier)',
    threads: [[x, y, 'a', lockA] as const, [y, x, 'b', lockB] as const].map(
      ([mine, other, reg, lock]) =>
        function* (r) {
          yield* spinLock(lock);
          yield* W(mine, 1);
          yield* spinUnlock(lock);
          r[reg] = yield* R(other);
        },
    ),
    weird: bothZero,
    in: ['tso', 'weak'],
  },
];
