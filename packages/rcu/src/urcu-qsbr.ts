// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import {
  load,
  preemptDisable,
  preemptEnable,
  readOnce,
  smpMb,
  smpProcessorId,
  smpStoreRelease,
  store,
  writeOnce,
} from '@lockless/cpu';
import { gp, UrcuGp, urcuReader } from './urcu-words.js';

/*
 * User-space RCU by quiescent states (urcu-qsbr, the same paper): rcu_read_lock() and rcu_read_unlock() cost nothing, and each CPU (thread) says now and then
 * that it is in no reader: it copies the grace-period counter into its word. In effect it is in one long reader from each such statement to the next.
 * The grace period is that of urcu-mb.ts, with the same proof: the statement ends that long reader by the release (B) and begins the next by
 * the full barrier (A). A CPU that will not say anything for long, because it sleeps, goes offline: its word is 0.
 *
 * Both flips are needed here too: a CPU that comes online may be held up for a whole grace period between its load of the counter and its store. Each grace
 * period then takes two statements of every CPU that is online, and neither barrier of rcuQuiescentState() is needed by itself, says the checker; those
 * of going offline (B) and coming online (A) are.
 */

/** Boot: every CPU is online. */
export function* initUrcuQsbr(nrCpus: number): Op<void> {
  for (let cpu = 0; cpu < nrCpus; cpu++) yield* store(urcuReader(cpu), yield* load(UrcuGp.ctr(gp)));
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

/** rcu_thread_offline(): no grace period waits for this CPU until {@link rcuThreadOnline}; it may run no reader. *Source*: liburcu. */
export function* rcuThreadOffline(): Op<void> {
  // B, as above.
  yield* smpStoreRelease(urcuReader(smpProcessorId()), 0);
}

/** rcu_thread_online(): before this CPU's next reader. *Source*: liburcu. */
export function* rcuThreadOnline(): Op<void> {
  yield* writeOnce(urcuReader(smpProcessorId()), yield* readOnce(UrcuGp.ctr(gp)));
  // A, as above.
  yield* smpMb();
}
