// SPDX-License-Identifier: MIT
import type { Tag } from '@lockless/memory-model';
import type { Operator } from './elaborate-value.js';

/** How a primitive orders: what is between the braces in linux-kernel.def. */
export type Ordering = 'mb' | 'acquire' | 'release' | 'once' | 'noreturn';

/**
 * What a primitive does, in terms of events. `x` is a pointer and `*x` an lvalue; v, w are values.
 * A read-modify-write is a load and a store; what its ordering makes of their tags is in elaborate-atomic.ts.
 */
export type Macro =
  /** `x` or `*x`: load. */
  | { readonly does: 'load'; readonly parameters: readonly ['x' | '*x']; readonly tag: Tag }
  /** `x, v` or `*x, v`: store, and then a fence. */
  | {
      readonly does: 'store';
      readonly parameters: readonly ['x' | '*x', 'v'];
      readonly tag: Tag;
      readonly fence: Tag | null;
    }
  | { readonly does: 'fence'; readonly parameters: readonly []; readonly tag: Tag }
  /** A fence about one location. */
  | { readonly does: 'fenceAt'; readonly parameters: readonly ['x']; readonly tag: Tag }
  | { readonly does: 'lock' | 'unlock' | 'trylock' | 'isLocked'; readonly parameters: readonly ['x'] }
  | { readonly does: 'exchange'; readonly parameters: readonly ['x', 'v']; readonly ordering: Ordering }
  /** Stores w if it was v. Returns what was there. */
  | { readonly does: 'compareExchange'; readonly parameters: readonly ['x', 'v', 'w']; readonly ordering: Ordering }
  /** Adds v unless it was w. Returns whether it did. */
  | { readonly does: 'addUnless'; readonly parameters: readonly ['x', 'v', 'w']; readonly ordering: Ordering }
  /** `*x = *x operator v`; without a parameter v, v is 1. */
  | {
      readonly does: 'modify';
      readonly parameters: readonly ['v', 'x'] | readonly ['x'];
      readonly operator: Operator;
      readonly ordering: Ordering;
      readonly returns: Returns;
    };

/** What a read-modify-write returns: nothing, what was there, what is there now, whether that is 0, whether it is negative. */
type Returns = 'nothing' | 'old' | 'new' | 'new == 0' | 'new < 0';

const load = (x: 'x' | '*x', tag: Tag): Macro => ({ does: 'load', parameters: [x], tag });
const store = (x: 'x' | '*x', tag: Tag, fence: Tag | null = null): Macro => ({
  does: 'store',
  parameters: [x, 'v'],
  tag,
  fence,
});
const fence = (tag: Tag): Macro => ({ does: 'fence', parameters: [], tag });
const fenceAt = (tag: Tag): Macro => ({ does: 'fenceAt', parameters: ['x'], tag });
const exchange = (ordering: Ordering): Macro => ({ does: 'exchange', parameters: ['x', 'v'], ordering });
const compareExchange = (ordering: Ordering): Macro => ({
  does: 'compareExchange',
  parameters: ['x', 'v', 'w'],
  ordering,
});
/** `(v, x)`. */
const modify = (operator: Operator, ordering: Ordering, returns: Returns): Macro => ({
  does: 'modify',
  parameters: ['v', 'x'],
  operator,
  ordering,
  returns,
});
/** `(x)`. */
const modifyBy1 = (operator: Operator, ordering: Ordering, returns: Returns): Macro => ({
  does: 'modify',
  parameters: ['x'],
  operator,
  ordering,
  returns,
});

/** The primitives that litmus tests may call: linux-kernel.def as a table. */
export const MACROS: Readonly<Record<string, Macro>> = {
  // Accesses
  READ_ONCE: load('*x', 'once'),
  WRITE_ONCE: store('*x', 'once'),
  smp_load_acquire: load('x', 'acquire'),
  smp_store_release: store('x', 'release'),
  rcu_dereference: load('*x', 'once'),
  rcu_assign_pointer: store('*x', 'release'),
  smp_store_mb: store('*x', 'once', 'mb'),

  // Fences
  smp_mb: fence('mb'),
  smp_rmb: fence('rmb'),
  smp_wmb: fence('wmb'),
  smp_mb__before_atomic: fence('before-atomic'),
  smp_mb__after_atomic: fence('after-atomic'),
  smp_mb__after_spinlock: fence('after-spinlock'),
  smp_mb__after_unlock_lock: fence('after-unlock-lock'),
  smp_mb__after_srcu_read_unlock: fence('after-srcu-read-unlock'),
  barrier: fence('barrier'),

  // Exchanges
  xchg: exchange('mb'),
  xchg_relaxed: exchange('once'),
  xchg_release: exchange('release'),
  xchg_acquire: exchange('acquire'),
  cmpxchg: compareExchange('mb'),
  cmpxchg_relaxed: compareExchange('once'),
  cmpxchg_release: compareExchange('release'),
  cmpxchg_acquire: compareExchange('acquire'),

  // Spinlocks
  spin_lock: { does: 'lock', parameters: ['x'] },
  spin_unlock: { does: 'unlock', parameters: ['x'] },
  spin_trylock: { does: 'trylock', parameters: ['x'] },
  spin_is_locked: { does: 'isLocked', parameters: ['x'] },

  // RCU
  rcu_read_lock: fence('rcu-lock'),
  rcu_read_unlock: fence('rcu-unlock'),
  synchronize_rcu: fence('sync-rcu'),
  synchronize_rcu_expedited: fence('sync-rcu'),

  // SRCU: srcu_read_lock() loads from the srcu_struct what srcu_read_unlock() stores there.
  srcu_read_lock: load('x', 'srcu-lock'),
  srcu_read_unlock: store('x', 'srcu-unlock'),
  srcu_down_read: load('x', 'srcu-lock'),
  srcu_up_read: store('x', 'srcu-unlock'),
  synchronize_srcu: fenceAt('sync-srcu'),
  synchronize_srcu_expedited: fenceAt('sync-srcu'),

  // Atomics that are not read-modify-writes
  atomic_read: load('x', 'once'),
  atomic_set: store('x', 'once'),
  atomic_read_acquire: load('x', 'acquire'),
  atomic_set_release: store('x', 'release'),

  // Atomics that return nothing
  atomic_add: modify('+', 'noreturn', 'nothing'),
  atomic_sub: modify('-', 'noreturn', 'nothing'),
  atomic_and: modify('&', 'noreturn', 'nothing'),
  atomic_or: modify('|', 'noreturn', 'nothing'),
  atomic_xor: modify('^', 'noreturn', 'nothing'),
  atomic_andnot: modify('&~', 'noreturn', 'nothing'),
  atomic_inc: modifyBy1('+', 'noreturn', 'nothing'),
  atomic_dec: modifyBy1('-', 'noreturn', 'nothing'),

  // Atomics that return the new value
  atomic_add_return: modify('+', 'mb', 'new'),
  atomic_add_return_relaxed: modify('+', 'once', 'new'),
  atomic_add_return_acquire: modify('+', 'acquire', 'new'),
  atomic_add_return_release: modify('+', 'release', 'new'),
  atomic_sub_return: modify('-', 'mb', 'new'),
  atomic_sub_return_relaxed: modify('-', 'once', 'new'),
  atomic_sub_return_acquire: modify('-', 'acquire', 'new'),
  atomic_sub_return_release: modify('-', 'release', 'new'),
  atomic_inc_return: modifyBy1('+', 'mb', 'new'),
  atomic_inc_return_relaxed: modifyBy1('+', 'once', 'new'),
  atomic_inc_return_acquire: modifyBy1('+', 'acquire', 'new'),
  atomic_inc_return_release: modifyBy1('+', 'release', 'new'),
  atomic_dec_return: modifyBy1('-', 'mb', 'new'),
  atomic_dec_return_relaxed: modifyBy1('-', 'once', 'new'),
  atomic_dec_return_acquire: modifyBy1('-', 'acquire', 'new'),
  atomic_dec_return_release: modifyBy1('-', 'release', 'new'),

  // Atomics that return the old value
  atomic_fetch_add: modify('+', 'mb', 'old'),
  atomic_fetch_add_relaxed: modify('+', 'once', 'old'),
  atomic_fetch_add_acquire: modify('+', 'acquire', 'old'),
  atomic_fetch_add_release: modify('+', 'release', 'old'),
  atomic_fetch_sub: modify('-', 'mb', 'old'),
  atomic_fetch_sub_relaxed: modify('-', 'once', 'old'),
  atomic_fetch_sub_acquire: modify('-', 'acquire', 'old'),
  atomic_fetch_sub_release: modify('-', 'release', 'old'),
  atomic_fetch_inc: modifyBy1('+', 'mb', 'old'),
  atomic_fetch_inc_relaxed: modifyBy1('+', 'once', 'old'),
  atomic_fetch_inc_acquire: modifyBy1('+', 'acquire', 'old'),
  atomic_fetch_inc_release: modifyBy1('+', 'release', 'old'),
  atomic_fetch_dec: modifyBy1('-', 'mb', 'old'),
  atomic_fetch_dec_relaxed: modifyBy1('-', 'once', 'old'),
  atomic_fetch_dec_acquire: modifyBy1('-', 'acquire', 'old'),
  atomic_fetch_dec_release: modifyBy1('-', 'release', 'old'),
  atomic_fetch_and: modify('&', 'mb', 'old'),
  atomic_fetch_and_relaxed: modify('&', 'once', 'old'),
  atomic_fetch_and_acquire: modify('&', 'acquire', 'old'),
  atomic_fetch_and_release: modify('&', 'release', 'old'),
  atomic_fetch_or: modify('|', 'mb', 'old'),
  atomic_fetch_or_relaxed: modify('|', 'once', 'old'),
  atomic_fetch_or_acquire: modify('|', 'acquire', 'old'),
  atomic_fetch_or_release: modify('|', 'release', 'old'),
  atomic_fetch_xor: modify('^', 'mb', 'old'),
  atomic_fetch_xor_relaxed: modify('^', 'once', 'old'),
  atomic_fetch_xor_acquire: modify('^', 'acquire', 'old'),
  atomic_fetch_xor_release: modify('^', 'release', 'old'),
  atomic_fetch_andnot: modify('&~', 'mb', 'old'),
  atomic_fetch_andnot_relaxed: modify('&~', 'once', 'old'),
  atomic_fetch_andnot_acquire: modify('&~', 'acquire', 'old'),
  atomic_fetch_andnot_release: modify('&~', 'release', 'old'),

  // Exchanges of atomics
  atomic_xchg: exchange('mb'),
  atomic_xchg_relaxed: exchange('once'),
  atomic_xchg_release: exchange('release'),
  atomic_xchg_acquire: exchange('acquire'),
  atomic_cmpxchg: compareExchange('mb'),
  atomic_cmpxchg_relaxed: compareExchange('once'),
  atomic_cmpxchg_release: compareExchange('release'),
  atomic_cmpxchg_acquire: compareExchange('acquire'),

  // Atomics that test the new value
  atomic_sub_and_test: modify('-', 'mb', 'new == 0'),
  atomic_dec_and_test: modifyBy1('-', 'mb', 'new == 0'),
  atomic_inc_and_test: modifyBy1('+', 'mb', 'new == 0'),
  atomic_add_negative: modify('+', 'mb', 'new < 0'),
  atomic_add_negative_relaxed: modify('+', 'once', 'new < 0'),
  atomic_add_negative_acquire: modify('+', 'acquire', 'new < 0'),
  atomic_add_negative_release: modify('+', 'release', 'new < 0'),
  atomic_add_unless: { does: 'addUnless', parameters: ['x', 'v', 'w'], ordering: 'mb' },
};
