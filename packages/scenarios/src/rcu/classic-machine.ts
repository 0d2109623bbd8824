// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr, Ref } from '@lockless/cpu';
import { defineStatic, defineWord, enterCpu, functionPointer, readOnce, thisCpu, writeOnce } from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import { rcuCheckCallbacks, rcuProcessCallbacks, rcuStall } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { x, y } from './guarantee.js';

/*
 * Classic RCU, rcuclassic.ts, with its ticks written out: a thread is a CPU, and calls what its timer interrupt would call.
 */

export const A = 'rcuProcessCallbacks.smp_mb#1';
export const B = 'rcuProcessCallbacks.smp_mb#2';
export const COMPLETED_ACQUIRE = 'processBatches.smp_load_acquire';
export const COMPLETED_RELEASE = 'cpuQuiet.smp_store_release';

export const source = 'kernel/rcuclassic.c, 2.6.27';

type Callback = FunctionPointer<RcuCallback>;
export const head: Ptr<RcuHead> = defineStatic(RcuHead, 'classic_head');
export const thirdHead: Ptr<RcuHead> = defineStatic(RcuHead, 'third_classic_head');
export const otherHead: Ptr<RcuHead> = defineStatic(RcuHead, 'other_classic_head');

/** What the callback saw of y. */
export const sawY: Ref<number> = defineWord('saw_y');
export const loadY: Callback = functionPointer('load_y', function* (_head: Ptr<RcuHead>): Op<void> {
  yield* writeOnce(sawY, yield* readOnce(y));
});
export const storeNothing: Callback = functionPointer('store_nothing', function* (_head: Ptr<RcuHead>): Op<void> {});
export const storeY: Callback = functionPointer('store_y', function* (_head: Ptr<RcuHead>): Op<void> {
  yield* writeOnce(y, 1);
});

/** A timer interrupt that hits user mode, or kernel code, and its softirq. */
export function* tick(user = true): Op<void> {
  yield* rcuCheckCallbacks(user);
  yield* rcuProcessCallbacks();
}
export function* ticks(count: number): Op<void> {
  for (let i = 0; i < count; i++) yield* tick();
}

/** Boot runs on CPU 0; this part of it on another. */
export function* onCpu(id: number, op: Op<void>): Op<void> {
  const boot = thisCpu;
  enterCpu({ ...boot, id });
  yield* op;
  enterCpu(boot);
}

/** A reader with a tick in it. */
export function* seeAcrossTick(): Op<{ x: number; y: number }> {
  const seen = yield* readOnce(x);
  yield* tick(false);
  return { x: seen, y: yield* readOnce(y) };
}

export const assertNoStall = (): void => {
  const stall = rcuStall();
  assertThat(stall === null, `a grace period will never end: ${stall}`);
};
