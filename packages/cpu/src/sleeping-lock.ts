// SPDX-License-Identifier: MIT
import { readOnce } from './access.js';
import { atomicCmpxchg, atomicXchg } from './atomic.js';
import { sleepOnWord, wakeWord } from './futex.js';
import { defineGuard } from './guard.js';
import { hasSleepers, withoutSleepers, withSleepers } from './lock-value.js';
import type { Op } from './op.js';
import type { Ref } from './word.js';

/*
 * Spin locks and rwlocks of the native build, for who has spun in vain: a thread that spins while the holder is not running keeps it from running. After
 * U. Drepper, "Futexes Are Tricky" (2011), mutex 2, with the owner in the word. Checked as it stands: the scenario sleeping-lock.
 *
 * Why no wake-up is lost. Whoever sleeps has seen, in the critical section of the sleep, a word that says so. Every release takes the whole word
 * away by one exchange, and wakes if the word said so. Of several that sleep one is woken, and the word does not say any more that others
 * sleep; so who takes the lock after sleeping says it again (1): at worst one wake-up finds nobody.
 * A lock that readers share wakes all when the last holder releases it, and who must sleep again says so again.
 */

const saySoAgain = defineGuard(
  'sleepUntilTaken.saySoAgain',
  'of two threads that sleep the second is not woken: who took the lock after the first sleep does not say that somebody sleeps',
);
const sayBeforeSleep = defineGuard('sleepUntilTaken.sayBefore', 'a thread sleeps on a lock whose word does not say so');

/** Takes a spin lock, or an rwlock for writing, as the holder `mine`. Acquire. */
export function* sleepUntilTaken(lock: Ref<number>, mine: number): Op<void> {
  for (;;) {
    const value = yield* readOnce(lock);
    if (value === 0) {
      const taken = saySoAgain() ? withSleepers(mine) : mine; // 1
      if ((yield* atomicCmpxchg(lock, 0, taken)) === 0) return;
    } else yield* sleepWhile(lock, value);
  }
}

/** Takes an rwlock as one more reader. Acquire. */
export function* sleepUntilShared(lock: Ref<number>): Op<void> {
  for (;;) {
    const value = yield* readOnce(lock);
    if (value > 0) yield* sleepWhile(lock, value);
    else if ((yield* atomicCmpxchg(lock, value, value - 1)) === value) return;
  }
}

/** Says that somebody sleeps, and sleeps if nothing changed meanwhile. */
function* sleepWhile(lock: Ref<number>, value: number): Op<void> {
  if (!sayBeforeSleep()) return yield* sleepOnWord(lock, value);
  const said = withSleepers(value);
  if (said !== value && (yield* atomicCmpxchg(lock, value, said)) !== value) return;
  yield* sleepOnWord(lock, said);
}

/** Releases what is held alone. Release. Returns the word as it was. `all`: of an rwlock, where several may go on. */
export function* releaseAndWake(lock: Ref<number>, all: boolean): Op<number> {
  const before = yield* atomicXchg(lock, 0);
  if (hasSleepers(before)) yield* wakeWord(lock, all);
  return before;
}

/** Releases one reader's part of an rwlock. Release. Returns the word as it was. */
export function* releaseShared(lock: Ref<number>): Op<number> {
  for (;;) {
    const before = yield* readOnce(lock);
    if (before >= 0) return before;
    const last = withoutSleepers(before) === -1;
    if ((yield* atomicCmpxchg(lock, before, last ? 0 : before + 1)) !== before) continue;
    if (last && hasSleepers(before)) yield* wakeWord(lock, true);
    return before;
  }
}
