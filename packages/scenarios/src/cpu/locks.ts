// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  defineStatic,
  defineWord,
  downRead,
  downWrite,
  initRwsem,
  load,
  Mutex,
  mutexInit,
  mutexLock,
  mutexUnlock,
  RwSemaphore,
  store,
  upRead,
  upWrite,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { notNeeded, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

/* Locks that sleep: at most one inside, and nobody sleeps for ever. */

const mutex: Ptr<Mutex> = defineStatic(Mutex, 'a_mutex');
const sem: Ptr<RwSemaphore> = defineStatic(RwSemaphore, 'a_rwsem');
const counter: Ref<number> = defineWord('counter');

function* increment(): Op<void> {
  yield* store(counter, (yield* load(counter)) + 1);
}
function* incrementUnderMutex(): Op<void> {
  yield* mutexLock(mutex);
  yield* increment();
  yield* mutexUnlock(mutex);
}
function* incrementUnderSem(): Op<void> {
  yield* downWrite(sem);
  yield* increment();
  yield* upWrite(sem);
}
/** Two loads with no writer between them. */
function* readUnderSem(): Op<readonly [number, number]> {
  yield* downRead(sem);
  const seen = [yield* load(counter), yield* load(counter)] as const;
  yield* upRead(sem);
  return seen;
}

function* assertCounter(expected: number): Op<void> {
  assertThat((yield* load(counter)) === expected, 'no increment is lost');
}
function assertStable(seen: unknown): void {
  const [first, second] = seen as readonly [number, number];
  assertThat(first === second, 'no writer comes in beside a reader');
}

export const lockScenarios: readonly Scenario[] = [
  scenario({
    name: 'mutex',
    facts: [],
    summary: 'two tasks increment a word under a mutex',
    source: 'kernel/mutex.c, 2.6.27',
    properties: ['I7'],
    setup: () => mutexInit(mutex),
    threads: { first: incrementUnderMutex, second: incrementUnderMutex },
    finally: () => assertCounter(2),
    races: 'report',
    guards: [
      weakOnly('mutexLockBegin.atomic_add_return', 'data-race'),
      weakOnly('mutexUnlock.atomic_xchg', 'data-race'),
      // waitLock orders these.
      notNeeded('lockSlowpath.atomic_xchg'),
      notNeeded('setCurrentState.smp_store_mb'),
    ],
  }),
  scenario({
    name: 'rwsem-two-writers',
    facts: [],
    summary: 'two tasks increment a word under an rw_semaphore',
    source: 'lib/rwsem-spinlock.c, 2.6.27',
    properties: ['I7'],
    setup: () => initRwsem(sem),
    threads: { first: incrementUnderSem, second: incrementUnderSem },
    finally: () => assertCounter(2),
    races: 'report',
    guards: [
      weakOnly('grantWaiters.smp_store_release', 'data-race'),
      // set_current_state(TASK_RUNNING) is a barrier too.
      notNeeded('granted.smp_mb'),
      notNeeded('setCurrentState.smp_store_mb'),
    ],
  }),
  scenario({
    name: 'rwsem-reader-and-writer',
    facts: [],
    summary: 'a reader and a writer of an rw_semaphore',
    source: 'lib/rwsem-spinlock.c, 2.6.27',
    properties: ['I7'],
    setup: () => initRwsem(sem),
    threads: { reader: readUnderSem, writer: incrementUnderSem },
    *finally(_shared, { results }) {
      assertStable(results.reader);
      yield* assertCounter(1);
    },
    races: 'report',
    guards: [
      weakOnly('grantWaiters.smp_store_release', 'data-race'),
      // set_current_state(TASK_RUNNING) is a barrier too.
      notNeeded('granted.smp_mb'),
      notNeeded('setCurrentState.smp_store_mb'),
    ],
  }),
];
