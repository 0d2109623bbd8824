// SPDX-License-Identifier: MIT
import { load, readOnce, smpLoadAcquire, smpStoreRelease, writeOnce } from './access.js';
import { atomicCmpxchg } from './atomic.js';
import { smpMb } from './barrier.js';
import { wakeWord } from './futex.js';
import { defineGuard } from './guard.js';
import type { Op } from './op.js';
import type { Ref } from './word.js';

/*
 * Many share, one at a time excludes them: as percpu_rw_semaphore, who shares writes to a word of its own CPU only. Nothing here waits: who is
 * refused is told what to wait for, and may do so asleep on the word (futex.ts) or in a promise; what is held may be held for long. And who excludes may die:
 * what it was at is half done then, and whoever comes next is to finish it before anything else.
 *
 * Who shares:                                        Who excludes:
 *   1. counts itself                                   a. puts its number into the empty owner word: a full barrier, with 2
 *   2. full barrier, with a                            b. looks at every CPU's count, until each was 0: acquire, with 4
 *   3. looks at the owner: acquire, with d             c. does what nobody else may see half of
 *   4. does its work, counts itself out: release       d. empties the owner word: release
 *   5. full barrier, with a's                          e. wakes who sleeps on the owner word
 *   6. an owner? wakes who sleeps on the count
 *
 * 1 to 3 against a and b is Dekker's: one of the two sees the other. Both may: then who shares gives way, and counts itself out again. 5 is for who excludes and is
 * about to sleep in b: it has stored the owner before it went to sleep on the count, so 6 finds it, or it finds the count as 4 left it.
 * One CPU may share several times; as long as it does, one time more needs no look at the owner, who waits for all of them anyway ({@link shareAgain}).
 */

/** In the owner word: who excluded died, or gave up, in the middle of it. */
export const OWNER_GONE = -1;

const finishesFirst = defineGuard(
  'shareBegin.ownerGone',
  'what a dead thread has half done is left so by whoever comes next',
);

/** Begins to share. *Returns* 0; or the owner word as it is, and nothing is shared: to be waited for while it is that, or OWNER_GONE: take over ({@link excludeBegin}). */
export function* shareBegin(owner: Ref<number>, mine: Ref<number>): Op<number> {
  yield* shareAgain(mine); // 1
  yield* smpMb(); // 2
  const found = yield* smpLoadAcquire(owner); // 3
  if (found === 0 || (found === OWNER_GONE && !finishesFirst())) return 0;
  yield* shareEnd(owner, mine);
  return found;
}

/** One more time. *Context*: this CPU shares already, or is about to look at the owner. */
export function* shareAgain(mine: Ref<number>): Op<void> {
  yield* writeOnce(mine, (yield* load(mine)) + 1);
}

/** Ends what {@link shareBegin} or {@link shareAgain} began. */
export function* shareEnd(owner: Ref<number>, mine: Ref<number>): Op<void> {
  yield* smpStoreRelease(mine, (yield* load(mine)) - 1); // 4
  yield* smpMb(); // 5
  if ((yield* readOnce(owner)) !== 0) yield* wakeWord(mine, true); // 6
}

/**
 * Becomes the owner, as `me`, which is not 0; from then on nobody begins to share. *Returns* the word as it was: 0, or OWNER_GONE, and then what the last owner did is to be finished; anything
 * else is another owner, to be waited for. Afterwards wait until every count is 0 ({@link sharesLeft}).
 */
export function* excludeBegin(owner: Ref<number>, me: number): Op<number> {
  for (;;) {
    const found = yield* atomicCmpxchg(owner, 0, me); // a
    if (found !== OWNER_GONE) return found;
    // Unless somebody else took over, and may be done by now.
    if ((yield* atomicCmpxchg(owner, OWNER_GONE, me)) === OWNER_GONE) return OWNER_GONE;
  }
}

/** How often a CPU shares: to be waited for while it is not 0. *Context*: the owner. */
export function* sharesLeft(count: Ref<number>): Op<number> {
  return yield* smpLoadAcquire(count); // b
}

/** Is the owner no more; `left`: 0, or OWNER_GONE when it is not done. Wakes all who wait. */
export function* excludeEnd(owner: Ref<number>, left: number): Op<void> {
  yield* smpStoreRelease(owner, left); // d
  yield* wakeWord(owner, true); // e
}

/** What a dead thread held: its counts are 0, what it owned is OWNER_GONE. *Context*: as its CPU, before anybody else gets its number. `me`: as which it excluded. */
export function* shareExcludeDied(owner: Ref<number>, count: Ref<number>, me: number): Op<void> {
  if ((yield* load(count)) !== 0) {
    yield* smpStoreRelease(count, 0);
    yield* wakeWord(count, true);
  }
  if ((yield* readOnce(owner)) === me) yield* excludeEnd(owner, OWNER_GONE);
}
