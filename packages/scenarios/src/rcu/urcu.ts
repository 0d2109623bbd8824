// SPDX-License-Identifier: GPL-2.0-only
import { bootUrcu, callRcu, rcuBarrier, rcuStatistics, urcuReclaim } from '@lockless/rcu';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import {
  afterAndBefore,
  beforeAndAfter,
  freedAfterGracePeriod,
  nested,
  oneEach,
  readersStore,
  twice,
  twoEach,
  twoReaders,
  twoUpdaters,
} from './guarantee.js';
import { assertFound, freeItem, Item, publishItem, unpublishItem, valueOfItem } from './published-item.js';
import { type Rcu, reader } from './rcu-under-test.js';

/*
 * Our own RCU of words, urcu-mb.ts, under the models: its guarantee is checked, not assumed. A to D are the barriers of the comment there.
 */

const urcu: Rcu = {
  prefix: 'urcu',
  source: 'Desnoyers et al., "User-Level Implementations of Read-Copy Update", IEEE TPDS 23(2), 2012; liburcu',
  boot: bootUrcu,
  gracePeriods: () => rcuStatistics().gracePeriods,
};

const A = 'urcuMbReadLock.smp_mb';
const B = 'urcuMbReadUnlock.smp_store_release';
const C = 'urcuSynchronizeRcu.smp_mb#1';
const D = 'urcuSynchronizeRcu.smp_mb#2';
const LOCK = 'urcuSynchronizeRcu.atomic_cmpxchg_acquire';
const UNLOCK = 'urcuSynchronizeRcu.smp_store_release';
const WAIT = 'updateCounterAndWait.wait';
const SECOND_FLIP = 'urcuSynchronizeRcu.secondFlip';

/** What is queued by one CPU, and reclaimed by another. */
const callback: Scenario = scenario({
  name: 'urcu-callback',
  facts: [],
  summary: 'one CPU unpublishes an object and queues a callback for it, another processes callbacks, a third reads',
  source: 'liburcu, urcu-call-rcu-impl.h',
  properties: ['I11'],
  *setup() {
    yield* bootUrcu(3);
    return yield* publishItem();
  },
  threads: {
    reader: () => reader(valueOfItem),
    *updater(item) {
      yield* unpublishItem();
      yield* callRcu(Item.rcu(item), freeItem);
    },
    reclaimer: urcuReclaim,
  },
  *finally(_shared, { results, reach }) {
    assertFound(results.reader);
    yield* rcuBarrier();
    reach(results.reader === 7 ? 'found' : 'gone');
  },
  mustReach: ['found', 'gone'],
  guards: [
    always('reader.rcuReadLock', 'use-after-free'),
    weakOnly('urcuCallRcu.atomic_cmpxchg_release', 'BUG'),
    notNeeded('reclaimLocked.smp_load_acquire'),
  ],
});

export const urcuScenarios: readonly Scenario[] = [
  beforeAndAfter(urcu, [
    always('reader.rcuReadLock', 'assertion'),
    always(WAIT, 'assertion'),
    whereStoresWait(A, 'assertion'),
    weakOnly(C, 'assertion'),
    notNeeded(B),
    notNeeded(D),
    notNeeded(LOCK),
    notNeeded(UNLOCK),
    notNeeded(SECOND_FLIP),
  ]),
  afterAndBefore(urcu, [weakOnly(A, 'assertion')]),
  readersStore(urcu, [
    always('reader.rcuReadLock', 'assertion'),
    always(WAIT, 'assertion'),
    whereStoresWait(A, 'assertion'),
    weakOnly(B, 'assertion'),
    weakOnly(C, 'assertion'),
    weakOnly(D, 'assertion'),
  ]),
  oneEach(urcu, [
    whereStoresWait(A, 'assertion'),
    weakOnly(B, 'assertion'),
    weakOnly(C, 'assertion'),
    weakOnly(D, 'assertion'),
  ]),
  freedAfterGracePeriod(urcu, [
    always('reader.rcuReadLock', 'use-after-free'),
    always(WAIT, 'use-after-free'),
    whereStoresWait(A, 'use-after-free'),
    // The checker takes it for granted that a load comes before later stores of its thread, the unlock for one.
    notNeeded(B),
    weakOnly(C, 'use-after-free'),
    notNeeded(D),
  ]),
  nested(urcu, [always('urcuMbReadLock.nesting', 'assertion'), whereStoresWait(A, 'assertion')]),
  twice(urcu, [always(SECOND_FLIP, 'assertion'), whereStoresWait(A, 'assertion'), weakOnly(C, 'assertion')]),
  twoEach(urcu, [whereStoresWait(A, 'assertion'), weakOnly(B, 'assertion')]),
  twoUpdaters(urcu, [
    always('urcuSynchronizeRcu.gpLock', 'assertion'),
    whereStoresWait(A, 'assertion'),
    weakOnly(C, 'assertion'),
    // The phase is ordered by C and D anyway, the statistics by this alone.
    weakOnly(UNLOCK, 'assertion'),
    notNeeded(LOCK),
  ]),
  twoReaders(urcu, [always(WAIT, 'assertion')]),
  callback,
];
