// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref, SpinLock } from '@lockless/cpu';
import {
  atomicXchg,
  defineGuard,
  defineWord,
  readOnce,
  smpRmb,
  smpWmb,
  spinLock,
  spinUnlock,
  writeOnce,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

/*
 * The two numbers without mmu_lock: what the test could tell who is not about to install anything under the lock. KVM uses it so since 3.4, as a test
 * ahead of the one under the lock; in 2.6.27 the writer's barrier is missing.
 */

const mmuLock: Ref<SpinLock> = defineWord('mmu_lock');
const seq: Ref<number> = defineWord('mmu_notifier_seq');
const count: Ref<number> = defineWord('mmu_notifier_count');
/** 0: the page is there; 1: it is gone. */
const entry: Ref<number> = defineWord('entry');
const GONE = 1;

const countFirst = defineGuard('retryTest.countFirst', 'without the lock, seq is read before count');

function* invalidateStart(): Op<void> {
  yield* spinLock(mmuLock);
  yield* writeOnce(count, 1);
  yield* spinUnlock(mmuLock);
}

function* invalidateEnd(): Op<void> {
  yield* spinLock(mmuLock);
  yield* writeOnce(seq, 1);
  yield* smpWmb(); // pairs with retryTest()
  yield* writeOnce(count, 0);
  yield* spinUnlock(mmuLock);
}

function* retryTest(before: number): Op<boolean> {
  if (!countFirst()) {
    const changed = (yield* readOnce(seq)) !== before;
    yield* smpRmb();
    return changed || (yield* readOnce(count)) !== 0;
  }
  if ((yield* readOnce(count)) !== 0) return true;
  yield* smpRmb(); // pairs with invalidateEnd()
  return (yield* readOnce(seq)) !== before;
}

/** tdp_page_fault() up to the test: the sequence number, and then what the process has. */
function* lookUp(): Op<{ readonly before: number; readonly found: number }> {
  const before = yield* readOnce(seq);
  yield* smpRmb();
  return { before, found: yield* readOnce(entry) };
}

interface Seen {
  readonly found: number;
  readonly later: number;
  readonly retry: boolean;
}

export const retryOutsideLock: Scenario = scenario({
  name: 'retry-test-outside-lock',
  facts: ['E4'],
  summary:
    'a guest’s fault asks without mmu_lock whether the range that it looked at is being invalidated, or has been',
  source:
    'e930bffe95 (2.6.27), the comment on mmu_notifier_retry(); Paul Mackerras, "KVM: Add barriers to allow mmu_notifier_retry to be used locklessly" (3.4)',
  properties: ['I12'],
  *setup() {},
  threads: {
    *invalidate() {
      yield* invalidateStart();
      yield* atomicXchg(entry, GONE);
      yield* invalidateEnd();
    },
    *fault() {
      const { before, found } = yield* lookUp();
      // Whether the invalidation has begun for all to see.
      const later = yield* readOnce(entry);
      yield* smpRmb();
      return { found, later, retry: yield* retryTest(before) };
    },
  },
  *finally(_shared, { results, reach }) {
    const { found, later, retry } = results.fault as Seen;
    assertThat(found === GONE || later !== GONE || retry, 'a page that went after it was found is not used');
    if (found !== GONE) reach(retry ? 'retry' : 'in time');
  },
  mustReach: ['retry', 'in time'],
  guards: [
    always('retryTest.countFirst', 'assertion'),
    weakOnly('retryTest.smp_rmb', 'assertion'),
    weakOnly('invalidateEnd.smp_wmb', 'assertion'),
    weakOnly('lookUp.smp_rmb', 'assertion'),
  ],
});
