// SPDX-License-Identifier: GPL-2.0-only
import { readOnce, writeOnce } from '@lockless/cpu';
import { callRcu, rcuInit, rcuNoteContextSwitch, rcuProcessCallbacks, rcuStatistics } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import {
  A,
  assertNoStall,
  B,
  COMPLETED_ACQUIRE,
  COMPLETED_RELEASE,
  head,
  loadY,
  onCpu,
  otherHead,
  sawY,
  seeAcrossTick,
  source,
  storeNothing,
  storeY,
  thirdHead,
  tick,
  ticks,
} from './classic-machine.js';
import { assertNotBothSides, seeXThenY, x, y } from './guarantee.js';
import { reader } from './rcu-under-test.js';

/*
 * The guarantee of classic RCU. No tick comes within a reader unless the program says so. Each program has the ticks that one grace period takes, so it
 * ends in some of the executions; where it does, the guarantee must hold. Between them these programs show for each barrier of rcuclassic.ts
 * whether it is needed.
 */

/** The guarantee, with the grace period's whole mechanism between x and y. */
const gracePeriod: Scenario = scenario({
  name: 'classic-before-and-after',
  facts: [],
  summary:
    'one CPU reads between its ticks, another stores x and has a callback store y, in the ticks that a grace period takes',
  source,
  properties: ['I11'],
  setup: () => rcuInit(2),
  threads: {
    *reader() {
      yield* tick();
      const seen = yield* reader(seeXThenY);
      yield* ticks(2);
      return seen;
    },
    *updater() {
      yield* writeOnce(x, 1);
      yield* callRcu(head, storeY);
      yield* ticks(3);
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    assertNoStall();
    if (rcuStatistics().callbacksInvoked > 0)
      reach((results.reader as { x: number }).x === 0 ? 'waited for' : 'came later');
  },
  mustReach: ['waited for', 'came later'],
  races: 'report',
  guards: [
    // The lock under which a CPU reports orders what A and B order elsewhere.
    notNeeded(A),
    notNeeded(B),
    notNeeded(COMPLETED_ACQUIRE),
    notNeeded(COMPLETED_RELEASE),
    notNeeded('startBatch.smp_mb'),
    notNeeded('startBatch.smp_wmb'),
  ],
});

/** The other direction: what a reader stored is there for the callback. */
const readersStoreClassic: Scenario = scenario({
  name: 'classic-readers-store',
  facts: [],
  summary: 'one CPU loads x and stores y between its ticks, another stores x and has a callback load y',
  source,
  properties: ['I11'],
  setup: () => rcuInit(2),
  threads: {
    *reader() {
      yield* tick();
      const seen = yield* reader(function* () {
        const value = yield* readOnce(x);
        yield* writeOnce(y, 1);
        return value;
      });
      yield* ticks(2);
      return seen;
    },
    *updater() {
      yield* writeOnce(x, 1);
      yield* callRcu(head, loadY);
      yield* ticks(3);
    },
  },
  *finally(_shared, { results, reach }) {
    const waitedFor = rcuStatistics().callbacksInvoked > 0 && results.reader === 0;
    assertThat(
      !waitedFor || (yield* readOnce(sawY)) === 1,
      'a reader that began before the grace period has not ended after it',
    );
    if (waitedFor) reach('waited for');
  },
  mustReach: ['waited for'],
  races: 'report',
  guards: [
    weakOnly(COMPLETED_ACQUIRE, 'assertion'),
    // A comes before the store as well.
    notNeeded(COMPLETED_RELEASE),
    notNeeded(A),
  ],
});

/** The reader begins after a quiescent state that its CPU has not reported yet, and a tick within it does so. */
const tickWithinReader: Scenario = scenario({
  name: 'classic-tick-within-reader',
  facts: [],
  summary:
    'a CPU learns of a batch, switches tasks, and reports that from a tick within the next reader, for which nobody waits',
  source,
  properties: ['I11'],
  setup: () => rcuInit(2),
  threads: {
    *reader() {
      yield* tick(false);
      // The scheduler's barriers left out.
      yield* rcuNoteContextSwitch();
      return yield* reader(seeAcrossTick);
    },
    *updater() {
      yield* writeOnce(x, 1);
      yield* callRcu(head, storeY);
      yield* ticks(3);
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    if ((results.reader as { y: number }).y === 1) reach('not waited for');
  },
  mustReach: ['not waited for'],
  races: 'report',
  guards: [weakOnly(B, 'assertion'), notNeeded(A), notNeeded('startBatch.smp_wmb')],
});

/** A quiescent state from before the batch says nothing of a reader that began after it. */
const olderQuiescentState: Scenario = scenario({
  name: 'classic-older-quiescent-state',
  facts: [],
  summary: 'a CPU learns of a batch within a reader, and switched tasks before it',
  source,
  properties: ['I11'],
  setup: () => rcuInit(2),
  threads: {
    *reader() {
      yield* rcuNoteContextSwitch();
      const seen = yield* reader(function* () {
        const value = yield* readOnce(x);
        yield* tick(false);
        yield* tick(false);
        return { x: value, y: yield* readOnce(y) };
      });
      yield* ticks(1);
      return seen;
    },
    *updater() {
      yield* writeOnce(x, 1);
      yield* callRcu(head, storeY);
      yield* ticks(3);
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    const { x: seen } = results.reader as { x: number };
    if (seen === 0 && rcuStatistics().callbacksInvoked > 0) reach('waited for');
  },
  mustReach: ['waited for'],
  races: 'report',
  guards: [always('checkQuiescentState.forgetOlder', 'assertion'), always('rcuCheckCallbacks.userOnly', 'assertion')],
});

/** A CPU whose callbacks join a batch that is wanted already: it takes no lock, so nothing but A orders its removal and the batch. */
const joinsWantedBatch: Scenario = scenario({
  name: 'classic-joins-wanted-batch',
  facts: [],
  summary: 'the callback of one CPU joins the batch that a second wants and a third CPU has to learn of',
  source,
  properties: ['I11'],
  *setup() {
    yield* rcuInit(3);
    // A batch of CPU 2 is in progress and waits for CPU 2 alone. CPU 0 wants the next.
    yield* onCpu(2, callRcu(head, storeNothing));
    yield* onCpu(2, rcuProcessCallbacks());
    yield* callRcu(otherHead, storeNothing);
    yield* ticks(2);
    yield* onCpu(1, ticks(2));
  },
  threads: {
    *reader() {
      yield* tick(false);
      yield* rcuNoteContextSwitch();
      return yield* reader(seeAcrossTick);
    },
    *updater() {
      yield* writeOnce(x, 1);
      yield* callRcu(thirdHead, storeY);
      yield* ticks(3);
    },
    *starter() {
      yield* ticks(3);
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    if ((results.reader as { y: number }).y === 1) reach('not waited for');
  },
  mustReach: ['not waited for'],
  guards: [
    whereStoresWait(A, 'assertion'),
    weakOnly(B, 'assertion'),
    always('nxtlistBecomesBatch.nextBatch', 'assertion'),
  ],
});

export const classicScenarios: readonly Scenario[] = [
  gracePeriod,
  readersStoreClassic,
  tickWithinReader,
  olderQuiescentState,
  joinsWantedBatch,
];
