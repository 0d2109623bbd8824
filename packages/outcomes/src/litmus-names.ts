// SPDX-License-Identifier: GPL-2.0-only

/** How a primitive of a litmus test is called natively. Operands are numbered in the order of the litmus test's arguments. */
export interface NativeCall {
  /** Row of the table of primitives; null for what does nothing. */
  readonly primitive: string;
  /** Which argument is the address; null where there is none. */
  readonly address: number | null;
  /** The operand: an argument, its negative, its complement, or a constant. */
  readonly operand?: { readonly argument: number; readonly as?: '-' | '~' } | { readonly constant: number };
  /** What a cmpxchg expects, what an add_unless excludes. */
  readonly expected?: { readonly argument: number };
  /** What is made of the result: the value before an addition, a truth about a lock word. */
  readonly result?: 'minus operand' | 'as truth';
}

const load = (primitive: string): NativeCall => ({ primitive, address: 0 });
const store = (primitive: string): NativeCall => ({ primitive, address: 0, operand: { argument: 1 } });
const fence = (primitive: string): NativeCall => ({ primitive, address: null });
const exchange = (primitive: string): NativeCall => ({ primitive, address: 0, operand: { argument: 1 } });
const compareExchange = (primitive: string): NativeCall => ({
  primitive,
  address: 0,
  operand: { argument: 2 },
  expected: { argument: 1 },
});

type Operand = NonNullable<NativeCall['operand']>;
/** The four ways in which a read-modify-write of the kernel may order, by the suffix of its name. */
const SUFFIXES = ['', '_relaxed', '_acquire', '_release'] as const;
/** What is added: `(i, v)` and its negative, and for `(v)` one and minus one. */
const ADDED: Readonly<Record<string, readonly [address: number, operand: Operand]>> = {
  add: [1, { argument: 0 }],
  sub: [1, { argument: 0, as: '-' }],
  inc: [0, { constant: 1 }],
  dec: [0, { constant: -1 }],
};

/**
 * The primitives of litmus tests that can be run natively, in the words of cpu's table of primitives. What is missing has no counterpart there
 * (SRCU; `atomic_fetch_or()` and its like, of which only forms that return nothing or single bits are used).
 */
export const NATIVE_CALLS: Readonly<Record<string, NativeCall>> = {
  READ_ONCE: load('READ_ONCE'),
  WRITE_ONCE: store('WRITE_ONCE'),
  smp_load_acquire: load('smp_load_acquire'),
  smp_store_release: store('smp_store_release'),
  rcu_dereference: load('rcu_dereference'),
  rcu_assign_pointer: store('rcu_assign_pointer'),
  smp_store_mb: store('smp_store_mb'),
  atomic_read: load('READ_ONCE'),
  atomic_set: store('WRITE_ONCE'),
  atomic_read_acquire: load('smp_load_acquire'),
  atomic_set_release: store('smp_store_release'),

  smp_mb: fence('smp_mb'),
  smp_rmb: fence('smp_rmb'),
  smp_wmb: fence('smp_wmb'),
  smp_mb__before_atomic: fence('smp_mb__before_atomic'),
  smp_mb__after_atomic: fence('smp_mb__after_atomic'),
  smp_mb__after_spinlock: fence('smp_mb__after_spinlock'),
  smp_mb__after_unlock_lock: fence('smp_mb__after_unlock_lock'),
  barrier: fence('barrier'),

  ...bySuffix('xchg', (suffix) => exchange(`atomic_xchg${suffix}`)),
  ...bySuffix('atomic_xchg', (suffix) => exchange(`atomic_xchg${suffix}`)),
  ...bySuffix('cmpxchg', (suffix) => compareExchange(`atomic_cmpxchg${suffix}`)),
  ...bySuffix('atomic_cmpxchg', (suffix) => compareExchange(`atomic_cmpxchg${suffix}`)),

  ...added('atomic_', '', 'atomic_add'),
  ...added('atomic_', '_return', 'atomic_add_return'),
  ...added('atomic_', '_return_relaxed', 'atomic_add_return_relaxed'),
  ...added('atomic_', '_return_acquire', 'atomic_add_return_acquire'),
  ...added('atomic_', '_return_release', 'atomic_add_return_release'),
  ...added('atomic_fetch_', '', 'atomic_fetch_add'),
  ...added('atomic_fetch_', '_relaxed', 'atomic_add_return_relaxed', 'minus operand'),
  ...added('atomic_fetch_', '_acquire', 'atomic_add_return_acquire', 'minus operand'),
  ...added('atomic_fetch_', '_release', 'atomic_add_return_release', 'minus operand'),
  ...added('atomic_', '_and_test', 'atomic_add_and_test'),
  // Weaker forms are not in the table: the full one is at least as strong.
  ...bySuffix('atomic_add_negative', () => ({
    primitive: 'atomic_add_negative',
    address: 1,
    operand: { argument: 0 },
  })),
  atomic_add_unless: {
    primitive: 'atomic_add_unless',
    address: 0,
    operand: { argument: 1 },
    expected: { argument: 2 },
  },

  atomic_or: { primitive: 'set_bit', address: 1, operand: { argument: 0 } },
  atomic_and: { primitive: 'clear_bit', address: 1, operand: { argument: 0 } },
  atomic_andnot: { primitive: 'clear_bit', address: 1, operand: { argument: 0, as: '~' } },
  atomic_xor: { primitive: 'change_bit', address: 1, operand: { argument: 0 } },

  spin_trylock: { primitive: 'spin_trylock', address: 0, result: 'as truth' },
  spin_unlock: { primitive: 'spin_unlock', address: 0 },
  spin_is_locked: { primitive: 'READ_ONCE', address: 0, result: 'as truth' },

  rcu_read_lock: fence('rcu_read_lock'),
  rcu_read_unlock: fence('rcu_read_unlock'),
  synchronize_rcu: fence('synchronize_rcu'),
  synchronize_rcu_expedited: fence('synchronize_rcu'),
};

function bySuffix(name: string, call: (suffix: string) => NativeCall): Record<string, NativeCall> {
  return Object.fromEntries(SUFFIXES.map((suffix) => [`${name}${suffix}`, call(suffix)]));
}

function added(before: string, after: string, primitive: string, result?: 'minus operand'): Record<string, NativeCall> {
  return Object.fromEntries(
    Object.entries(ADDED).map(([name, [address, operand]]): [string, NativeCall] => [
      `${before}${name}${after}`,
      { primitive, address, operand, ...(result === undefined ? {} : { result }) },
    ]),
  );
}
