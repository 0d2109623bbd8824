// SPDX-License-Identifier: GPL-2.0-only
import { configProveRcu, KernelBug, rcuLockMapHeld } from '@lockless/cpu';

/*
 * Who may call get_page_unless_zero(). A reference that is taken on the strength of a pointer alone may be one to a page that has become
 * something else, and the page's new owner sees a count that he does not expect. If every such caller is an RCU reader from where it read the
 * pointer until it has given a wrong reference back, the owner knows when that is over: after one grace period his count is exact. One caller
 * who does not take part spoils it for all. So get_page_unless_zero() asserts it.
 * *Source*: Michel Lespinasse, "mm: assert that get_page_unless_zero() callers hold the rcu lock" (patch 6 of 9, 2011-08-19; not merged).
 */

/** A caller that need not be an RCU reader. */
export type RcuExempt =
  | 'isolateLruPage'
  | 'isolateLruPageForMigration'
  | 'memCgroupForceEmptyList'
  | 'hwpoisonInject'
  | 'memoryFailure'
  | 'unpoisonMemory'
  | 'getAnyPage'
  | 'doMigrateRange'
  | 'headOfTail';

/** What stands in for being an RCU reader, caller by caller, or the admission that nothing does. */
export const RCU_EXEMPT: Readonly<Record<RcuExempt, string>> = {
  isolateLruPage: 'zone->lru_lock is held: a page with PG_lru cannot be freed to its end',
  isolateLruPageForMigration: 'as isolateLruPage: zone->lru_lock is held',
  memCgroupForceEmptyList: 'the lru_lock of its group is held: its charge ends before it is freed',
  hwpoisonInject: 'a page is named by its number: nothing is known of it',
  memoryFailure: 'the machine reports a frame: nothing is known of it',
  unpoisonMemory: 'a page is named by its number: nothing is known of it',
  getAnyPage: 'a page is named by its number: nothing is known of it',
  doMigrateRange: 'memory hotplug goes by the numbers of frames: nothing is known of them',
  headOfTail:
    'a tail that is pinned had this head a moment ago; patch 3 of the series has RCU here, 70b50f94f1 has not',
};

/**
 * VM_BUG_ON(!rcu_read_lock_held()), if the kernel is built to ask. Throws KernelBug `no-rcu-reader`; the innermost frame of its stack is who
 * called `getter`, so reports name the call site.
 */
export function assertRcuReader(getter: (...given: never[]) => unknown): void {
  if (configProveRcu() && !rcuLockMapHeld()) throwNoReader(getter);
}

function throwNoReader(getter: (...given: never[]) => unknown): never {
  const broken = new KernelBug(
    'no-rcu-reader',
    'get_page_unless_zero() outside of rcu_read_lock(): take it, or get_page() if a reference or a lock keeps the page',
  );
  Error.captureStackTrace(broken, getter);
  throw broken;
}
