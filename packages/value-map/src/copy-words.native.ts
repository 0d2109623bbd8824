// SPDX-License-Identifier: GPL-2.0-only
import { load, type Ref, store, words } from '@lockless/cpu/native';

/* Plain copies: see copy-words.ts. What publishes a value (rcu_assign_pointer) orders them, what finds it (rcu_dereference) does, too. */

/** Fewer words than this are copied one by one: a call of set() has its price. */
const FEW = 24;

/** Copies `count` words into shared memory, from `from[start]` on. */
export function storeWords(to: Ref<number>, from: Int32Array, start: number, count: number): void {
  if (count >= FEW) words.set(from.subarray(start, start + count), to);
  else for (let i = 0; i < count; i++) store((to + i) as Ref<number>, from[start + i]);
}

/** Copies `count` words out of shared memory, to `to[start]` on. */
export function loadWords(from: Ref<number>, to: Int32Array, start: number, count: number): void {
  if (count >= FEW) to.set(words.subarray(from, from + count), start);
  else for (let i = 0; i < count; i++) to[start + i] = load((from + i) as Ref<number>);
}
