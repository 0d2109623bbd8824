// SPDX-License-Identifier: MIT
import { smpMb, smpWmb } from '@lockless/cpu';
import { R, type Shape, twoStores, W, x, y } from './threads.js';

/** Two threads, and the order in which stores of one word or two become visible: LB, CoRR and the others of one word, 2+2W, S, R. */
export const coherence: readonly Shape[] = [
  {
    name: 'LB',
    threads: [[x, y, 'a'] as const, [y, x, 'b'] as const].map(
      ([from, to, reg]) =>
        function* (r) {
          r[reg] = yield* R(from);
          yield* W(to, 1);
        },
    ),
    weird: (r) => r.a === 1 && r.b === 1,
    in: [],
  },
  {
    name: 'CoRR',
    threads: [
      function* () {
        yield* W(x, 1);
        yield* W(x, 2);
      },
      function* (r) {
        r.a = yield* R(x);
        r.b = yield* R(x);
        r.c = yield* R(x);
      },
    ],
    weird: (r) => r.a > r.b || r.b > r.c,
    in: [],
  },
  {
    name: 'CoRW, CoWR and CoWW',
    threads: [
      function* (r) {
        r.a = yield* R(x);
        yield* W(x, 1);
        r.b = yield* R(x);
        yield* W(x, 3);
        r.c = yield* R(x);
      },
      function* () {
        yield* W(x, 2);
      },
    ],
    weird: (r) => r.a === 1 || r.b === 0 || r.c < 2 || (r.c === 2 && r.b === 2) || r.x === 1,
    in: [],
  },
  {
    name: '2+2W',
    threads: [twoStores(x, y, null), twoStores(y, x, null)],
    weird: (r) => r.x === 1 && r.y === 1,
    in: ['weak'],
  },
  {
    name: '2+2W+wmbs',
    threads: [twoStores(x, y, smpWmb), twoStores(y, x, smpWmb)],
    weird: (r) => r.x === 1 && r.y === 1,
    in: [],
  },
  {
    name: '2+2W+wmb+po',
    threads: [twoStores(x, y, smpWmb), twoStores(y, x, null)],
    weird: (r) => r.x === 1 && r.y === 1,
    in: ['weak'],
  },
  ...(['po', 'wmb'] as const).map(
    (fence): Shape => ({
      name: `S+${fence}+data`,
      threads: [
        function* () {
          yield* W(x, 2);
          if (fence === 'wmb') yield* smpWmb();
          yield* W(y, 1);
        },
        function* (r) {
          r.a = yield* R(y);
          yield* W(x, 1);
        },
      ],
      weird: (r) => r.a === 1 && r.x === 2,
      in: fence === 'po' ? ['weak'] : [],
    }),
  ),
  ...(
    [
      ['wmb', 'po'],
      ['po', 'mb'],
      ['wmb', 'mb'],
      ['mb', 'mb'],
    ] as const
  ).map(
    ([first, second]): Shape => ({
      name: `R+${first}+${second}`,
      threads: [
        function* () {
          yield* W(x, 1);
          if (first === 'wmb') yield* smpWmb();
          if (first === 'mb') yield* smpMb();
          yield* W(y, 1);
        },
        function* (r) {
          yield* W(y, 2);
          if (second === 'mb') yield* smpMb();
          r.a = yield* R(x);
        },
      ],
      weird: (r) => r.y === 2 && r.a === 0,
      in: second === 'po' ? ['tso', 'weak'] : first === 'po' ? ['weak'] : [],
    }),
  ),
];
