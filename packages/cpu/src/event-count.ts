// SPDX-License-Identifier: MIT
import { readOnce } from './access.js';
import { atomicCmpxchg } from './atomic.js';
import { smpMb } from './barrier.js';
import { wakeWord } from './futex.js';
import { defineGuard } from './guard.js';
import type { Op } from './op.js';
import type { Ref } from './word.js';

/*
 * Waiting for something that others bring about, of whatever kind: after D. P. Reed and R. K. Kanodia, "Synchronization with Eventcounts and Sequencers" (1979). One
 * word: bit 0 says that somebody waits, the rest counts the times that waiters were woken. While nobody waits, who brings something about only looks at it. Checked as it
 * stands: the scenario event-count.
 *
 *  1. who waits says so, and notes the word       A. who brings it about does so
 *  2. a full barrier; is it there already?        B. a full barrier; does somebody wait?
 *  3. sleeps if the word is what was noted        C. counts, which says that nobody waits; wakes all
 *
 * Of 1 and B one comes before the other. If 1 does, B sees that somebody waits: C comes before 3, which does not sleep, or after it, and wakes. If B does, A comes before
 * 2, which finds it. A waiter that dies leaves a bit that costs one wake-up of nobody.
 */

const WAITING = 1;

const sayFirst = defineGuard('eventCountPrepare.say', 'a thread sleeps, and the word does not say so: nobody wakes it');
const barrierOfWaiter = defineGuard(
  'eventCountPrepare.smp_mb',
  'a thread looks at what it waits for before it has read that somebody waits, and sleeps though it is there',
);
const barrierOfNotifier = defineGuard(
  'eventCountNotify.smp_mb',
  'nobody seems to wait, as that was looked at before what they wait for could be seen: a wake-up is lost',
);

/** Says that somebody waits, before he looks at what he waits for. *Returns* the word to sleep on, with sleepOnWord(). *Ordering*: a full barrier; pairs with {@link eventCountNotify}. */
export function* eventCountPrepare(count: Ref<number>): Op<number> {
  for (;;) {
    const value = yield* readOnce(count);
    const said = sayFirst() ? value | WAITING : value;
    // 1. Whoever finds that another has said so is ordered by no atomic operation of his own.
    if (said !== value && (yield* atomicCmpxchg(count, value, said)) !== value) continue;
    if (said === value && barrierOfWaiter()) yield* smpMb(); // 2.
    return said;
  }
}

/** What somebody may wait for has come about. *Ordering*: a full barrier before it looks; pairs with {@link eventCountPrepare}. */
export function* eventCountNotify(count: Ref<number>): Op<void> {
  if (barrierOfNotifier()) yield* smpMb(); // B.
  const value = yield* readOnce(count);
  if ((value & WAITING) === 0) return;
  // C. If it fails another did it, after B.
  if ((yield* atomicCmpxchg(count, value, (value + 1) | 0)) === value) yield* wakeWord(count, true);
}
