// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Embed, FunctionPointer, KmemCache, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  access,
  bugOn,
  Completion,
  code,
  complete,
  condResched,
  configQuietRcu,
  configSmp,
  configureKernel,
  containerOf,
  functionPointer,
  GFP_KERNEL,
  inAtomic,
  initCompletion,
  irqsDisabled,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  mightSleep,
  NR_CPUS,
  NULL,
  peek,
  poke,
  rcuReadAcquire,
  rcuReadRelease,
  smpMb,
  struct,
  waitForCompletion,
} from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import {
  FLAVOUR_CLASSIC,
  FLAVOUR_EVENTS,
  FLAVOUR_URCU_MB,
  FLAVOUR_URCU_QSBR,
  rcuFlavour,
  selectFlavour,
} from './flavour.js';
import { beginRcuEvent, endRcuEvent, rcuEventsCounted } from './rcu-events.js';
import { nrRcuCpus } from './rcu-struct.js';
import { callRcuClassic } from './rcuclassic.js';
import { upReadLock, upReadUnlock } from './rcuclassic-up.js';
import { initUrcu, urcuCallRcu } from './urcu-call-rcu.js';
import { urcuMbReadLock, urcuMbReadUnlock, urcuSynchronizeRcu } from './urcu-mb.js';
import { initUrcuQsbr, urcuQsbrReadLock, urcuQsbrReadUnlock } from './urcu-qsbr.js';

const READ_LOCK = code('rcu_read_lock');
const READ_UNLOCK = code('rcu_read_unlock');
const SYNCHRONIZE = code('synchronize_rcu');
const CALL = code('call_rcu');

/**
 * Boots user-space RCU (urcu-mb.ts) for that many CPUs, in place of rcuInit(): an RCU that is all words and barriers, and needs no ticks. Callbacks
 * wait until somebody calls {@link urcuReclaim}, rcuBarrier() or rcuIdle(). Where the machine's readers say nothing (CONFIG_QUIET_RCU, natively
 * `NativeMachine.create({ rcu: 'qsbr' })`) it is {@link bootUrcuQsbr}.
 *
 * *Context*: boot, on one CPU, before any other runs.
 */
export function* bootUrcu(nrCpus: number): Op<void> {
  if (configQuietRcu()) yield* bootUrcuQsbr(nrCpus);
  else yield* boot(nrCpus, FLAVOUR_URCU_MB);
}

function* boot(nrCpus: number, flavour: number): Op<void> {
  bugOn(nrCpus < 1 || nrCpus > NR_CPUS, `user-space RCU of ${nrCpus} CPUs`);
  poke(nrRcuCpus, nrCpus);
  selectFlavour(flavour);
  yield* initUrcu();
}

/** Whether this machine has been booted with some RCU already: for parts that share a machine, of which the first boots it. */
export const rcuBooted = (): boolean => peek(nrRcuCpus) !== 0;

/**
 * As {@link bootUrcu}, with readers that cost nothing (urcu-qsbr.ts). A CPU is online from its first reader on; every `readers` of them it says that it is in
 * none, and so may others at any time by rcuQuiescentState(), as rcuHooks do on a machine. Who drives the machine calls enterIdle() when a CPU sleeps.
 *
 * *Context*: boot, on one CPU, before any other runs.
 */
export function* bootUrcuQsbr(nrCpus: number, readers = 256): Op<void> {
  configureKernel({ quietRcu: true });
  yield* boot(nrCpus, FLAVOUR_URCU_QSBR);
  initUrcuQsbr(readers);
}

/**
 * rcu_read_lock(): until the matching {@link rcuReadUnlock} nothing that a grace period protects is freed.
 *
 * *Context*: any; nests. The preemption count goes up, so the task can neither sleep nor be switched away from: that no reader
 * survives a context switch is the whole of classic RCU.
 * *Ordering*: none between CPUs (a compiler barrier).
 * *Source*: `rcu_read_lock`, include/linux/rcupdate.h, 2.6.27; lockdep's part (rcuReadAcquire) is 2.6.32.
 */
export function rcuReadLock(): Access<void> | Op<void> {
  if (configQuietRcu()) return urcuQsbrReadLock();
  rcuReadAcquire();
  if (!configSmp()) return upReadLock();
  return rcuFlavour() === FLAVOUR_URCU_MB ? urcuMbReadLock() : access(READ_LOCK, 0);
}

/** rcu_read_unlock(): see {@link rcuReadLock}. *Source*: include/linux/rcupdate.h, 2.6.27. */
export function rcuReadUnlock(): Access<void> | Op<void> {
  if (configQuietRcu()) return urcuQsbrReadUnlock();
  rcuReadRelease();
  if (!configSmp()) return upReadUnlock();
  return rcuFlavour() === FLAVOUR_URCU_MB ? urcuMbReadUnlock() : access(READ_UNLOCK, 0);
}

/**
 * rcu_read_lock_held(): whether a grace period cannot end while the caller goes on. Whether the caller said so is cpu's rcuLockMapHeld().
 *
 * *Returns* true inside a reader, and with preemption or interrupts off for any other reason: classic RCU cannot tell them apart, and
 * protects both.
 * *Source*: `rcu_read_lock_held`, include/linux/rcupdate.h (2.6.34; 2.6.27 has no such test).
 */
export const rcuReadLockHeld = (): boolean => inAtomic() || irqsDisabled();

/**
 * call_rcu(): invokes the callback once every reader that runs now has ended.
 *
 * *Context*: any, hardirq included. The head must stay untouched until the callback gets it.
 * *Ordering*: what precedes is seen by every reader that may run when the callback does.
 * *Source*: `call_rcu`, kernel/rcuclassic.c, 2.6.27.
 */
export function* callRcu(head: Ptr<RcuHead>, func: FunctionPointer<RcuCallback>): Op<void> {
  const flavour = rcuFlavour();
  if (flavour === FLAVOUR_CLASSIC) yield* callRcuClassic(head, func);
  else if (flavour === FLAVOUR_EVENTS) yield* access<void>(CALL, head, func);
  else yield* urcuCallRcu(head, func);
}

/** struct rcu_synchronize: a callback that completes. The kernel keeps it on the stack. */
interface RcuSynchronize {
  head: Embed<RcuHead>;
  completion: Embed<Completion>;
}
const RcuSynchronize: StructOf<RcuSynchronize> = struct<RcuSynchronize>('rcu_synchronize', {
  head: RcuHead,
  completion: Completion,
});
const rcuSynchronizeCachep: KmemCache<RcuSynchronize> = kmemCacheCreate(RcuSynchronize);

const wakemeAfterRcu = functionPointer('wakeme_after_rcu', function* (head: Ptr<RcuHead>): Op<void> {
  yield* complete(RcuSynchronize.completion(containerOf(head, RcuSynchronize, 'head')));
});

/**
 * synchronize_rcu(): returns when every reader that ran when it was called has ended.
 *
 * *Context*: may sleep; not inside a reader.
 * *Ordering*: full: what precedes is seen by every reader that begins after the return, and what a reader that had begun before did is
 * over. By the barriers of {@link rcuProcessCallbacks}, and by the completion's lock.
 * *Source*: `synchronize_rcu`, kernel/rcupdate.c, 2.6.27; the short cut for one CPU is `rcu_blocking_is_gp` (2.6.30).
 * *Differs*: the callback's head comes from a slab, as word memory has no stacks; when that fails it is tried again.
 */
export function* synchronizeRcu(): Op<void> {
  mightSleep();
  const flavour = rcuFlavour();
  // Of the one CPU that there is: as waitRcuGp().
  if (!configSmp()) yield* smpMb();
  else if (flavour === FLAVOUR_CLASSIC) yield* waitRcuGp();
  else if (flavour === FLAVOUR_EVENTS) yield* synchronizeEvent();
  else yield* urcuSynchronizeRcu();
}

function* synchronizeEvent(): Op<void> {
  const number = rcuEventsCounted() ? yield* beginRcuEvent() : 0;
  yield* access<void>(SYNCHRONIZE, 0);
  if (rcuEventsCounted()) yield* endRcuEvent(number);
}

/** wait_rcu_gp() of later kernels: asks for a callback and waits for it. */
function* waitRcuGp(): Op<void> {
  if (peek(nrRcuCpus) === 1) {
    // The only CPU runs us, and we may sleep, so it runs no reader.
    yield* smpMb();
    return;
  }
  for (;;) {
    const rcu = yield* kmemCacheAlloc(rcuSynchronizeCachep, GFP_KERNEL);
    if (rcu !== NULL) {
      yield* initCompletion(RcuSynchronize.completion(rcu));
      yield* callRcu(RcuSynchronize.head(rcu), wakemeAfterRcu);
      yield* waitForCompletion(RcuSynchronize.completion(rcu));
      yield* kmemCacheFree(rcuSynchronizeCachep, rcu);
      return;
    }
    yield* condResched();
  }
}
