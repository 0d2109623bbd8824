// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { defineGuard, defineWord, smpLoadAcquire, smpStoreRelease, writeOnce } from '@lockless/cpu';
import {
  bootRcuEvents,
  callRcu,
  condSynchronizeRcu,
  getStateSynchronizeRcu,
  pollStateSynchronizeRcu,
  type RcuCookie,
  rcuGetGpCookie,
  rcuGpCookieElapsed,
  rcuInit,
  rcuNoteContextSwitch,
  rcuProcessCallbacks,
  startPollSynchronizeRcu,
  synchronizeRcu,
} from '@lockless/rcu';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { head, onCpu, otherHead, seeAcrossTick, storeNothing, tick, ticks } from '../rcu/classic-machine.js';
import { assertNotBothSides, seeXThenY, x, y } from '../rcu/guarantee.js';
import { reader } from '../rcu/rcu-under-test.js';
import { type Scenario, scenario } from '../scenario.js';

/*
 * Grace-period cookies (seed 3): who is told that a grace period has passed since x was stored, stores y. A reader that misses x and sees y
 * began before the cookie was taken, and was not over when it elapsed (F5).
 */

const BARRIER = 'getStateSynchronizeRcu.smp_mb';
const NEXT = 'getStateSynchronizeRcu.nextGracePeriod';
const STAND_IN = 'rcuGpCookieElapsed.gracePeriod';

const series =
  'Michel Lespinasse, 2011-08-19, [PATCH 7/9] "rcu: rcu_get_gp_cookie() / rcu_gp_cookie_elapsed() stand-ins"';
const cookie: Ref<RcuCookie> = defineWord('gp_cookie');
/** The page can be found: whoever does may ask its cookie. */
const published: Ref<number> = defineWord('published');

const cookieFirst = defineGuard('allocate.cookieFirst', 'the page can be found before it has its cookie');

/** Allocates the page: what readers could reach it by is gone, then it becomes what may be split. */
function* allocate(): Op<void> {
  yield* writeOnce(x, 1);
  if (cookieFirst()) yield* rcuGetGpCookie(cookie);
  yield* smpStoreRelease(published, 1);
  if (!cookieFirst()) yield* rcuGetGpCookie(cookie);
}

/** Splits the page, if it is there and a grace period has passed. */
function* split(): Op<string> {
  if ((yield* smpLoadAcquire(published)) === 0) return 'no page';
  if (!(yield* rcuGpCookieElapsed(cookie))) return 'too early';
  yield* writeOnce(y, 1);
  return 'split';
}

const threeThreads: Scenario = scenario({
  name: 'thp-cookie-elapsed',
  facts: ['F5'],
  summary:
    'one task removes and takes a cookie, another is told that a grace period has passed since, while a reader goes on',
  source: series,
  properties: ['I11'],
  *setup() {
    bootRcuEvents(true);
  },
  threads: {
    reader: () => reader(seeXThenY),
    allocate,
    *split() {
      yield* synchronizeRcu();
      return yield* split();
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    reach(`${results.split}`);
  },
  mustReach: ['no page', 'too early', 'split'],
  guards: [
    always('reader.rcuReadLock', 'assertion'),
    always(NEXT, 'assertion'),
    always(STAND_IN, 'assertion'),
    always('allocate.cookieFirst', 'assertion'),
    whereStoresWait(BARRIER, 'assertion'),
  ],
});

/** The series' loop, and the interface that came of it. */
const retry: Scenario = scenario({
  name: 'thp-cookie-retry',
  facts: ['F5'],
  summary: 'who is told that no grace period has passed waits for one, and is told otherwise then',
  source: '765a3f4fed70 (3.15): "rcu: Provide grace-period piggybacking API"; 7abb18bd7567 (5.13): polling',
  properties: ['I7', 'I11'],
  *setup() {
    bootRcuEvents(true);
  },
  threads: {
    reader: () => reader(seeXThenY),
    *updater() {
      yield* writeOnce(x, 1);
      const state = yield* getStateSynchronizeRcu();
      const early = yield* pollStateSynchronizeRcu(state);
      yield* condSynchronizeRcu(state);
      yield* writeOnce(y, 1);
      return early || (yield* pollStateSynchronizeRcu(state));
    },
    other: synchronizeRcu,
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    reach(results.updater === true ? 'over' : 'still not over');
  },
  mustReach: ['over'],
  guards: [always('reader.rcuReadLock', 'assertion'), always(NEXT, 'assertion'), whereStoresWait(BARRIER, 'assertion')],
});

/** A grace period that somebody else asked for when the cookie was taken. */
const polled: Scenario = scenario({
  name: 'thp-cookie-polled',
  facts: ['F5'],
  summary: 'a cookie that asks for its grace period, polled by another task',
  source: '7abb18bd7567 (5.13): "rcu: Provide polling interfaces for Tree RCU grace periods"',
  properties: ['I7', 'I11'],
  *setup() {
    bootRcuEvents(true);
  },
  threads: {
    reader: () => reader(seeXThenY),
    *updater() {
      yield* writeOnce(x, 1);
      yield* smpStoreRelease(cookie, yield* startPollSynchronizeRcu());
    },
    *poller() {
      const state = yield* smpLoadAcquire(cookie);
      if (state === 0 || !(yield* pollStateSynchronizeRcu(state))) return 'not over';
      yield* writeOnce(y, 1);
      return 'over';
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    reach(`${results.poller}`);
  },
  mustReach: ['over', 'not over'],
  guards: [always('reader.rcuReadLock', 'assertion'), notNeeded(BARRIER)],
});

/**
 * The cookies of classic RCU itself. A batch is in progress when the cookie is taken, and the reader's CPU, which it still waits for, passes a
 * quiescent state for it and then begins the reader: not that batch but the next must be over.
 */
const classicCookie: Scenario = scenario({
  name: 'thp-cookie-classic',
  facts: ['F5'],
  summary: 'a cookie is taken while a batch of classic RCU is in progress, which does not wait for the reader',
  source: 'Paul McKenney, 2011-08, on the series: a cookie may need two grace periods',
  properties: ['I11'],
  *setup() {
    yield* rcuInit(2);
    // A batch is in progress, waits for CPU 0 alone, and CPU 0 knows it. CPU 1 wants the next.
    yield* onCpu(1, callRcu(head, storeNothing));
    yield* onCpu(1, ticks(2));
    yield* onCpu(1, callRcu(otherHead, storeNothing));
    yield* onCpu(1, ticks(1));
    yield* tick(false);
  },
  threads: {
    *reader() {
      yield* rcuNoteContextSwitch();
      return yield* reader(seeAcrossTick);
    },
    *updater() {
      yield* writeOnce(x, 1);
      const state = yield* getStateSynchronizeRcu();
      yield* ticks(2);
      if (!(yield* pollStateSynchronizeRcu(state))) return 'not over';
      yield* writeOnce(y, 1);
      return 'over';
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    reach(`${results.updater}`);
  },
  mustReach: ['not over'],
  guards: [always(NEXT, 'assertion')],
});

/** And what orders it: the batch that counts has begun already, unseen by who takes the cookie. */
const classicOrder: Scenario = scenario({
  name: 'thp-cookie-classic-order',
  facts: ['F5'],
  summary: 'a cookie is taken while another CPU starts the batch that it must not count, which the reader learns of',
  source: 'Paul McKenney, 2011-08, on the series',
  properties: ['I11'],
  *setup() {
    yield* rcuInit(3);
    yield* onCpu(2, callRcu(head, storeNothing));
  },
  threads: {
    *reader() {
      yield* tick(false);
      yield* rcuNoteContextSwitch();
      return yield* reader(seeAcrossTick);
    },
    *updater() {
      yield* writeOnce(x, 1);
      const state = yield* getStateSynchronizeRcu();
      yield* ticks(2);
      if (!(yield* pollStateSynchronizeRcu(state))) return 'not over';
      yield* writeOnce(y, 1);
      return 'over';
    },
    *starter() {
      yield* rcuProcessCallbacks();
      yield* tick();
    },
  },
  *finally(_shared, { results, reach }) {
    assertNotBothSides(results.reader);
    reach(`${results.updater}`);
  },
  mustReach: ['not over', 'over'],
  guards: [whereStoresWait(BARRIER, 'assertion'), weakOnly('rcuProcessCallbacks.smp_mb#2', 'assertion')],
});

export const gpCookieScenarios: readonly Scenario[] = [threeThreads, retry, polled, classicCookie, classicOrder];
