// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  defineGuard,
  defineStatic,
  defineWord,
  readOnce,
  readSeqbegin,
  readSeqretry,
  SeqLock,
  seqlockInit,
  writeOnce,
  writeSeqlock,
  writeSequnlock,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

const sl: Ptr<SeqLock> = defineStatic(SeqLock, 'seqlock');
const seconds: Ref<number> = defineWord('xtime_sec');
const nanoseconds: Ref<number> = defineWord('xtime_nsec');

const retries = defineGuard('readClock.retry', 'what was read while a writer was at work is used');

/** Two words that belong together, as xtime. */
function* readClock(): Op<readonly [number, number]> {
  for (;;) {
    const sequence = yield* readSeqbegin(sl);
    const clock = [yield* readOnce(seconds), yield* readOnce(nanoseconds)] as const;
    if (!(yield* readSeqretry(sl, sequence)) || !retries()) return clock;
  }
}

function* advance(): Op<void> {
  yield* writeSeqlock(sl);
  yield* writeOnce(seconds, (yield* readOnce(seconds)) + 1);
  yield* writeOnce(nanoseconds, (yield* readOnce(nanoseconds)) + 1);
  yield* writeSequnlock(sl);
}

function assertBelongTogether(clock: unknown): void {
  const [sec, nsec] = clock as readonly [number, number];
  assertThat(sec === nsec, 'a reader gets two words of the same write');
}

export const seqlockScenarios: readonly Scenario[] = [
  scenario({
    name: 'seqlock',
    facts: [],
    summary: 'a reader reads two words again until no writer came between',
    source: 'include/linux/seqlock.h, 2.6.27',
    properties: ['I5', 'I7'],
    setup: () => seqlockInit(sl),
    threads: { reader: readClock, writer: advance },
    *finally(_shared, { results, reach }) {
      assertBelongTogether(results.reader);
      reach((results.reader as readonly number[])[0] === 0 ? 'before' : 'after');
    },
    mustReach: ['before', 'after'],
    races: 'report',
    guards: [
      always('readClock.retry', 'assertion'),
      weakOnly('readSeqbegin.smp_rmb', 'assertion'),
      weakOnly('readSeqretry.smp_rmb', 'assertion'),
      weakOnly('writeSeqlock.smp_wmb', 'assertion'),
      weakOnly('writeSequnlock.smp_wmb', 'assertion'),
    ],
  }),
  scenario({
    name: 'seqlock-two-writers',
    facts: [],
    summary: 'two writers and a reader of a sequence lock',
    source: 'include/linux/seqlock.h, 2.6.27',
    properties: ['I5', 'I7'],
    setup: () => seqlockInit(sl),
    threads: { reader: readClock, writer: advance, other: advance },
    *finally(_shared, { results }) {
      assertBelongTogether(results.reader);
      assertThat((yield* readOnce(seconds)) === 2, 'no write is lost');
    },
    guards: [weakOnly('writeSeqlock.smp_wmb', 'assertion'), weakOnly('readSeqretry.smp_rmb', 'assertion')],
  }),
];
