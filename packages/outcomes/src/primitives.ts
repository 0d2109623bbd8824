// SPDX-License-Identifier: GPL-2.0-only
import { NATIVE_PRIMITIVES, thisCpu, words } from '@lockless/cpu/native';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu/native';
import { ABANDON_LOCKS } from './litmus-code.js';

/** What the threads of a test call: by the kernel's name. */
export type Primitives = Readonly<Record<string, Perform>>;
type Perform = (address: number, operand: number, expected: number) => unknown;

/**
 * Which column of cpu's table of native primitives is tested: `fast`, which most programs use, or `strict`; or `plain`, which is wrong on purpose:
 * loads and stores of JavaScript, no barriers, no grace periods. What it shows is what machine and engine would do to the test.
 */
export type TableName = 'fast' | 'strict' | 'plain';

const nothing: Perform = () => 0;

/** Of a planted mistake: fences do nothing, and other accesses are loads and stores of JavaScript. */
const WEAK: Readonly<Record<string, 'load' | 'store' | 'nothing'>> = {
  READ_ONCE: 'load',
  WRITE_ONCE: 'store',
  smp_load_acquire: 'load',
  smp_store_release: 'store',
  rcu_dereference: 'load',
  rcu_assign_pointer: 'store',
  smp_store_mb: 'store',
  smp_mb: 'nothing',
  smp_rmb: 'nothing',
  smp_wmb: 'nothing',
  smp_mb__before_atomic: 'nothing',
  smp_mb__after_atomic: 'nothing',
  smp_mb__after_spinlock: 'nothing',
  smp_mb__after_unlock_lock: 'nothing',
  barrier: 'nothing',
  rcu_read_lock: 'nothing',
  rcu_read_unlock: 'nothing',
  synchronize_rcu: 'nothing',
};

/** Needs an engine (thread-engine.ts). `weakened`: primitives of the table that are replaced by what orders nothing, to see whether the test notices. */
export function primitivesOf(table: TableName, weakened: readonly string[]): Primitives {
  const column = table === 'plain' ? 'fast' : table;
  const primitives: Record<string, Perform> = {};
  for (const primitive of NATIVE_PRIMITIVES) primitives[primitive.name] = primitive[column];
  Object.assign(primitives, RCU, { [ABANDON_LOCKS]: abandonLocks });
  for (const name of table === 'plain' ? Object.keys(WEAK) : weakened) {
    const form = WEAK[name];
    if (form === undefined)
      throw new RangeError(`${name} has no weaker form natively: expected one of ${Object.keys(WEAK).join(', ')}`);
    primitives[name] = FORMS[form];
  }
  return primitives;
}

/** User-space RCU, stripped. */
const RCU: Primitives = {
  rcu_read_lock: () => rcuReadLock(),
  rcu_read_unlock: () => rcuReadUnlock(),
  synchronize_rcu: () => synchronizeRcu(),
};

const FORMS: Readonly<Record<'load' | 'store' | 'nothing', Perform>> = {
  load: (address) => words[address],
  store: (address, operand) => {
    words[address] = operand;
  },
  nothing,
};

/** The next instance is another one: a lock that this one keeps for ever is no lock that a thread holds. */
const abandonLocks: Perform = () => {
  thisCpu.heldDepth = 0;
};
