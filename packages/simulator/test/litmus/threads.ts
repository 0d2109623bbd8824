// SPDX-License-Identifier: MIT
import type { Access, Op, Ref } from '@lockless/cpu';
import { definePerCpuWord, defineWord, readOnce, type SpinLock, writeOnce } from '@lockless/cpu';
import type { MemoryModel } from '../../src/index.js';

export const x = defineWord('litmus_x');
export const y = defineWord('litmus_y');
export const z = defineWord('litmus_z');
export const p = defineWord('litmus_p');
export const own = definePerCpuWord('litmus_own');
export const lockA: Ref<SpinLock> = defineWord<SpinLock>('litmus_lock_a');
export const lockB: Ref<SpinLock> = defineWord<SpinLock>('litmus_lock_b');

export type Thread = (r: Record<string, number>) => Op<void>;
export const W = (ref: Ref<number>, value: number) => writeOnce(ref, value);
export const R = (ref: Ref<number>) => readOnce(ref);

export interface Shape {
  name: string;
  threads: Thread[];
  /** The outcome in question, over registers and the final x, y, z. */
  weird: (r: Record<string, number>) => boolean;
  /** Modes that must show it; no other mode may. */
  in: MemoryModel[];
}

/** Two stores by one CPU, with something between. */
export const writer = (
  between: (() => Access<void>) | null,
  last: (ref: Ref<number>, value: number) => Access<unknown> = W,
): Thread =>
  function* () {
    yield* W(x, 1);
    if (between !== null) yield* between();
    yield* last(y, 1);
  };
export const reader = (between: (() => Access<void>) | null, first: (ref: Ref<number>) => Access<number> = R): Thread =>
  function* (r) {
    r.a = yield* first(y);
    if (between !== null) yield* between();
    r.b = yield* R(x);
  };
export const stale = (r: Record<string, number>) => r.a === 1 && r.b === 0;
export const storeThenLoad = (
  mine: Ref<number>,
  other: Ref<number>,
  reg: string,
  fence: (() => Access<void>) | null,
): Thread =>
  function* (r) {
    yield* W(mine, 1);
    if (fence !== null) yield* fence();
    r[reg] = yield* R(other);
  };
export const bothZero = (r: Record<string, number>) => r.a === 0 && r.b === 0;
export const twoStores = (first: Ref<number>, second: Ref<number>, fence: (() => Access<void>) | null): Thread =>
  function* () {
    yield* W(first, 1);
    if (fence !== null) yield* fence();
    yield* W(second, 2);
  };
