// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { enterIdle } from '@lockless/cpu';
import { bootUrcuQsbr, rcuQuiescentState, rcuStatistics } from '@lockless/rcu';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import type { Scenario } from '../scenario.js';
import {
  afterAndBefore,
  beforeAndAfter,
  freedAfterGracePeriod,
  nested,
  oneEach,
  readersStore,
  twice,
  twoReaders,
  twoUpdaters,
} from './guarantee.js';
import type { Rcu } from './rcu-under-test.js';

/* User-space RCU by quiescent states, urcu-qsbr.ts: readers say nothing, so it is their threads that say when none is inside. */

const qsbr: Rcu = {
  prefix: 'urcu-qsbr',
  source: 'Desnoyers et al., "User-Level Implementations of Read-Copy Update", IEEE TPDS 23(2), 2012; liburcu',
  boot: bootUrcuQsbr,
  /** A thread that works, says that it is done, and has nothing more to do. Its first reader brings it online. */
  *thread<T>(work: () => Op<T>): Op<T> {
    const result = yield* work();
    yield* rcuQuiescentState();
    yield* enterIdle();
    return result;
  },
  gracePeriods: () => rcuStatistics().gracePeriods,
};

const OFFLINE = 'rcuThreadOffline.smp_store_release';
const ONLINE = 'rcuThreadOnline.smp_mb';
const COMES_ONLINE = 'urcuQsbrReadLock.online';
const C = 'urcuSynchronizeRcu.smp_mb#1';
const WAIT = 'updateCounterAndWait.wait';

export const urcuQsbrScenarios: readonly Scenario[] = [
  beforeAndAfter(qsbr, [
    always(WAIT, 'assertion'),
    always(COMES_ONLINE, 'assertion'),
    always('reader.rcuReadLock', 'assertion'),
    whereStoresWait(ONLINE, 'assertion'),
  ]),
  afterAndBefore(qsbr, [weakOnly(ONLINE, 'assertion'), weakOnly(WAIT, 'assertion')]),
  readersStore(qsbr, [
    whereStoresWait(ONLINE, 'assertion'),
    weakOnly(OFFLINE, 'assertion'),
    // A grace period takes two statements of a CPU that is online.
    notNeeded('rcuQuiescentState.smp_mb'),
    notNeeded('rcuQuiescentState.smp_store_release'),
  ]),
  oneEach(qsbr, [whereStoresWait(ONLINE, 'assertion'), weakOnly(OFFLINE, 'assertion')]),
  freedAfterGracePeriod(qsbr, [
    always(WAIT, 'use-after-free'),
    always(COMES_ONLINE, 'use-after-free'),
    whereStoresWait(ONLINE, 'use-after-free'),
  ]),
  nested(qsbr, [always(WAIT, 'assertion')]),
  twice(qsbr, [always('urcuSynchronizeRcu.secondFlip', 'assertion'), whereStoresWait(ONLINE, 'assertion')]),
  twoUpdaters(qsbr, [
    always('urcuSynchronizeRcu.secondFlip', 'assertion'),
    always('urcuSynchronizeRcu.gpLock', 'assertion'),
    weakOnly(C, 'assertion'),
  ]),
  twoReaders(qsbr, [always(WAIT, 'assertion')]),
];
