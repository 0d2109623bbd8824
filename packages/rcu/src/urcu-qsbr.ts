// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import {
  bugOn,
  configQuietRcu,
  defineGuard,
  defineWord,
  exitIdle,
  idleNotifierRegister,
  load,
  peek,
  poke,
  preemptDisable,
  preemptEnable,
  rcuLockMapHeld,
  rcuReadAcquire,
  rcuReadRelease,
  readOnce,
  smpMb,
  smpProcessorId,
  smpStoreRelease,
  store,
  writeOnce,
} from '@lockless/cpu';
import { gp, UrcuGp, urcuReader, urcuReadersLeft } from './urcu-words.js';

/*
 * User-space RCU by quiescent states (urcu-qsbr, the same paper): rcu_read_lock() and rcu_read_unlock() say nothing to others, and each CPU (thread) says now and then
 * that it is in no reader: it copies the grace-period counter into its word. In effect it is in one long reader from each such statement to the next.
 * The grace period is that of urcu-mb.ts, with the same proof: the statement ends that long reader by the release (B) and begins the next by
 * the full barrier (A). A CPU that will not say anything for long, because it sleeps, goes offline: its word is 0.
 *
 * Both flips are needed here too: a CPU that comes online may be held up for a whole grace period between its load of the counter and its store. Each grace
 * period then takes two statements of every CPU that is online, and neither barrier of rcuQuiescentState() is needed by itself, says the checker; those
 * of going offline (B) and coming online (A) are.
 *
 * In liburcu a thread does all this by itself, and one that forgets holds grace periods up, or reads what is freed. Here
 *
 *  - a CPU comes online by its first reader, which looks at its word: it cannot read unnoticed;
 *  - a CPU that reads again and again says that it is in none every so many readers, at the end of an outermost one;
 *  - a CPU that has nothing more to do goes offline, and so does one that sleeps: enterIdle() of cpu, which whoever drives the machine calls. Nothing happens
 *    where it sleeps inside a reader, on a spin lock;
 *  - who waits for a grace period does so offline.
 *
 * So only a CPU that has read and then computes for long, without a reader and without coming to an end, holds grace periods up.
 */

const comesOnline = defineGuard(
  'urcuQsbrReadLock.online',
  'a thread that is offline reads, and no grace period waits for it',
);
const outermost = defineGuard(
  'urcuQsbrReadUnlock.outermost',
  'a thread says that it is in no reader when an inner one ends',
);
const saysSo = defineGuard(
  'urcuQsbrReadUnlock.statement',
  'a thread that reads again and again holds up a grace period for as long',
);
const notInReader = defineGuard(
  'rcuThreadOffline.notInReader',
  'a thread that sleeps in the middle of a reader goes offline, and grace periods end under it',
);

/** Outermost readers from one statement of a CPU to the next. Constant after boot. */
const readersEach: Ref<number> = defineWord('urcu_readers_each');

/** Boot: every CPU is offline, as no reader has begun. */
export const initUrcuQsbr = (readers: number): void => poke(readersEach, readers);

/**
 * rcu_read_lock(). *Source*: `urcu_qsbr_read_lock`, liburcu, which does nothing. *Differs*: brings its thread online, and counts its depth: by that an engine
 * knows that the thread must not sleep.
 */
export function* urcuQsbrReadLock(): Op<void> {
  preemptDisable();
  // Before the look at the word: whoever interrupts in between leaves the word as it is, or, if he reads himself, comes online.
  rcuReadAcquire();
  if ((yield* load(urcuReader(smpProcessorId()))) === 0 && comesOnline()) yield* rcuThreadOnline();
}

/** rcu_read_unlock(). *Source*: `urcu_qsbr_read_unlock`, liburcu, which does nothing. *Differs*: says every so many readers that its thread is in none. */
export function* urcuQsbrReadUnlock(): Op<void> {
  bugOn(!rcuLockMapHeld(), 'rcu_read_unlock() without rcu_read_lock()');
  rcuReadRelease();
  if (!rcuLockMapHeld() || !outermost()) {
    const left = urcuReadersLeft(smpProcessorId());
    const more = yield* load(left);
    if (more > 0) yield* store(left, more - 1);
    else if (saysSo()) yield* sayQuiescent(left);
  }
  preemptEnable();
}

function* sayQuiescent(left: Ref<number>): Op<void> {
  yield* store(left, peek(readersEach) - 1);
  yield* rcuQuiescentState();
}

/**
 * rcu_quiescent_state(): this CPU is in no reader right now. Often enough, and no grace period waits long: at context switches, in the event loop.
 *
 * *Context*: not inside a reader. Nothing happens when the CPU is offline. *Ordering*: none, unless a grace period began since the last time; then full.
 * *Source*: `urcu_qsbr_quiescent_state`, liburcu.
 */
export function* rcuQuiescentState(): Op<void> {
  preemptDisable();
  const own = urcuReader(smpProcessorId());
  const said = yield* load(own);
  const ctr = yield* readOnce(UrcuGp.ctr(gp));
  if (said !== ctr && said !== 0) {
    // B, pairs with D of urcu-mb.ts: what earlier readers did is over. Then A, pairs with C: the grace period sees this, or later readers see the update.
    yield* smpStoreRelease(own, ctr);
    yield* smpMb();
  }
  preemptEnable();
}

/**
 * rcu_thread_offline(): no grace period waits for this CPU until its next reader. A machine calls it by enterIdle().
 *
 * *Context*: any. Nothing happens inside a reader, and where readers say by themselves when they end.
 * *Source*: `urcu_qsbr_thread_offline`, liburcu.
 */
export function* rcuThreadOffline(): Op<void> {
  if (!configQuietRcu() || (rcuLockMapHeld() && notInReader())) return;
  const own = urcuReader(smpProcessorId());
  // B, as above.
  if ((yield* load(own)) !== 0) yield* smpStoreRelease(own, 0);
}

idleNotifierRegister(rcuThreadOffline);

/** rcu_thread_online(): what the first reader of a CPU that is offline does. *Source*: `urcu_qsbr_thread_online`, liburcu. */
function* rcuThreadOnline(): Op<void> {
  yield* writeOnce(urcuReader(smpProcessorId()), yield* readOnce(UrcuGp.ctr(gp)));
  // A, as above.
  yield* smpMb();
  exitIdle();
}
