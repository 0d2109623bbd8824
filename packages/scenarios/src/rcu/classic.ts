// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineStatic, enterCpu, functionPointer, thisCpu, writeOnce } from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';
import {
  callRcu,
  rcuCheckCallbacks,
  rcuEnterIdle,
  rcuExitIdle,
  rcuInit,
  rcuProcessCallbacks,
  rcuStall,
  rcuStatistics,
} from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertNotBothSides, reader, seeXThenY, x, y } from './guarantee.js';

/*
 * Classic RCU, rcuclassic.ts, with its ticks written out: a thread is a CPU, and calls what its timer interrupt would call. No tick comes within
 * a reader: one that did would find no quiescent state. Each program has the ticks that one grace period takes, so it ends in some of the
 * executions; where it does, the guarantee must hold.
 */

const source = 'kernel/rcuclassic.c, 2.6.27';

const head: Ptr<RcuHead> = defineStatic(RcuHead, 'classic_head');
const thirdHead: Ptr<RcuHead> = defineStatic(RcuHead, 'third_classic_head');
const otherHead: Ptr<RcuHead> = defineStatic(RcuHead, 'other_classic_head');

const storeY = functionPointer('store_y', function* (_head: Ptr<RcuHead>): Op<void> {
  yield* writeOnce(y, 1);
});

/** A timer interrupt that hits user mode, and its softirq. */
function* tick(): Op<void> {
  yield* rcuCheckCallbacks(true);
  yield* rcuProcessCallbacks();
}
function* ticks(count: number): Op<void> {
  for (let i = 0; i < count; i++) yield* tick();
}

/** Boot runs on CPU 0; this part of it on another. */
function* onCpu(id: number, op: Op<void>): Op<void> {
  const boot = thisCpu;
  enterCpu({ ...boot, id });
  yield* op;
  enterCpu(boot);
}

const assertNoStall = (): void => {
  const stall = rcuStall();
  assertThat(stall === null, `a grace period will never end: ${stall}`);
};

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
  guards: [],
});

/** A CPU that slept without a tick when the batch began: nobody waits for it. */
const wakesUp: Scenario = scenario({
  name: 'classic-wakes-up',
  facts: [],
  summary: 'a CPU that no batch waits for, because it sleeps without a tick, wakes up and reads while a batch goes on',
  source: 'kernel/rcuclassic.c and kernel/time/tick-sched.c, 2.6.27; c3f5902325 (2.6.17): "Fix cpu hotplug/nohz race"',
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
  guards: [],
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
  guards: [],
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
    starter: tick,
    *asker() {
      yield* callRcu(thirdHead, storeY);
      yield* tick();
    },
  },
  *finally() {
    assertNoStall();
  },
  guards: [],
});

export const classicScenarios: readonly Scenario[] = [gracePeriod, wakesUp, fallsAsleep, nextBatch];
