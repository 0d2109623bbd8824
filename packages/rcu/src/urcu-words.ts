// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr, Ref, StructOf } from '@lockless/cpu';
import { definePerCpuWord, defineStatic, struct } from '@lockless/cpu';

/** Nesting of readers in a reader's word, and the phase above. The counter itself has nesting 1, so that one copy of it begins a reader. */
export const NEST_MASK = 0xffff;
export const PHASE = 0x10000;

/** struct urcu_gp: the grace period in progress. */
export interface UrcuGp {
  /** The phase, and {@link NEST_MASK}'s 1. Written under the lock, read by every reader. */
  ctr: number;
  /** rcu_gp_lock: 0, or CPU + 1 of who waits for a grace period. One at a time; it says who, for the case that he dies. */
  lock: number;
  /** Grace periods that ended, for statistics; under the lock. */
  completed: number;
}
export const UrcuGp: StructOf<UrcuGp> = struct<UrcuGp>('urcu_gp', { ctr: 1, lock: 1, completed: 1 });
export const gp: Ptr<UrcuGp> = defineStatic(UrcuGp, 'urcu_gp');
/** Transient: who is gone reads no more, and no grace period waits for it. */
export const urcuReader: (cpu: number) => Ref<number> = definePerCpuWord('urcu_reader', true);
/** Readers that say nothing (urcu-qsbr.ts): how many more this CPU may end before it says that it is in none. Only it looks. */
export const urcuReadersLeft: (cpu: number) => Ref<number> = definePerCpuWord('urcu_readers_left');
