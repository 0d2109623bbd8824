// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import {
  defineWord,
  initFutex,
  load,
  poke,
  releaseAndWake,
  releaseShared,
  sleepUntilShared,
  sleepUntilTaken,
  store,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

/*
 * The spin locks of the native build, for who has spun in vain: the code that real threads run, over the model of `Atomics.wait` and `Atomics.notify` that is
 * futex.ts of cpu. All begins with the lock held, so that the others come too late to take it at once.
 */

const lock: Ref<number> = defineWord('a_sleeping_lock');
const inside: Ref<number> = defineWord('inside');

/** Boots with the lock in the hands of the first thread: its word is `value`. */
const heldAtFirst = (value: number) =>
  function* (): Op<void> {
    initFutex();
    poke(lock, value);
  };

function* takeAndRelease(mine: number, all: boolean): Op<void> {
  yield* sleepUntilTaken(lock, mine);
  // Plain accesses: were two inside at a time, it would be a data race too.
  const others = yield* load(inside);
  assertThat(others === 0, 'nobody else is inside');
  yield* store(inside, mine);
  yield* store(inside, 0);
  yield* releaseAndWake(lock, all);
}

function* shareAndRelease(): Op<void> {
  yield* sleepUntilShared(lock);
  assertThat((yield* load(inside)) === 0, 'no writer is inside');
  yield* releaseShared(lock);
}

export const sleepingLockScenarios: readonly Scenario[] = [
  scenario({
    name: 'sleeping-lock',
    facts: [],
    summary: 'two threads sleep until a spin lock is free, and each must be woken once the one before has left',
    source: 'U. Drepper, "Futexes Are Tricky" (2011), mutex 2; packages/cpu/src/sleeping-lock.ts',
    properties: ['I7'],
    setup: heldAtFirst(1),
    threads: {
      *holder() {
        yield* releaseAndWake(lock, false);
      },
      first: () => takeAndRelease(2, false),
      second: () => takeAndRelease(3, false),
    },
    guards: [
      always('sleepUntilTaken.saySoAgain', 'lost-wakeup'),
      always('sleepUntilTaken.sayBefore', 'lost-wakeup'),
      always('sleepOnWord.compare', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'sleeping-rwlock',
    facts: [],
    summary: 'a writer and a reader sleep until the last reader, or the writer, of an rwlock has left',
    source: 'packages/cpu/src/sleeping-lock.ts',
    properties: ['I7'],
    setup: heldAtFirst(-1),
    threads: {
      *reader() {
        yield* releaseShared(lock);
      },
      writer: () => takeAndRelease(2, true),
      late: shareAndRelease,
    },
    guards: [always('sleepUntilTaken.sayBefore', 'lost-wakeup'), always('sleepOnWord.compare', 'lost-wakeup')],
  }),
];
