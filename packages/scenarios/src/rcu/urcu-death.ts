// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { defineWord, readOnce, writeOnce } from '@lockless/cpu';
import { bootUrcu, rcuReadLock, rcuReadUnlock, rcuThreadDied, synchronizeRcu } from '@lockless/rcu';
import { always, whereStoresWait } from '../claims.js';
import { awaitDeath, diesSomewhere, sayDead } from '../dying.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertNotBothSides, seeXThenY, x, y } from './guarantee.js';
import { reader } from './rcu-under-test.js';

/* User-space RCU when threads die: natively a worker can be terminated, in a reader as well as in the middle of its grace period. */

const dead: Ref<number> = defineWord('dead');
/** CPU of the first thread of these programs. */
const VICTIM = 0;
const source = 'rcuThreadDied(), urcu-mb.ts: ours';

function* readWord(): Op<void> {
  yield* rcuReadLock();
  yield* readOnce(x);
  yield* rcuReadUnlock();
}

/** A reader that may die at each of its first accesses; another thread is told, and waits for a grace period. */
export const deadReader = (
  reads: () => Op<void>,
  accesses: number,
): Pick<Scenario, 'threads' | 'finally' | 'mustReach' | 'guards'> => ({
  threads: {
    *victim() {
      const lived = yield* diesSomewhere(reads, accesses);
      yield* sayDead(dead);
      return lived;
    },
    *updater() {
      yield* awaitDeath(dead);
      yield* rcuThreadDied(VICTIM);
      yield* synchronizeRcu();
    },
  },
  *finally(_shared, { results, reach }) {
    reach(results.victim ? 'lives' : 'dies');
  },
  mustReach: ['lives', 'dies'],
  guards: [always('rcuThreadDied.reader', 'livelock')],
});

export const urcuDeathScenarios: readonly Scenario[] = [
  scenario({
    name: 'urcu-dead-reader',
    facts: [],
    summary: 'a reader dies anywhere; another thread is told, and waits for a grace period',
    source,
    properties: ['I7', 'I11'],
    setup: () => bootUrcu(2),
    ...deadReader(readWord, 9),
  }),
  scenario({
    name: 'urcu-dead-updater',
    facts: [],
    summary: 'a thread dies anywhere in its grace period, another begins the next one, and a third reads meanwhile',
    source,
    properties: ['I7', 'I11'],
    setup: () => bootUrcu(3),
    threads: {
      *victim() {
        const lived = yield* diesSomewhere(synchronizeRcu, 30);
        yield* sayDead(dead);
        return lived;
      },
      reader: () => reader(seeXThenY),
      *updater() {
        yield* awaitDeath(dead);
        yield* rcuThreadDied(VICTIM);
        yield* writeOnce(x, 1);
        yield* synchronizeRcu();
        yield* writeOnce(y, 1);
      },
    },
    *finally(_shared, { results, reach }) {
      assertNotBothSides(results.reader);
      reach(results.victim ? 'lives' : 'dies');
    },
    mustReach: ['lives', 'dies'],
    guards: [
      always('rcuThreadDied.gpLock', 'livelock'),
      always('updateCounterAndWait.wait', 'assertion'),
      whereStoresWait('urcuMbReadLock.smp_mb', 'assertion'),
    ],
  }),
];
