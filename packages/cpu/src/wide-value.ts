// SPDX-License-Identifier: MIT
import { readOnce, smpStoreRelease, writeOnce } from './access.js';
import { smpMb } from './barrier.js';
import { defineGuard } from './guard.js';
import type { Op } from './op.js';
import { SeqLock } from './seqlock.js';
import type { StructOf } from './struct.js';
import { struct } from './struct.js';
import type { Ptr, Ref } from './word.js';

/*
 * A number that needs two words, as i_size does on 32-bit machines, and is whole for readers by a sequence lock (i_size_read(), i_size_write()). Here who stores it may die between
 * the two: then a size that crosses 4 GiB would be off by 4 GiB for ever. So what is to be is written down first:
 *
 *   1. both words of the new value, beside the value
 *   2. `changing` says that it is to be taken over: the one store by which it takes place
 *   3. both words of the value
 *   4. `changing` is 0
 *
 * Who makes the lock good after a death ({@link seqLockDied}) does 3 again if it finds 2, as often as need be; otherwise the value is the old one, whole.
 * All of it under the lock, whose sequence is odd, so nobody takes what he reads meanwhile.
 */
export interface WideValue {
  low: number;
  high: number;
  nextLow: number;
  nextHigh: number;
  changing: number;
}
export const WideValue: StructOf<WideValue> = struct<WideValue>('wide_value', {
  low: 1,
  high: 1,
  nextLow: 1,
  nextHigh: 1,
  changing: 1,
});

const HIGH = 2 ** 32;

const writesDown = defineGuard(
  'wideStore.intent',
  'who dies between the two words leaves the one of the new value and the other of the old one',
);

function* storeBoth(low: Ref<number>, high: Ref<number>, value: number): Op<void> {
  yield* writeOnce(low, value | 0);
  yield* writeOnce(high, Math.floor(value / HIGH));
}

function* loadBoth(low: Ref<number>, high: Ref<number>): Op<number> {
  const bits = (yield* readOnce(low)) >>> 0;
  return (yield* readOnce(high)) * HIGH + bits;
}

/** The value: an integer of up to 53 bits, not negative. *Context*: the lock, or between read_seqbegin() and read_seqretry(). */
export const wideLoad = (value: Ptr<WideValue>): Op<number> => loadBoth(WideValue.low(value), WideValue.high(value));

/** Stores the value. *Context*: write_seqlock(). */
export function* wideStore(value: Ptr<WideValue>, next: number): Op<void> {
  if (writesDown()) {
    yield* storeBoth(WideValue.nextLow(value), WideValue.nextHigh(value), next); // 1
    yield* writeOnce(WideValue.changing(value), 1); // 2
  }
  yield* storeBoth(WideValue.low(value), WideValue.high(value), next); // 3
  yield* writeOnce(WideValue.changing(value), 0); // 4
}

/**
 * Makes a sequence lock good whose writer died, and the values that it protects.
 *
 * *Context*: the lock, taken over from the dead, whose stores are seen; the caller releases it. May be done again from the beginning, should the caller die, too.
 */
export function* seqLockDied(lock: Ptr<SeqLock>, values: readonly Ptr<WideValue>[]): Op<void> {
  // Pairs with the barrier of read_seqretry(): who finds what is stored here finds the sequence odd, or later.
  yield* smpMb();
  for (const value of values) {
    if ((yield* readOnce(WideValue.changing(value))) === 0) continue;
    const next = yield* loadBoth(WideValue.nextLow(value), WideValue.nextHigh(value));
    yield* storeBoth(WideValue.low(value), WideValue.high(value), next);
    yield* writeOnce(WideValue.changing(value), 0);
  }
  const sequence = yield* readOnce(SeqLock.sequence(lock));
  // Release, pairs with the barrier of read_seqbegin(): who finds it even sees what the dead stored, and what was stored in his place.
  if ((sequence & 1) !== 0) yield* smpStoreRelease(SeqLock.sequence(lock), (sequence + 1) | 0);
}
