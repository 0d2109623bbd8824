// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  atomicCmpxchg,
  atomicDecAndTest,
  atomicInc,
  atomicSet,
  Completion,
  complete,
  defineStatic,
  functionPointer,
  initCompletion,
  KernelBug,
  Mutex,
  mightSleep,
  mutexInit,
  mutexLock,
  mutexUnlock,
  peek,
  readOnce,
  smpMb,
  struct,
  waitForCompletion,
} from '@lockless/cpu';
import type { RcuHead } from '@lockless/mm-types';
import { FLAVOUR_CLASSIC, FLAVOUR_EVENTS, rcuFlavour } from './flavour.js';
import { nohzMaskWord, nrRcuCpus, RcuData, rcuData } from './rcu-struct.js';
import { callRcuClassic, thisRcuData } from './rcuclassic.js';
import { urcuReclaim } from './urcu-call-rcu.js';

/** What callers of rcu_barrier() share. */
interface RcuBarrierState {
  mutex: Embed<Mutex>;
  completion: Embed<Completion>;
  /** CPUs whose barrier callback has not run, and 1 for the caller while it still asks. */
  cpuCount: number;
}
const RcuBarrierState: StructOf<RcuBarrierState> = struct<RcuBarrierState>('rcu_barrier', {
  mutex: Mutex,
  completion: Completion,
  cpuCount: 1,
});
const state: Ptr<RcuBarrierState> = defineStatic(RcuBarrierState, 'rcu_barrier');

function* oneLess(): Op<void> {
  if (yield* atomicDecAndTest(RcuBarrierState.cpuCount(state))) yield* complete(RcuBarrierState.completion(state));
}

const rcuBarrierCallback = functionPointer('rcu_barrier_callback', (_head: Ptr<RcuHead>): Op<void> => oneLess());

/** Boot. */
export function* initRcuBarrier(): Op<void> {
  yield* mutexInit(RcuBarrierState.mutex(state));
}

/**
 * rcu_barrier(): returns when every callback that any CPU had queued before has been invoked.
 *
 * A callback of ours is queued behind them on each CPU; a CPU's callbacks are invoked in the order in which they were queued.
 * *Context*: may sleep; not inside a reader.
 * *Source*: `rcu_barrier`, kernel/rcupdate.c, 2.6.27.
 * *Differs*: the kernel interrupts each CPU to queue the callback; here the CPU is asked by a word that its next tick looks at. Throws KernelBug
 * `unsupported` where grace periods are events (bootRcuEvents()): no event says that callbacks were invoked.
 */
export function* rcuBarrier(): Op<void> {
  mightSleep();
  const flavour = rcuFlavour();
  if (flavour === FLAVOUR_EVENTS)
    throw new KernelBug(
      'unsupported',
      'rcu_barrier(): where grace periods are events, none says that callbacks were invoked',
    );
  if (flavour === FLAVOUR_CLASSIC) yield* askAllCpus();
  else yield* urcuReclaim();
}

function* askAllCpus(): Op<void> {
  yield* mutexLock(RcuBarrierState.mutex(state));
  yield* initCompletion(RcuBarrierState.completion(state));
  // 1 for ourselves, so that it does not complete while we still ask.
  yield* atomicSet(RcuBarrierState.cpuCount(state), 1);
  for (let cpu = 0; cpu < peek(nrRcuCpus); cpu++) yield* ask(cpu);
  yield* oneLess();
  yield* waitForCompletion(RcuBarrierState.completion(state));
  yield* mutexUnlock(RcuBarrierState.mutex(state));
}

function* ask(cpu: number): Op<void> {
  const request = RcuData.barrierRequest(rcuData(cpu));
  yield* atomicInc(RcuBarrierState.cpuCount(state));
  // Full barrier on success, pairs with the one in rcuEnterIdle(): the CPU sees the request before it sleeps, or we see it asleep.
  yield* atomicCmpxchg(request, 0, 1);
  yield* smpMb();
  const asleep = ((yield* readOnce(nohzMaskWord(cpu >> 5))) & (1 << (cpu & 31))) !== 0;
  // A CPU without a tick has no callbacks. It may wake up meanwhile, so whoever takes the request back counts it.
  if (asleep && (yield* atomicCmpxchg(request, 1, 0)) === 1) yield* oneLess();
}

/** rcu_barrier_func(): queues this CPU's barrier callback if rcu_barrier() asks for it. Softirq. */
export function* answerBarrierRequest(): Op<void> {
  const rdp = thisRcuData();
  if ((yield* readOnce(RcuData.barrierRequest(rdp))) === 0) return;
  if ((yield* atomicCmpxchg(RcuData.barrierRequest(rdp), 1, 0)) === 1) {
    yield* callRcuClassic(RcuData.barrier(rdp), rcuBarrierCallback);
  }
}
