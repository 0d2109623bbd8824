// SPDX-License-Identifier: MIT

/**
 * The one table from primitive to event. Every engine reads it; nothing else says what a primitive means.
 * It is to this project what `linux-kernel.def` is to herd's kernel model.
 *
 * event   R load, W store, RMW read-modify-write, F fence, LK/UL lock and unlock, RCU_SYNC a grace period, and events of the machine
 * order   what it orders by itself (LKMM): once/relaxed nothing, acquire, release, full (fence before and after)
 * result  what the caller gets of a read-modify-write: nothing, the old or new value, or a truth about them
 */
export type EventKind =
  | 'R'
  | 'W'
  | 'RMW'
  | 'F'
  | 'LK'
  | 'LF'
  | 'UL'
  | 'RLK'
  | 'RUL'
  | 'RCU_LOCK'
  | 'RCU_UNLOCK'
  | 'RCU_SYNC'
  | 'CALL_RCU'
  | 'CHOOSE'
  | 'ALLOC'
  | 'FREE'
  | 'RELAX'
  | 'SCHEDULE'
  | 'WAKE'
  | 'IO';
export type Ordering =
  | 'plain'
  | 'once'
  | 'relaxed'
  | 'acquire'
  | 'release'
  | 'full'
  | 'rmb'
  | 'wmb'
  | 'mb'
  | 'before-atomic'
  | 'after-atomic'
  | 'after-spinlock'
  | 'after-unlock-lock'
  | 'compiler'
  | 'dependency';
export type RmwOperation = 'add' | 'and' | 'or' | 'xor' | 'xchg' | 'cmpxchg' | 'add-unless';
export type RmwResult = 'none' | 'old' | 'new' | 'zero' | 'negative' | 'bits-set' | 'success';

export interface Primitive {
  /** The kernel's spelling. */
  readonly name: string;
  readonly event: EventKind;
  readonly order: Ordering;
  readonly operation?: RmwOperation;
  readonly result?: RmwResult;
}

const row = (name: string, event: EventKind, order: Ordering): Primitive => ({ name, event, order });
const rmw = (name: string, order: Ordering, operation: RmwOperation, result: RmwResult): Primitive => ({
  name,
  event: 'RMW',
  order,
  operation,
  result,
});

/** Code (position) is what an access carries; the order of rows has no other meaning. */
export const PRIMITIVES: readonly Primitive[] = [
  row('load', 'R', 'plain'),
  row('store', 'W', 'plain'),
  row('READ_ONCE', 'R', 'once'),
  row('WRITE_ONCE', 'W', 'once'),
  row('smp_load_acquire', 'R', 'acquire'),
  row('smp_store_release', 'W', 'release'),
  row('rcu_dereference', 'R', 'dependency'),
  row('rcu_assign_pointer', 'W', 'release'),
  row('smp_store_mb', 'W', 'mb'),

  row('smp_mb', 'F', 'mb'),
  row('smp_rmb', 'F', 'rmb'),
  row('smp_wmb', 'F', 'wmb'),
  row('smp_mb__before_atomic', 'F', 'before-atomic'),
  row('smp_mb__after_atomic', 'F', 'after-atomic'),
  row('smp_mb__after_spinlock', 'F', 'after-spinlock'),
  row('smp_mb__after_unlock_lock', 'F', 'after-unlock-lock'),
  row('barrier', 'F', 'compiler'),

  rmw('atomic_add', 'relaxed', 'add', 'none'),
  rmw('atomic_add_return', 'full', 'add', 'new'),
  rmw('atomic_add_return_relaxed', 'relaxed', 'add', 'new'),
  rmw('atomic_add_return_acquire', 'acquire', 'add', 'new'),
  rmw('atomic_add_return_release', 'release', 'add', 'new'),
  rmw('atomic_fetch_add', 'full', 'add', 'old'),
  rmw('atomic_add_and_test', 'full', 'add', 'zero'),
  rmw('atomic_add_negative', 'full', 'add', 'negative'),
  rmw('atomic_add_unless', 'full', 'add-unless', 'success'),
  rmw('atomic_xchg', 'full', 'xchg', 'old'),
  rmw('atomic_xchg_relaxed', 'relaxed', 'xchg', 'old'),
  rmw('atomic_xchg_acquire', 'acquire', 'xchg', 'old'),
  rmw('atomic_xchg_release', 'release', 'xchg', 'old'),
  rmw('atomic_cmpxchg', 'full', 'cmpxchg', 'old'),
  rmw('atomic_cmpxchg_relaxed', 'relaxed', 'cmpxchg', 'old'),
  rmw('atomic_cmpxchg_acquire', 'acquire', 'cmpxchg', 'old'),
  rmw('atomic_cmpxchg_release', 'release', 'cmpxchg', 'old'),

  rmw('set_bit', 'relaxed', 'or', 'none'),
  rmw('clear_bit', 'relaxed', 'and', 'none'),
  rmw('change_bit', 'relaxed', 'xor', 'none'),
  rmw('clear_bit_unlock', 'release', 'and', 'none'),
  rmw('test_and_set_bit', 'full', 'or', 'bits-set'),
  rmw('test_and_clear_bit', 'full', 'and', 'bits-set'),
  rmw('test_and_change_bit', 'full', 'xor', 'bits-set'),
  rmw('test_and_set_bit_lock', 'acquire', 'or', 'bits-set'),

  row('spin_lock', 'LK', 'acquire'),
  row('spin_trylock', 'LF', 'acquire'),
  row('spin_unlock', 'UL', 'release'),
  row('read_lock', 'RLK', 'acquire'),
  row('read_unlock', 'RUL', 'release'),
  row('write_lock', 'LK', 'acquire'),
  row('write_trylock', 'LF', 'acquire'),
  row('write_unlock', 'UL', 'release'),

  row('rcu_read_lock', 'RCU_LOCK', 'compiler'),
  row('rcu_read_unlock', 'RCU_UNLOCK', 'compiler'),
  row('synchronize_rcu', 'RCU_SYNC', 'mb'),
  row('call_rcu', 'CALL_RCU', 'release'),

  row('choose', 'CHOOSE', 'compiler'),

  row('kmem_cache_alloc', 'ALLOC', 'acquire'),
  row('kmem_cache_free', 'FREE', 'release'),
  row('cpu_relax', 'RELAX', 'compiler'),
  row('schedule', 'SCHEDULE', 'mb'),
  row('wake_up_process', 'WAKE', 'mb'),
  row('submit_io', 'IO', 'mb'),
];

/** Code of a primitive by the kernel's name. Throws on an unknown name, at module load. */
export function code(name: string): number {
  const found = PRIMITIVES.findIndex((p) => p.name === name);
  if (found < 0) throw new Error(`primitive ${name} is not in the table`);
  return found;
}

/** The value a read-modify-write stores. For `cmpxchg` and `add-unless` see {@link rmwSucceeds}. */
export function rmwStore(operation: RmwOperation, old: number, operand: number): number {
  switch (operation) {
    case 'add':
    case 'add-unless':
      return (old + operand) | 0;
    case 'and':
      return old & operand;
    case 'or':
      return old | operand;
    case 'xor':
      return old ^ operand;
    case 'xchg':
    case 'cmpxchg':
      return operand;
  }
}

/** Whether the store happens: a failed `cmpxchg` or `add_unless` is a plain relaxed load and orders nothing. */
export function rmwSucceeds(operation: RmwOperation, old: number, expected: number): boolean {
  if (operation === 'cmpxchg') return old === expected;
  if (operation === 'add-unless') return old !== expected;
  return true;
}

/** What the caller sees. `operand` matters for `bits-set` alone, where it is the mask of the bits asked about. */
export function rmwResult(
  result: RmwResult,
  old: number,
  stored: number,
  mask: number,
  success: boolean,
): number | boolean {
  switch (result) {
    case 'none':
      return 0;
    case 'old':
      return old;
    case 'new':
      return stored;
    case 'zero':
      return stored === 0;
    case 'negative':
      return stored < 0;
    case 'bits-set':
      return (old & mask) !== 0;
    case 'success':
      return success;
  }
}
