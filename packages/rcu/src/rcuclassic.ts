// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import {
  bugOn,
  defineGuard,
  load,
  localIrqRestore,
  localIrqSave,
  NULL,
  peek,
  pointedFunction,
  readOnce,
  smpLoadAcquire,
  smpMb,
  smpProcessorId,
  smpRmb,
  smpStoreRelease,
  smpWmb,
  spinLock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import type { RcuData } from './rcu-struct.js';
import {
  CPUMASK_WORDS,
  nohzMaskWord,
  nrRcuCpus,
  RcuCtrlblk,
  RcuData as Rdp,
  rcuCtrlblk as rcp,
  rcuData,
} from './rcu-struct.js';

/*
 * kernel/rcuclassic.c, Linux 2.6.27. Why a reader that began before a grace period is over after it:
 *
 *  1. call_rcu() queues; the softirq makes the queue this CPU's current batch and has batch cur + 1 started.
 *  2. Starting a batch notes every CPU that is awake. Each of them, once it sees the new `cur`, waits for a quiescent state *of its
 *     own that comes after that*: a context switch, or a tick that interrupts user mode or the idle loop. No reader spans one.
 *  3. It then takes its bit out of the mask, under the lock; who takes the last one advances `completed`.
 *  4. The first CPU sees `completed` and invokes the callbacks.
 *
 *  A reader's accesses come before its CPU's full barrier (context switch, or rcuProcessCallbacks A), that before the lock in 3, that before
 *  the release of `completed`, and that before the acquire in 4 and so before the callback. The other way round, the updater's
 *  removal comes before barrier A on its CPU, that before the new `cur`; a CPU that read it passes barrier B before its next reader begins,
 *  which therefore sees the removal.
 *
 *  Where each barrier is needed: scenarios `classic-*` of @lockless/scenarios. A: a callback joins a batch that is wanted already, so no lock
 *  orders the removal and the new `cur` (classic-joins-wanted-batch, TSO and LKMM). B: a tick within a reader reports a quiescent state from before it, so
 *  nobody waits for that reader (classic-tick-within-reader, LKMM). Elsewhere the lock of 3 does their work.
 */

const waitsForNextBatch = defineGuard(
  'nxtlistBecomesBatch.nextBatch',
  'callbacks join the batch that is already in progress',
);
const forgetsOlder = defineGuard('checkQuiescentState.forgetOlder', 'a quiescent state from before the batch counts');

/** Most callbacks that one softirq invokes. */
const BLIMIT = 10;
/** With more than QHIMARK callbacks queued there is no limit until fewer than QLOWMARK are left. */
const QHIMARK = 10000;
const QLOWMARK = 100;
const NO_LIMIT = 0x7fffffff;

/** rcu_batch_before(): batch numbers wrap. */
const batchBefore = (a: number, b: number): boolean => ((a - b) | 0) < 0;

/** This CPU's rcu_data; the caller cannot move. */
export const thisRcuData = (): Ptr<RcuData> => rcuData(smpProcessorId());

/**
 * call_rcu() of the classic flavour; see rcupdate.ts.
 *
 * *Ordering*: see the comment at the top.
 * *Source*: `call_rcu`, kernel/rcuclassic.c, 2.6.27.
 * *Differs*: when many callbacks are queued the limit of a softirq is lifted, but no CPU is interrupted to hurry (force_quiescent_state).
 */
export function* callRcuClassic(head: Ptr<RcuHead>, func: FunctionPointer<RcuCallback>): Op<void> {
  yield* store(RcuHead.func(head), func);
  yield* store(RcuHead.next(head), NULL);
  const flags = localIrqSave();
  const rdp = thisRcuData();
  yield* store(yield* load(Rdp.nxttail(rdp)), head);
  yield* store(Rdp.nxttail(rdp), RcuHead.next(head));
  const qlen = (yield* load(Rdp.qlen(rdp))) + 1;
  yield* store(Rdp.qlen(rdp), qlen);
  yield* store(Rdp.queued(rdp), ((yield* load(Rdp.queued(rdp))) + 1) | 0);
  if (qlen > QHIMARK) yield* store(Rdp.blimit(rdp), NO_LIMIT);
  localIrqRestore(flags);
}

/**
 * rcu_pending(): whether RCU has something to do on this CPU, so that a tick must call {@link rcuCheckCallbacks}.
 *
 * *Context*: preemption off; the CPU's own tick.
 * *Source*: `__rcu_pending`, kernel/rcuclassic.c, 2.6.27.
 */
export function* rcuPending(): Op<boolean> {
  const rdp = thisRcuData();
  if ((yield* load(Rdp.curlist(rdp))) !== NULL) {
    if (!batchBefore(yield* readOnce(RcuCtrlblk.completed(rcp)), yield* load(Rdp.batch(rdp)))) return true;
  } else if ((yield* load(Rdp.nxtlist(rdp))) !== NULL) return true;
  if ((yield* load(Rdp.donelist(rdp))) !== NULL) return true;
  if ((yield* load(Rdp.quiescbatch(rdp))) !== (yield* readOnce(RcuCtrlblk.cur(rcp)))) return true;
  if ((yield* load(Rdp.qsPending(rdp))) !== 0) return true;
  return (yield* readOnce(Rdp.barrierRequest(rdp))) !== 0;
}

/** rcu_needs_cpu(): as {@link rcuPending}, or callbacks wait for a grace period: the tick may not stop. */
export function* rcuNeedsCpu(): Op<boolean> {
  return (yield* load(Rdp.curlist(thisRcuData()))) !== NULL || (yield* rcuPending());
}

/**
 * rcu_qsctr_inc(): this CPU is in a quiescent state. The scheduler calls it at each context switch.
 *
 * *Context*: not inside a reader. Preemption off.
 * *Ordering*: none of its own; a context switch is a full barrier, and after a tick {@link rcuProcessCallbacks} begins with one.
 * *Source*: `rcu_qsctr_inc`, include/linux/rcuclassic.h, 2.6.27.
 */
export function* rcuNoteContextSwitch(): Op<void> {
  yield* store(Rdp.passedQuiesc(thisRcuData()), 1);
}

/** The body of the RCU softirq; see {@link rcuProcessCallbacks}. *Source*: `__rcu_process_callbacks`, kernel/rcuclassic.c, 2.6.27. */
export function* processBatches(): Op<void> {
  const rdp = thisRcuData();
  if ((yield* load(Rdp.curlist(rdp))) !== NULL) {
    // Acquire, pairs with cpuQuiet(): the readers of all CPUs are over before the callbacks run. 2.6.27 has a plain load here, which under LKMM
    // lets a callback read what was there before a reader's store (scenario classic-readers-store).
    const completed = yield* smpLoadAcquire(RcuCtrlblk.completed(rcp));
    if (!batchBefore(completed, yield* load(Rdp.batch(rdp)))) yield* curlistIsDone(rdp);
  }
  if ((yield* load(Rdp.nxtlist(rdp))) !== NULL && (yield* load(Rdp.curlist(rdp))) === NULL)
    yield* nxtlistBecomesBatch(rdp);
  yield* checkQuiescentState(rdp);
  if ((yield* load(Rdp.donelist(rdp))) !== NULL) yield* doBatch(rdp);
}

function* curlistIsDone(rdp: Ptr<RcuData>): Op<void> {
  yield* store(yield* load(Rdp.donetail(rdp)), yield* load(Rdp.curlist(rdp)));
  yield* store(Rdp.donetail(rdp), yield* load(Rdp.curtail(rdp)));
  yield* store(Rdp.curlist(rdp), NULL);
  yield* store(Rdp.curtail(rdp), Rdp.curlist(rdp));
}

function* nxtlistBecomesBatch(rdp: Ptr<RcuData>): Op<void> {
  const flags = localIrqSave();
  yield* store(Rdp.curlist(rdp), yield* load(Rdp.nxtlist(rdp)));
  yield* store(Rdp.curtail(rdp), yield* load(Rdp.nxttail(rdp)));
  yield* store(Rdp.nxtlist(rdp), NULL);
  yield* store(Rdp.nxttail(rdp), Rdp.nxtlist(rdp));
  localIrqRestore(flags);

  yield* store(Rdp.batch(rdp), ((yield* readOnce(RcuCtrlblk.cur(rcp))) + (waitsForNextBatch() ? 1 : 0)) | 0);
  // Pairs with the write barrier in startBatch(): a `cur` that is already our batch means that nextPending is seen cleared.
  yield* smpRmb();
  if ((yield* readOnce(RcuCtrlblk.nextPending(rcp))) === 0) {
    yield* spinLock(RcuCtrlblk.lock(rcp));
    yield* writeOnce(RcuCtrlblk.nextPending(rcp), 1);
    yield* startBatch();
    yield* spinUnlock(RcuCtrlblk.lock(rcp));
  }
}

/** rcu_start_batch(): begins the next batch when one is wanted and none is in progress. Under the lock. */
function* startBatch(): Op<void> {
  const cur = yield* load(RcuCtrlblk.cur(rcp));
  if ((yield* load(RcuCtrlblk.nextPending(rcp))) === 0 || (yield* load(RcuCtrlblk.completed(rcp))) !== cur) return;
  yield* writeOnce(RcuCtrlblk.nextPending(rcp), 0);
  // Pairs with the read barrier in nxtlistBecomesBatch().
  yield* smpWmb();
  yield* writeOnce(RcuCtrlblk.cur(rcp), (cur + 1) | 0);
  // Pairs with the barriers of rcuEnterIdle() and rcuExitIdle(): a CPU that falls asleep sees the new batch, or we see it asleep; and a
  // CPU that we see asleep begins no reader that misses what was removed before this batch.
  yield* smpMb();
  for (let index = 0; index < CPUMASK_WORDS; index++) {
    const asleep = yield* readOnce(nohzMaskWord(index));
    yield* store(RcuCtrlblk.cpumask(rcp, index), onlineMask(index) & ~asleep);
  }
}

/** Word `index` of cpu_online_map. */
function onlineMask(index: number): number {
  const count = Math.min(Math.max(peek(nrRcuCpus) - index * 32, 0), 32);
  return count === 32 ? -1 : (1 << count) - 1;
}

/** cpu_quiet(): this CPU has passed a quiescent state for the batch in progress. Under the lock. */
function* cpuQuiet(): Op<void> {
  const cpu = smpProcessorId();
  const own = RcuCtrlblk.cpumask(rcp, cpu >> 5);
  yield* store(own, (yield* load(own)) & ~(1 << (cpu & 31)));
  for (let index = 0; index < CPUMASK_WORDS; index++) {
    if ((yield* load(RcuCtrlblk.cpumask(rcp, index))) !== 0) return;
  }
  // Release, pairs with the acquire in processBatches(). The lock has brought us what all other CPUs did before their cpuQuiet().
  yield* smpStoreRelease(RcuCtrlblk.completed(rcp), yield* load(RcuCtrlblk.cur(rcp)));
  yield* startBatch();
}

/** rcu_check_quiescent_state(): learns of a new batch, or reports that this CPU is through with the one it knows. */
function* checkQuiescentState(rdp: Ptr<RcuData>): Op<void> {
  const cur = yield* readOnce(RcuCtrlblk.cur(rcp));
  if ((yield* load(Rdp.quiescbatch(rdp))) !== cur) {
    // Only quiescent states from now on count: the one noted so far may be older than the batch.
    yield* store(Rdp.qsPending(rdp), 1);
    if (forgetsOlder()) yield* store(Rdp.passedQuiesc(rdp), 0);
    yield* store(Rdp.quiescbatch(rdp), cur);
    return;
  }
  if ((yield* load(Rdp.qsPending(rdp))) === 0 || (yield* load(Rdp.passedQuiesc(rdp))) === 0) return;
  yield* store(Rdp.qsPending(rdp), 0);
  yield* spinLock(RcuCtrlblk.lock(rcp));
  // The batch may have ended without us, if we were asleep when it began.
  if ((yield* load(Rdp.quiescbatch(rdp))) === (yield* load(RcuCtrlblk.cur(rcp)))) yield* cpuQuiet();
  yield* spinUnlock(RcuCtrlblk.lock(rcp));
}

/** rcu_do_batch(): invokes callbacks whose grace period is over, at most blimit of them. */
function* doBatch(rdp: Ptr<RcuData>): Op<void> {
  const limit = yield* load(Rdp.blimit(rdp));
  let count = 0;
  let list = yield* load(Rdp.donelist(rdp));
  while (list !== NULL && count < limit) {
    // The callback may free the object that the head is part of.
    const next = yield* load(RcuHead.next(list));
    yield* pointedFunction(yield* load(RcuHead.func(list)))(list);
    list = next;
    count++;
  }
  yield* store(Rdp.donelist(rdp), list);
  if (list === NULL) yield* store(Rdp.donetail(rdp), Rdp.donelist(rdp));
  yield* accountInvoked(rdp, count);
}

function* accountInvoked(rdp: Ptr<RcuData>, count: number): Op<void> {
  const flags = localIrqSave();
  const qlen = (yield* load(Rdp.qlen(rdp))) - count;
  yield* store(Rdp.qlen(rdp), qlen);
  yield* store(Rdp.invoked(rdp), ((yield* load(Rdp.invoked(rdp))) + count) | 0);
  if ((yield* load(Rdp.blimit(rdp))) === NO_LIMIT && qlen <= QLOWMARK) yield* store(Rdp.blimit(rdp), BLIMIT);
  localIrqRestore(flags);
}

/** rcu_init_percpu_data() for one CPU. It takes part in no batch that is in progress. */
export function* initRcuData(cpu: number): Op<void> {
  const rdp = rcuData(cpu);
  bugOn((yield* load(Rdp.qlen(rdp))) !== 0, 'rcuInit with callbacks queued');
  yield* store(Rdp.nxttail(rdp), Rdp.nxtlist(rdp));
  yield* store(Rdp.curtail(rdp), Rdp.curlist(rdp));
  yield* store(Rdp.donetail(rdp), Rdp.donelist(rdp));
  yield* store(Rdp.quiescbatch(rdp), yield* load(RcuCtrlblk.completed(rcp)));
  yield* store(Rdp.blimit(rdp), BLIMIT);
}
