// SPDX-License-Identifier: MIT
import type { Access, Op, Ref } from '@lockless/cpu';
import {
  atomicAddReturn,
  atomicXchgAcquire,
  atomicXchgRelaxed,
  atomicXchgRelease,
  definePerCpuWord,
  defineWord,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  type SpinLock,
  smpLoadAcquire,
  smpMb,
  smpRmb,
  smpStoreMb,
  smpStoreRelease,
  smpWmb,
  spinLock,
  spinUnlock,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MemoryModel } from '../src/index.js';
import { Machine } from '../src/index.js';

const x = defineWord('litmus_x');
const y = defineWord('litmus_y');
const z = defineWord('litmus_z');
const p = defineWord('litmus_p');
const own = definePerCpuWord('litmus_own');
const lockA: Ref<SpinLock> = defineWord<SpinLock>('litmus_lock_a');
const lockB: Ref<SpinLock> = defineWord<SpinLock>('litmus_lock_b');

type Thread = (r: Record<string, number>) => Op<void>;
const W = (ref: Ref<number>, value: number) => writeOnce(ref, value);
const R = (ref: Ref<number>) => readOnce(ref);

interface Shape {
  name: string;
  threads: Thread[];
  /** The outcome in question, over registers and the final x, y, z. */
  weird: (r: Record<string, number>) => boolean;
  /** Modes that must show it; no other mode may. */
  in: MemoryModel[];
}

/** Rounds in which an outcome that must appear may do so, and rounds in which one that must not is looked for. */
const CHANCES = 10_000;
const TRIALS = { sc: 50, tso: 200, weak: 600 };

/** Neither the start nor the end of a task, which are full barriers, may stand next to the shape. */
function* linger(own: Ref<number>, thread: Op<void>): Op<void> {
  for (let i = 0; i < 4; i++) yield* R(own);
  yield* thread;
  for (let i = 0; i < 8; i++) yield* R(own);
}

/** Whether the outcome appears. */
function appears(shape: Shape, model: MemoryModel, seed: number): boolean {
  const machine = new Machine({ cpus: 4, model, seed, runLength: 2, timerTick: 1e9 });
  const { words } = machine.heap;
  const rounds = shape.in.includes(model) ? CHANCES : TRIALS[model];
  for (let round = 0; round < rounds; round++) {
    const r: Record<string, number> = {};
    machine.spawn('reset', function* () {
      for (const word of [x, y, z, p]) yield* W(word, 0);
    });
    machine.run();
    for (const [cpu, thread] of shape.threads.entries())
      machine.spawn(`P${cpu}`, () => linger(own(cpu), thread(r)), { cpu });
    const outcome = machine.run();
    expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
    if (shape.weird({ ...r, x: words[x], y: words[y], z: words[z] })) return true;
  }
  return false;
}

/** Two stores by one CPU, with something between. */
const writer = (
  between: (() => Access<void>) | null,
  last: (ref: Ref<number>, value: number) => Access<unknown> = W,
): Thread =>
  function* () {
    yield* W(x, 1);
    if (between !== null) yield* between();
    yield* last(y, 1);
  };
const reader = (between: (() => Access<void>) | null, first: (ref: Ref<number>) => Access<number> = R): Thread =>
  function* (r) {
    r.a = yield* first(y);
    if (between !== null) yield* between();
    r.b = yield* R(x);
  };
const stale = (r: Record<string, number>) => r.a === 1 && r.b === 0;
const storeThenLoad = (
  mine: Ref<number>,
  other: Ref<number>,
  reg: string,
  fence: (() => Access<void>) | null,
): Thread =>
  function* (r) {
    yield* W(mine, 1);
    if (fence !== null) yield* fence();
    r[reg] = yield* R(other);
  };
const bothZero = (r: Record<string, number>) => r.a === 0 && r.b === 0;
const twoStores = (first: Ref<number>, second: Ref<number>, fence: (() => Access<void>) | null): Thread =>
  function* () {
    yield* W(first, 1);
    if (fence !== null) yield* fence();
    yield* W(second, 2);
  };

const shapes: Shape[] = [
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

describe.each(['sc', 'tso', 'weak'] as const)('litmus shapes, %s', (model) => {
  it.each(shapes.map((shape) => [shape.name, shape] as const))('%s', (_, shape) => {
    expect(appears(shape, model, 7)).toBe(shape.in.includes(model));
  });
});
