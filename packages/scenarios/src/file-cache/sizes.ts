// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, SpinLock } from '@lockless/cpu';
import {
  defineStatic,
  defineWord,
  readOnce,
  readSeqbegin,
  readSeqretry,
  SeqLock,
  seqLockDied,
  WideValue,
  wideLoad,
  wideStore,
  writeOnce,
  writeSeqlock,
  writeSequnlock,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { awaitDeath, diesSomewhere, sayDead } from '../dying.js';
import { type Scenario, scenario } from '../scenario.js';

const lock: Ptr<SeqLock> = defineStatic(SeqLock, 'sizes');
const size: Ptr<WideValue> = defineStatic(WideValue, 'size');
const dead: Ref<number> = defineWord('dead writer of a size');

/** Sizes that differ in both words, each way. */
const BEFORE = 2 ** 32 - 512;
const AFTER = 2 ** 32 + 512;
/** CPU of the first thread. */
const VICTIM = 0;
/** More than grow() needs. */
const ACCESSES = 18;

function* grow(): Op<void> {
  yield* writeSeqlock(lock);
  yield* wideStore(size, AFTER);
  yield* writeSequnlock(lock);
}

function* sizeNow(): Op<number> {
  for (;;) {
    const start = yield* readSeqbegin(lock);
    const value = yield* wideLoad(size);
    if (!(yield* readSeqretry(lock, start))) return value;
  }
}

export const sizeScenarios: readonly Scenario[] = [
  scenario({
    name: 'dead-size-change',
    facts: [],
    summary:
      'a thread dies anywhere while it stores a size that crosses 4 GiB; others find the old size or the new one',
    source: 'ours: wide-value.ts of cpu; i_size_write() in include/linux/fs.h, 2.6.27, which nobody dies in',
    properties: ['I6', 'I7'],
    *setup() {
      yield* wideStore(size, BEFORE);
    },
    threads: {
      *victim() {
        const lived = yield* diesSomewhere(grow, ACCESSES);
        yield* sayDead(dead);
        return lived;
      },
      reader: sizeNow,
      *heir() {
        yield* awaitDeath(dead);
        if ((yield* readOnce(SeqLock.lock(lock))) !== VICTIM + 1) return;
        yield* seqLockDied(lock, [size]);
        yield* writeOnce(SeqLock.lock(lock), 0 as SpinLock);
      },
    },
    *finally(_, { results, reach }) {
      const value = yield* sizeNow();
      assertThat(value === AFTER || (value === BEFORE && !results.victim), 'the size is torn');
      assertThat(
        results.reader === BEFORE || results.reader === value,
        'a reader finds a size that the file never had',
      );
      reach(results.victim ? 'lives' : value === AFTER ? 'dies, stored' : 'dies, not stored');
    },
    mustReach: ['lives', 'dies, stored', 'dies, not stored'],
    guards: [
      always('wideStore.intent', 'assertion'),
      weakOnly('seqLockDied.smp_mb', 'assertion'),
      weakOnly('seqLockDied.smp_store_release', 'assertion'),
    ],
  }),
];
