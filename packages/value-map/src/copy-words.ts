// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { load, store } from '@lockless/cpu';

/* What nobody else can see yet, or nobody changes any more, word by word. The native build has a file of its own, which copies at once. */

/** Copies `count` words into shared memory, from `from[start]` on. */
export function* storeWords(to: Ref<number>, from: Int32Array, start: number, count: number): Op<void> {
  for (let i = 0; i < count; i++) yield* store((to + i) as Ref<number>, from[start + i]);
}

/** Copies `count` words out of shared memory, to `to[start]` on. */
export function* loadWords(from: Ref<number>, to: Int32Array, start: number, count: number): Op<void> {
  for (let i = 0; i < count; i++) to[start + i] = yield* load((from + i) as Ref<number>);
}
