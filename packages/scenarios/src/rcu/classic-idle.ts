// SPDX-License-Identifier: GPL-2.0-only
import { writeOnce } from '@lockless/cpu';
import { callRcu, rcuEnterIdle, rcuExitIdle, rcuInit, rcuProcessCallbacks, rcuStatistics } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { A, assertNoStall, head, onCpu, otherHead, source, storeY, thirdHead, tick, ticks } from './classic-machine.js';
import { assertNotBothSides, seeXThenY, x } from './guarantee.js';
import { reader } from './rcu-under-test.js';

/* Classic RCU beside CPUs that sleep without a tick, and grace periods that must not be forgotten. */

/** A CPU that slept without a tick when the batch began: nobody waits for it. */
const wakesUp: Scenario = scenario({
  name: 'classic-wakes-up',
  facts: [],
  summary: 'a CPU that no batch waits for, because it sleeps without a tick, wakes up and reads while a batch goes on',
  source: 'kernel/rcuclassic.c and kernel/time/tick-sched.c, 2.6.27; 2.6.17: "Fix cpu hotplug/nohz race"',
  properties: ['I11'],
  *setup() {
    yield* rcuInit(2);
    // Boot runs on CPU 0, the sleeper.
    assertThat(yield* rcuEnterIdle(), 'RCU lets an idle CPU sleep');
  },
  threads: {
    *sleeper() {
      yield* rcuExitIdle();
      return yield* reader(seeXThenY);
    },
    *updater() {
      yield* writeOnce(x, 1);
      yield* callRcu(head, storeY);
      yield* ticks(3);
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.sleeper);
    if (rcuStatistics().callbacksInvoked > 0) reach('nobody waited');
  },
  mustReach: ['nobody waited'],
  races: 'report',
  guards: [
    weakOnly('rcuExitIdle.smp_mb__after_atomic', 'assertion'),
    // Either of the two is enough.
    notNeeded(A),
    notNeeded('startBatch.smp_mb'),
  ],
});

/** And one that falls asleep just then. */
const fallsAsleep: Scenario = scenario({
  name: 'classic-falls-asleep',
  facts: [],
  summary: 'a CPU stops its tick while another starts a batch, which must not wait for it',
  source: 'kernel/rcuclassic.c and kernel/time/tick-sched.c, 2.6.27',
  properties: ['I7'],
  setup: () => rcuInit(2),
  threads: {
    idle: rcuEnterIdle,
    *updater() {
      yield* callRcu(head, storeY);
      yield* ticks(1);
    },
  },
  *finally(_shared, { results, reach }) {
    assertNoStall();
    reach(results.idle === true ? 'sleeps' : 'stays awake');
  },
  mustReach: ['sleeps', 'stays awake'],
  races: 'report',
  guards: [
    whereStoresWait('startBatch.smp_mb', 'assertion'),
    weakOnly('rcuEnterIdle.smp_mb__after_atomic', 'assertion'),
    always('rcuEnterIdle.asleepFirst', 'assertion'),
  ],
});

/** Two CPUs want batches, one of them while the other's is about to start. */
const nextBatch: Scenario = scenario({
  name: 'classic-next-batch',
  facts: [],
  summary: 'a CPU numbers the batch that its callbacks wait for while another CPU starts one',
  source,
  properties: ['I7'],
  *setup() {
    yield* rcuInit(3);
    // A batch of CPU 0 is in progress and waits for CPU 0 alone; CPU 2 wants the next.
    yield* callRcu(head, storeY);
    yield* rcuProcessCallbacks();
    yield* onCpu(1, ticks(2));
    yield* onCpu(2, callRcu(otherHead, storeY));
    yield* onCpu(2, ticks(2));
  },
  threads: {
    starter: () => tick(),
    *asker() {
      yield* callRcu(thirdHead, storeY);
      yield* tick();
    },
  },
  *finally() {
    assertNoStall();
  },
  races: 'report',
  guards: [weakOnly('nxtlistBecomesBatch.smp_rmb', 'assertion'), weakOnly('startBatch.smp_wmb', 'assertion')],
});

export const classicIdleScenarios: readonly Scenario[] = [wakesUp, fallsAsleep, nextBatch];
