// SPDX-License-Identifier: MIT
import type { Op, Ref, StructOf, Vec } from '@lockless/cpu';
import {
  atomicFetchAdd,
  defineStatic,
  defineWord,
  load,
  readOnce,
  smpLoadAcquire,
  smpMb,
  smpStoreRelease,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import type { Program } from './program.js';

/* Programs of the literature on stateless model checking, whose numbers of executions are known. */

interface Row {
  words: Vec<number>;
}
const Row: StructOf<Row> = struct<Row>('bench_row', { words: 64 });
const row = defineStatic(Row, 'bench_row');
const word = (i: number): Ref<number> => Row.words(row, i);

const nothing = function* (): Op<void> {};

function program(name: string, threads: readonly (() => Op<unknown>)[], setup: () => Op<void> = nothing): Program {
  return { name, setup, threads: Object.fromEntries(threads.map((thread, i) => [`t${i}`, thread])) };
}

const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

/** SB(n): a ring; thread i writes cell i and reads cell i + 1. */
export const storeBuffering = (n: number, fenced = false): Program =>
  program(
    `SB(${n})${fenced ? ' + smp_mb' : ''}`,
    times(
      n,
      (i) =>
        function* () {
          yield* writeOnce(word(i), 1);
          if (fenced) yield* smpMb();
          return yield* readOnce(word((i + 1) % n));
        },
    ),
  );

/** ninc(n): n threads, one fetch_add each on one word. */
export const increments = (n: number): Program =>
  program(
    `ninc(${n})`,
    times(
      n,
      () =>
        function* () {
          return yield* atomicFetchAdd(1, word(0));
        },
    ),
  );

/** readers(n): one thread writes n words once, n threads read one each. */
export const readers = (n: number): Program =>
  program(`readers(${n})`, [
    function* () {
      for (let i = 0; i < n; i++) yield* writeOnce(word(i), 1);
    },
    ...times(
      n,
      (i) =>
        function* () {
          return yield* readOnce(word(i));
        },
    ),
  ]);

/** lastzero(n): updater j does a[j] = a[j - 1] + 1; a scanner walks down from a[n] until it meets a zero. */
export const lastZero = (n: number): Program =>
  program(`lastzero(${n})`, [
    function* () {
      let i = n;
      while ((yield* smpLoadAcquire(word(i))) !== 0) i--;
      return i;
    },
    ...times(
      n,
      (j) =>
        function* () {
          yield* smpStoreRelease(word(j + 1), (yield* smpLoadAcquire(word(j))) + 1);
        },
    ),
  ]);

/** fib_bench(n): two threads, n rounds of x += y and of y += x, by separate loads and stores, from 1, 1. */
export const fibonacci = (n: number): Program =>
  program(
    `fib(${n})`,
    times(
      2,
      (t) =>
        function* () {
          for (let i = 0; i < n; i++)
            yield* writeOnce(word(t), (yield* readOnce(word(t))) + (yield* readOnce(word(1 - t))));
        },
    ),
    function* () {
      yield* store(word(0), 1);
      yield* store(word(1), 1);
    },
  );

const ticket = defineWord('bench_ticket');
const serving = defineWord('bench_serving');
const counter = defineWord('bench_counter');

/** A ticket lock, n threads once each; a plain counter in the critical section. */
export const ticketLock = (n: number): Program =>
  program(
    `ticket(${n})`,
    times(
      n,
      () =>
        function* () {
          const own = yield* atomicFetchAdd(1, ticket);
          while ((yield* smpLoadAcquire(serving)) !== own);
          yield* store(counter, (yield* load(counter)) + 1);
          yield* smpStoreRelease(serving, own + 1);
        },
    ),
  );
