// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';

/**
 * What an ordering site turns into when it is left out: the same access without the ordering. The whole table; a primitive that is not in it
 * orders nothing that could be left out. Locks are not in it: a lock word without its ordering is no lock.
 */
const WEAKER: Readonly<Record<string, string>> = {
  // Accesses that order keep the access.
  smp_load_acquire: 'READ_ONCE',
  smp_store_release: 'WRITE_ONCE',
  smp_store_mb: 'WRITE_ONCE',
  rcu_assign_pointer: 'WRITE_ONCE',
  // A dependency is no more: what follows through the pointer may be read earlier than the pointer, as on Alpha.
  rcu_dereference: 'READ_ONCE without its address dependency',

  // Fences go away.
  smp_mb: 'nothing',
  smp_rmb: 'nothing',
  smp_wmb: 'nothing',
  smp_mb__before_atomic: 'nothing',
  smp_mb__after_atomic: 'nothing',
  smp_mb__after_spinlock: 'nothing',
  smp_mb__after_unlock_lock: 'nothing',

  // Read-modify-writes stay atomic.
  atomic_add_return: 'atomic_add_return_relaxed',
  atomic_add_return_acquire: 'atomic_add_return_relaxed',
  atomic_add_return_release: 'atomic_add_return_relaxed',
  atomic_fetch_add: 'atomic_fetch_add_relaxed',
  atomic_add_and_test: 'atomic_add_and_test_relaxed',
  atomic_add_negative: 'atomic_add_negative_relaxed',
  atomic_add_unless: 'atomic_add_unless_relaxed',
  atomic_xchg: 'atomic_xchg_relaxed',
  atomic_xchg_acquire: 'atomic_xchg_relaxed',
  atomic_xchg_release: 'atomic_xchg_relaxed',
  atomic_cmpxchg: 'atomic_cmpxchg_relaxed',
  atomic_cmpxchg_acquire: 'atomic_cmpxchg_relaxed',
  atomic_cmpxchg_release: 'atomic_cmpxchg_relaxed',
  clear_bit_unlock: 'clear_bit',
  test_and_set_bit: 'test_and_set_bit_relaxed',
  test_and_clear_bit: 'test_and_clear_bit_relaxed',
  test_and_change_bit: 'test_and_change_bit_relaxed',
  test_and_set_bit_lock: 'test_and_set_bit_relaxed',
};

/** By code of the primitive: what it is without its ordering, or null when it cannot be left out. */
export const WEAKENED: readonly (string | null)[] = PRIMITIVES.map(({ name }) => WEAKER[name] ?? null);
