// SPDX-License-Identifier: MIT
import type { Access } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';
import type { Ref } from './word.js';

const LOAD = code('load');
const STORE = code('store');
const READ_ONCE = code('READ_ONCE');
const WRITE_ONCE = code('WRITE_ONCE');
const LOAD_ACQUIRE = code('smp_load_acquire');
const STORE_RELEASE = code('smp_store_release');
const DEREFERENCE = code('rcu_dereference');
const ASSIGN_POINTER = code('rcu_assign_pointer');
const STORE_MB = code('smp_store_mb');

/** A plain C load. The compiler may tear, fuse or repeat it: only for data that a lock or a reference protects. */
export const load = <V extends number>(ref: Ref<V>): Access<V> => access(LOAD, ref);

/** A plain C store; see {@link load}. */
export const store = <V extends number>(ref: Ref<V>, value: V): Access<void> => access(STORE, ref, value);

/** READ_ONCE(): one load, no ordering but dependencies. */
export const readOnce = <V extends number>(ref: Ref<V>): Access<V> => access(READ_ONCE, ref);

/** WRITE_ONCE(): one store, no ordering. */
export const writeOnce = <V extends number>(ref: Ref<V>, value: V): Access<void> => access(WRITE_ONCE, ref, value);

/** smp_load_acquire(): what follows in program order stays after it. */
export const smpLoadAcquire = <V extends number>(ref: Ref<V>): Access<V> => access(LOAD_ACQUIRE, ref);

/** smp_store_release(): what precedes in program order stays before it. */
export const smpStoreRelease = <V extends number>(ref: Ref<V>, value: V): Access<void> =>
  access(STORE_RELEASE, ref, value);

/**
 * rcu_dereference(): loads a pointer whose target is then used. Also right for any word from which an address is computed (a page
 * table entry, an index into an array): accesses through it stay after it. Pairs with {@link rcuAssignPointer}.
 */
export const rcuDereference = <V extends number>(ref: Ref<V>): Access<V> => access(DEREFERENCE, ref);

/** rcu_assign_pointer(): publishes; the initialisation of the target stays before it. */
export const rcuAssignPointer = <V extends number>(ref: Ref<V>, value: V): Access<void> =>
  access(ASSIGN_POINTER, ref, value);

/** smp_store_mb() (set_mb() in 2.6.27): store, then a full barrier. */
export const smpStoreMb = <V extends number>(ref: Ref<V>, value: V): Access<void> => access(STORE_MB, ref, value);
