// SPDX-License-Identifier: MIT
import type { Ref } from '@lockless/cpu';
import {
  atomicXchgRelaxed,
  atomicXchgRelease,
  rcuAssignPointer,
  rcuDereference,
  smpLoadAcquire,
  smpMb,
  smpRmb,
  smpStoreRelease,
  smpWmb,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { lockA, lockB, p, R, reader, type Shape, stale, W, writer, x, y, z } from './threads.js';

/** One thread stores data and then a flag, the other loads the flag and then the data: MP. */
export const messagePassing: readonly Shape[] = [
  { name: 'MP', threads: [writer(null), reader(null)], weird: stale, in: ['weak'] },
  { name: 'MP+wmb+po', threads: [writer(smpWmb), reader(null)], weird: stale, in: ['weak'] },
  { name: 'MP+po+rmb', threads: [writer(null), reader(smpRmb)], weird: stale, in: ['weak'] },
  { name: 'MP+wmb+rmb', threads: [writer(smpWmb), reader(smpRmb)], weird: stale, in: [] },
  { name: 'MP+mbs', threads: [writer(smpMb), reader(smpMb)], weird: stale, in: [] },
  {
    name: 'MP+release+acquire',
    threads: [writer(null, smpStoreRelease), reader(null, smpLoadAcquire)],
    weird: stale,
    in: [],
  },
  { name: 'MP+release+po', threads: [writer(null, smpStoreRelease), reader(null)], weird: stale, in: ['weak'] },
  { name: 'MP+po+acquire', threads: [writer(null), reader(null, smpLoadAcquire)], weird: stale, in: ['weak'] },
  { name: 'MP+release+rmb', threads: [writer(null, smpStoreRelease), reader(smpRmb)], weird: stale, in: [] },
  { name: 'MP+wmb+acquire', threads: [writer(smpWmb), reader(null, smpLoadAcquire)], weird: stale, in: [] },
  { name: 'MP+rmb+wmb (the wrong ones)', threads: [writer(smpRmb), reader(smpWmb)], weird: stale, in: ['weak'] },
  { name: 'MP+xchg-release+rmb', threads: [writer(null, atomicXchgRelease), reader(smpRmb)], weird: stale, in: [] },
  {
    name: 'MP+xchg-relaxed+rmb',
    threads: [writer(null, atomicXchgRelaxed), reader(smpRmb)],
    weird: stale,
    in: ['weak'],
  },
  {
    name: 'MP+wmb-xchg-relaxed+rmb',
    threads: [writer(smpWmb, atomicXchgRelaxed), reader(smpRmb)],
    weird: stale,
    in: [],
  },
  {
    name: 'MP+assign-pointer+dereference',
    threads: [
      function* () {
        yield* W(x, 1);
        yield* rcuAssignPointer(p, x);
      },
      function* (r) {
        const at = (yield* rcuDereference(p)) as Ref<number>;
        r.b = (at as number) === 0 ? -1 : yield* R(at);
      },
    ],
    weird: (r) => r.b === 0,
    in: [],
  },
  {
    name: 'MP+assign-pointer+READ_ONCE of a pointer (an address dependency)',
    threads: [
      function* () {
        yield* W(x, 1);
        yield* rcuAssignPointer(p, x);
      },
      function* (r) {
        const at = (yield* R(p)) as Ref<number>;
        r.b = (at as number) === 0 ? -1 : yield* R(at);
      },
    ],
    weird: (r) => r.b === 0,
    in: [],
  },
  {
    name: 'MP+plain-pointer+dereference (published without a release)',
    threads: [
      function* () {
        yield* W(x, 1);
        yield* W(p, x);
      },
      function* (r) {
        const at = (yield* rcuDereference(p)) as Ref<number>;
        r.b = (at as number) === 0 ? -1 : yield* R(at);
      },
    ],
    weird: (r) => r.b === 0,
    in: ['weak'],
  },
  {
    name: 'MP+wmb+data-rfi-addr',
    threads: [
      writer(smpWmb),
      function* (r) {
        r.a = yield* R(y);
        yield* W(z, r.a === 1 ? x : z);
        const at = (yield* rcuDereference(z)) as Ref<number>;
        r.b = (at as number) === (x as number) ? yield* R(at) : -1;
      },
    ],
    weird: stale,
    in: [],
  },
  {
    name: 'reads in one critical section, then in another, of different locks (po-unlock-lock-po)',
    threads: [
      writer(smpWmb),
      function* (r) {
        yield* spinLock(lockA);
        r.a = yield* R(y);
        yield* spinUnlock(lockA);
        yield* spinLock(lockB);
        r.b = yield* R(x);
        yield* spinUnlock(lockB);
      },
    ],
    weird: stale,
    in: [],
  },
];
