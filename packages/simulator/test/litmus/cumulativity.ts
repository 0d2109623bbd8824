// SPDX-License-Identifier: MIT
import { smpLoadAcquire, smpMb, smpRmb, smpStoreRelease } from '@lockless/cpu';
import { R, reader, type Shape, stale, type Thread, W, x, y, z } from './threads.js';

/** Three and four threads: what one saw of another goes on to a third. WRC, ISA2, IRIW. */
export const cumulativity: readonly Shape[] = [
  {
    name: 'WRC+release+rmb',
    threads: [
      function* () {
        yield* W(x, 1);
      },
      function* (r) {
        r.c = yield* R(x);
        yield* smpStoreRelease(y, 1);
      },
      reader(smpRmb),
    ],
    weird: (r) => r.c === 1 && stale(r),
    in: [],
  },
  {
    name: 'WRC+po+po',
    threads: [
      function* () {
        yield* W(x, 1);
      },
      function* (r) {
        r.c = yield* R(x);
        yield* W(y, 1);
      },
      reader(null),
    ],
    weird: (r) => r.c === 1 && stale(r),
    in: ['weak'],
  },
  {
    name: 'ISA2+release+release+acquire',
    threads: [
      function* () {
        yield* W(x, 1);
        yield* smpStoreRelease(z, 1);
      },
      function* (r) {
        r.c = yield* smpLoadAcquire(z);
        yield* smpStoreRelease(y, 1);
      },
      reader(null, smpLoadAcquire),
    ],
    weird: (r) => r.c === 1 && stale(r),
    in: [],
  },
  ...([null, smpRmb, smpMb] as const).map(
    (fence): Shape => ({
      name: `IRIW+${fence === null ? 'po' : fence === smpRmb ? 'rmb' : 'mb'}`,
      threads: [
        function* () {
          yield* W(x, 1);
        },
        function* () {
          yield* W(y, 1);
        },
        ...[[x, y, 'a', 'b'] as const, [y, x, 'c', 'd'] as const].map(
          ([first, second, i, j]): Thread =>
            function* (r) {
              r[i] = yield* R(first);
              if (fence !== null) yield* fence();
              r[j] = yield* R(second);
            },
        ),
      ],
      weird: (r) => r.a === 1 && r.b === 0 && r.c === 1 && r.d === 0,
      in: fence === null ? ['weak'] : [],
      // LKMM allows it with read barriers; this machine shows a store to all other CPUs at once.
    }),
  ),
];
