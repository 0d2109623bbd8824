// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { cpuRelax, defineGuard, defineWord, enterIdle, readOnce, writeOnce } from '@lockless/cpu';
import { bootUrcuQsbr, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { always, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertNotBothSides, seeXThenY, x, y } from './guarantee.js';
import { deadReader } from './urcu-death.js';

/*
 * Threads whose readers say nothing, natively: who says for them that they are in none, so that forgetting it is not possible. Every reader of these programs says
 * at its end that its thread is in none, as it is with every 256th of a real one.
 */

const source = 'urcu-qsbr.ts: ours; liburcu leaves it to the program';
const common = { facts: [], source, properties: ['I11'] } as const;
const over: Ref<number> = defineWord('over');

const machineTells = defineGuard('machine.enterIdle', 'a thread sleeps, and its machine does not say so');

function* update(): Op<void> {
  yield* writeOnce(x, 1);
  yield* synchronizeRcu();
  yield* writeOnce(y, 1);
}

function* inner(): Op<void> {
  yield* rcuReadLock();
  yield* rcuReadUnlock();
}

function* untilOver(): Op<void> {
  while ((yield* readOnce(over)) === 0) yield* cpuRelax();
}

/** A look at both words with something in between, in one reader. */
function* lookAround(between: () => Op<void>): Op<{ x: number; y: number }> {
  yield* rcuReadLock();
  const seen = yield* readOnce(x);
  yield* between();
  const both = { x: seen, y: yield* readOnce(y) };
  yield* rcuReadUnlock();
  return both;
}

function* updateAndEnd(): Op<void> {
  yield* update();
  yield* writeOnce(over, 1);
}

function* readBoth(): Op<void> {
  yield* rcuReadLock();
  yield* seeXThenY();
  yield* rcuReadUnlock();
}

export const urcuQsbrThreadScenarios: readonly Scenario[] = [
  scenario({
    ...common,
    name: 'urcu-qsbr-inner-readers',
    summary: 'two readers one after the other within a third, each of which could say that its thread is in none',
    setup: () => bootUrcuQsbr(2, 1),
    threads: {
      *reader() {
        const seen = yield* lookAround(function* () {
          yield* inner();
          yield* inner();
        });
        yield* enterIdle();
        return seen;
      },
      updater: update,
    },
    *finally(_shared, { results, reach }) {
      assertNotBothSides(results.reader);
      const seen = results.reader as { x: number; y: number };
      reach(`x=${seen.x} y=${seen.y}`);
    },
    mustReach: ['x=0 y=0', 'x=1 y=1'],
    guards: [
      always('urcuQsbrReadUnlock.outermost', 'assertion'),
      always('urcuQsbrReadLock.online', 'assertion'),
      whereStoresWait('rcuThreadOnline.smp_mb', 'assertion'),
    ],
  }),
  scenario({
    ...common,
    name: 'urcu-qsbr-reads-on',
    summary: 'a thread reads again and again until an updater is over, which waits for a grace period',
    setup: () => bootUrcuQsbr(2, 1),
    threads: {
      *reader() {
        for (;;) {
          yield* rcuReadLock();
          const end = yield* readOnce(y);
          yield* rcuReadUnlock();
          if (end !== 0) break;
          yield* cpuRelax();
        }
        yield* enterIdle();
      },
      updater: update,
    },
    guards: [always('urcuQsbrReadUnlock.statement', 'livelock')],
  }),
  scenario({
    ...common,
    name: 'urcu-qsbr-sleeps',
    summary: 'a thread reads, and then sleeps until an updater is over, which waits for a grace period',
    setup: () => bootUrcuQsbr(2),
    threads: {
      *reader() {
        yield* readBoth();
        if (machineTells()) yield* enterIdle();
        yield* untilOver();
      },
      updater: updateAndEnd,
    },
    guards: [always('machine.enterIdle', 'livelock')],
  }),
  scenario({
    ...common,
    name: 'urcu-qsbr-sleeps-inside',
    summary: 'a thread sleeps in the middle of a reader, on a spin lock say, while an updater waits for a grace period',
    setup: () => bootUrcuQsbr(2),
    threads: {
      *reader() {
        const seen = yield* lookAround(enterIdle);
        yield* enterIdle();
        return seen;
      },
      updater: update,
    },
    *finally(_shared, { results }) {
      assertNotBothSides(results.reader);
    },
    guards: [
      always('rcuThreadOffline.notInReader', 'assertion'),
      whereStoresWait('rcuThreadOnline.smp_mb', 'assertion'),
    ],
  }),
  scenario({
    ...common,
    name: 'urcu-qsbr-store-then-sleep',
    summary: 'a reader stores, and its thread goes to sleep; an updater that waited for it sees the store',
    setup: () => bootUrcuQsbr(2, 2),
    threads: {
      *reader() {
        yield* rcuReadLock();
        const seen = yield* readOnce(x);
        yield* writeOnce(y, 1);
        yield* rcuReadUnlock();
        yield* enterIdle();
        return seen;
      },
      *updater() {
        yield* writeOnce(x, 1);
        yield* synchronizeRcu();
        return yield* readOnce(y);
      },
    },
    *finally(_shared, { results, reach }) {
      const seen = { x: results.reader as number, y: results.updater === 0 ? 1 : 0 };
      assertNotBothSides(seen);
      if (seen.x === 0) reach('waited for');
    },
    mustReach: ['waited for'],
    races: 'report',
    guards: [weakOnly('rcuThreadOffline.smp_store_release', 'assertion')],
  }),
  scenario({
    ...common,
    name: 'urcu-qsbr-readers-wait',
    summary: 'two threads have read, and each waits for a grace period',
    setup: () => bootUrcuQsbr(2),
    threads: {
      *first() {
        yield* inner();
        yield* synchronizeRcu();
      },
      *second() {
        yield* inner();
        yield* synchronizeRcu();
      },
    },
    guards: [always('urcuSynchronizeRcu.offline', 'livelock')],
  }),
  scenario({
    ...common,
    name: 'urcu-qsbr-dead-reader',
    summary: 'a thread dies anywhere in two readers or between them; another is told, and waits for a grace period',
    setup: () => bootUrcuQsbr(2, 2),
    ...deadReader(function* () {
      yield* readBoth();
      yield* readBoth();
      yield* enterIdle();
    }, 24),
  }),
];
