// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import {
  defineWord,
  eventCountNotify,
  eventCountPrepare,
  initFutex,
  poke,
  readOnce,
  sleepOnWord,
  writeOnce,
} from '@lockless/cpu';
import { always, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

/*
 * Waiting for whatever others bring about, as a shared map's asynchronous operations do on threads, over the model of `Atomics.wait` and `Atomics.notify`.
 */

const count: Ref<number> = defineWord('an_event_count');
const there: Ref<number> = defineWord('there');

function* waitUntilThere(): Op<void> {
  for (;;) {
    const noted = yield* eventCountPrepare(count);
    if ((yield* readOnce(there)) !== 0) return;
    yield* sleepOnWord(count, noted);
  }
}

function* boot(): Op<void> {
  initFutex();
  poke(count, 0);
}

function* bringAbout(): Op<void> {
  yield* writeOnce(there, 1);
  yield* eventCountNotify(count);
}

export const eventCountScenarios: readonly Scenario[] = [
  scenario({
    name: 'event-count',
    facts: [],
    summary: 'a thread says that it waits, looks, and sleeps, while another brings about what it waits for',
    source:
      'D. P. Reed, R. K. Kanodia, "Synchronization with Eventcounts and Sequencers" (1979); packages/cpu/src/event-count.ts',
    properties: ['I7'],
    setup: boot,
    threads: { waiter: waitUntilThere, notifier: bringAbout },
    guards: [
      always('eventCountPrepare.say', 'lost-wakeup'),
      whereStoresWait('eventCountNotify.smp_mb', 'lost-wakeup'),
      always('sleepOnWord.compare', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'event-count-two-waiters',
    facts: [],
    summary: 'two threads wait for what a third brings about; the second may find that the first has said so',
    source: 'packages/cpu/src/event-count.ts',
    properties: ['I7'],
    setup: boot,
    threads: { first: waitUntilThere, second: waitUntilThere, notifier: bringAbout },
    guards: [weakOnly('eventCountPrepare.smp_mb', 'lost-wakeup')],
  }),
];
