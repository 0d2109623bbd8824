// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import {
  atomicCmpxchgAcquire,
  bugOn,
  configQuietRcu,
  cpuRelax,
  defineGuard,
  load,
  mightSleep,
  peek,
  preemptDisable,
  preemptEnable,
  readOnce,
  smpMb,
  smpProcessorId,
  smpStoreRelease,
  store,
  writeOnce,
} from '@lockless/cpu';
import { nrRcuCpus } from './rcu-struct.js';
import { rcuThreadOffline } from './urcu-qsbr.js';
import { gp, NEST_MASK, PHASE, UrcuGp, urcuReader } from './urcu-words.js';

/*
 * User-space RCU, the flavour with memory barriers (urcu-mb): Desnoyers, McKenney, Stern, Dagenais, Walpole, "User-Level Implementations
 * of Read-Copy Update", IEEE TPDS 23(2), 2012. Needs neither scheduler nor ticks: it is all in words and barriers, so a checker can take it apart
 * and threads of any kind can run it. A reader costs one full barrier, and never waits.
 *
 * Each CPU has a word that only it writes: how deep it is nested in readers, 0 for none, and the phase (one bit) that the grace-period
 * counter had when the outermost began. (A thread of user space is a CPU here: preemption is off inside a reader.) synchronize_rcu() flips
 * the phase and waits until no reader of the old phase is left; then it does the same again.
 *
 * Why a reader that misses the update is over when synchronize_rcu() returns:
 *
 *  1. The reader stores its word (1), passes barrier A and reads x. The updater stores x, passes barrier C and looks at the word. If the reader
 *     misses the new x, the updater does not miss the reader's word: store buffering, forbidden by A with C. Both scans see that word or a later one.
 *  2. The word has one of two phases. If it is the old one of the first flip, the first scan waits for the reader; otherwise it is the old
 *     one of the second flip, and the second scan does.
 *     Why two: a reader may load the phase and then be delayed for as long as a whole grace period before it stores it. It then carries the phase that
 *     is *current* again after one flip of the next grace period, and a single scan passes by it.
 *  3. A scan waits until the word is 0 or has the new phase: it has read the reader's release B, or a later store to the same word, which
 *     comes after B. What the reader did is before B, B before what the scan read, and that before barrier D and whatever the updater does next.
 *
 * So no reader both misses what was stored before and sees what is stored after: the guarantee.
 *
 * Not needed, says the checker, as says the comment in urcu.c: a barrier between flip and scan. Without it a scan may see more readers
 * than it must wait for, never fewer.
 */

const nestedReaders = defineGuard(
  'urcuMbReadLock.nesting',
  'a nested reader begins as an outermost one does, so it ends both',
);
const oneAtATime = defineGuard(
  'urcuSynchronizeRcu.gpLock',
  'grace periods overlap and flip the phase under each other',
);
const secondFlip = defineGuard('urcuSynchronizeRcu.secondFlip', 'one flip and one scan make a grace period');
const waitForReaders = defineGuard(
  'updateCounterAndWait.wait',
  'a reader of the old phase is looked at, not waited for',
);

const waitsOffline = defineGuard(
  'urcuSynchronizeRcu.offline',
  'a thread whose readers say nothing waits for a grace period, and others wait for it',
);

/** Boot, before the readers' words. */
export function* initUrcuMb(): Op<void> {
  yield* store(UrcuGp.ctr(gp), 1);
}

/** rcu_read_lock(). *Source*: `urcu_mb_read_lock`, liburcu. */
export function* urcuMbReadLock(): Op<void> {
  // The word stays ours: no other task runs here, and an interrupt handler leaves it as it found it.
  preemptDisable();
  const own = urcuReader(smpProcessorId());
  const ctr = yield* load(own);
  if ((ctr & NEST_MASK) !== 0 && nestedReaders()) {
    yield* writeOnce(own, ctr + 1);
    return;
  }
  yield* writeOnce(own, yield* readOnce(UrcuGp.ctr(gp))); // 1
  // A, pairs with C: the updater sees this reader, or this reader sees the update.
  yield* smpMb();
}

/** rcu_read_unlock(). *Source*: `urcu_mb_read_unlock`, liburcu. *Differs*: a release, as nobody sleeps until readers wake him. */
export function* urcuMbReadUnlock(): Op<void> {
  const own = urcuReader(smpProcessorId());
  const ctr = yield* load(own);
  const depth = ctr & NEST_MASK;
  bugOn(depth === 0 && nestedReaders(), 'rcu_read_unlock() without rcu_read_lock()');
  // B, pairs with D: what the reader did is over when it is seen to be gone.
  if (depth <= 1) yield* smpStoreRelease(own, 0);
  else yield* writeOnce(own, ctr - 1);
  preemptEnable();
}

/**
 * synchronize_rcu(), for both kinds of readers. *Source*: `urcu_mb_synchronize_rcu`, liburcu, in the form of the paper: two flips; liburcu 0.8 has one flip between two scans.
 *
 * *Context*: not inside a reader. Spins while a reader of another CPU goes on, and while another grace period does.
 * *Ordering*: full, by C.
 */
export function* urcuSynchronizeRcu(): Op<void> {
  mightSleep();
  // Who waits for a grace period is in no reader himself; where readers say nothing, he has to say it.
  if (configQuietRcu() && waitsOffline()) yield* rcuThreadOffline();
  if (oneAtATime()) {
    while ((yield* atomicCmpxchgAcquire(UrcuGp.lock(gp), 0, smpProcessorId() + 1)) !== 0) yield* cpuRelax();
  }
  // C, pairs with A. After the lock: it orders the load of the phase as well.
  yield* smpMb();
  yield* updateCounterAndWait();
  if (secondFlip()) yield* updateCounterAndWait();
  // D, pairs with B: and the updater's loads, too, come after what the readers did.
  yield* smpMb();
  yield* writeOnce(UrcuGp.completed(gp), ((yield* load(UrcuGp.completed(gp))) + 1) | 0);
  if (oneAtATime()) yield* smpStoreRelease(UrcuGp.lock(gp), 0);
}

/** update_counter_and_wait() of the paper: new readers carry the other phase from now on; waits for those of the old one. */
function* updateCounterAndWait(): Op<void> {
  const ctr = (yield* load(UrcuGp.ctr(gp))) ^ PHASE;
  yield* writeOnce(UrcuGp.ctr(gp), ctr);
  for (let cpu = 0; cpu < peek(nrRcuCpus); cpu++) {
    while (gracePeriodOngoing(yield* readOnce(urcuReader(cpu)), ctr)) {
      if (!waitForReaders()) break;
      yield* cpuRelax();
    }
  }
}

/** rcu_gp_ongoing(): whether a word of a reader is of one that the grace period waits for. */
const gracePeriodOngoing = (reader: number, ctr: number): boolean =>
  (reader & NEST_MASK) !== 0 && ((reader ^ ctr) & PHASE) !== 0;

const endReader = defineGuard('rcuThreadDied.reader', 'grace periods wait for the reader that a dead thread was');
const endGracePeriod = defineGuard(
  'rcuThreadDied.gpLock',
  'nobody can begin a grace period, as a dead thread holds the lock of its own',
);

/**
 * What a thread leaves behind that died, of user-space RCU: it is in no reader any more, and its grace period is over, wherever it was. A grace period depends on
 * no other but for the phase, with which it may begin either way; so the next one just begins. Callbacks are taken over by {@link urcuReclaim}.
 *
 * *Context*: the thread (a CPU here) does nothing any more, all its stores are seen, and no other has its number yet.
 * *Source*: ours; in liburcu a thread must unregister itself.
 */
export function* rcuThreadDied(cpu: number): Op<void> {
  // Release, pairs with D: what it did as a reader is over.
  if (endReader()) yield* smpStoreRelease(urcuReader(cpu), 0);
  if ((yield* readOnce(UrcuGp.lock(gp))) === cpu + 1 && endGracePeriod()) yield* smpStoreRelease(UrcuGp.lock(gp), 0);
}

/** Grace periods that ended, from outside. */
export const urcuMbCompleted = (): number => peek(UrcuGp.completed(gp));
