// SPDX-License-Identifier: MIT

import { readOnce, writeOnce } from './access.js';
import type { Access } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';
import type { Ref } from './word.js';

/*
 * Documentation/atomic_t.txt: forms that return nothing order nothing; forms that return a value are full barriers;
 * _relaxed, _acquire and _release say less. A failed cmpxchg or add_unless orders nothing.
 */
const ADD = code('atomic_add');
const ADD_RETURN = code('atomic_add_return');
const ADD_RETURN_RELAXED = code('atomic_add_return_relaxed');
const ADD_RETURN_ACQUIRE = code('atomic_add_return_acquire');
const ADD_RETURN_RELEASE = code('atomic_add_return_release');
const FETCH_ADD = code('atomic_fetch_add');
const ADD_AND_TEST = code('atomic_add_and_test');
const ADD_NEGATIVE = code('atomic_add_negative');
const ADD_UNLESS = code('atomic_add_unless');
const XCHG = code('atomic_xchg');
const XCHG_RELAXED = code('atomic_xchg_relaxed');
const XCHG_ACQUIRE = code('atomic_xchg_acquire');
const XCHG_RELEASE = code('atomic_xchg_release');
const CMPXCHG = code('atomic_cmpxchg');
const CMPXCHG_RELAXED = code('atomic_cmpxchg_relaxed');
const CMPXCHG_ACQUIRE = code('atomic_cmpxchg_acquire');
const CMPXCHG_RELEASE = code('atomic_cmpxchg_release');

export const atomicRead = (v: Ref<number>): Access<number> => readOnce(v);
export const atomicSet = (v: Ref<number>, i: number): Access<void> => writeOnce(v, i);

export const atomicAdd = (i: number, v: Ref<number>): Access<void> => access(ADD, v, i);
export const atomicSub = (i: number, v: Ref<number>): Access<void> => access(ADD, v, -i);
export const atomicInc = (v: Ref<number>): Access<void> => access(ADD, v, 1);
export const atomicDec = (v: Ref<number>): Access<void> => access(ADD, v, -1);

export const atomicAddReturn = (i: number, v: Ref<number>): Access<number> => access(ADD_RETURN, v, i);
export const atomicSubReturn = (i: number, v: Ref<number>): Access<number> => access(ADD_RETURN, v, -i);
export const atomicIncReturn = (v: Ref<number>): Access<number> => access(ADD_RETURN, v, 1);
export const atomicDecReturn = (v: Ref<number>): Access<number> => access(ADD_RETURN, v, -1);
export const atomicAddReturnRelaxed = (i: number, v: Ref<number>): Access<number> => access(ADD_RETURN_RELAXED, v, i);
export const atomicAddReturnAcquire = (i: number, v: Ref<number>): Access<number> => access(ADD_RETURN_ACQUIRE, v, i);
export const atomicAddReturnRelease = (i: number, v: Ref<number>): Access<number> => access(ADD_RETURN_RELEASE, v, i);
export const atomicFetchAdd = (i: number, v: Ref<number>): Access<number> => access(FETCH_ADD, v, i);

/** True when the new value is 0. */
export const atomicDecAndTest = (v: Ref<number>): Access<boolean> => access(ADD_AND_TEST, v, -1);
export const atomicSubAndTest = (i: number, v: Ref<number>): Access<boolean> => access(ADD_AND_TEST, v, -i);
export const atomicIncAndTest = (v: Ref<number>): Access<boolean> => access(ADD_AND_TEST, v, 1);
/** True when the new value is negative. */
export const atomicAddNegative = (i: number, v: Ref<number>): Access<boolean> => access(ADD_NEGATIVE, v, i);

/** Adds `a` unless the value is `u`; true when it added. */
export const atomicAddUnless = (v: Ref<number>, a: number, u: number): Access<boolean> => access(ADD_UNLESS, v, a, u);
/** Takes one more unless there is none: the heart of the speculative reference. */
export const atomicIncNotZero = (v: Ref<number>): Access<boolean> => access(ADD_UNLESS, v, 1, 0);

/** All of these return the old value; for pointers too (`xchg()`, `cmpxchg()`). */
export const atomicXchg = <V extends number>(v: Ref<V>, next: V): Access<V> => access(XCHG, v, next);
export const atomicXchgRelaxed = <V extends number>(v: Ref<V>, next: V): Access<V> => access(XCHG_RELAXED, v, next);
export const atomicXchgAcquire = <V extends number>(v: Ref<V>, next: V): Access<V> => access(XCHG_ACQUIRE, v, next);
export const atomicXchgRelease = <V extends number>(v: Ref<V>, next: V): Access<V> => access(XCHG_RELEASE, v, next);
export const atomicCmpxchg = <V extends number>(v: Ref<V>, old: V, next: V): Access<V> => access(CMPXCHG, v, next, old);
export const atomicCmpxchgRelaxed = <V extends number>(v: Ref<V>, old: V, next: V): Access<V> =>
  access(CMPXCHG_RELAXED, v, next, old);
export const atomicCmpxchgAcquire = <V extends number>(v: Ref<V>, old: V, next: V): Access<V> =>
  access(CMPXCHG_ACQUIRE, v, next, old);
export const atomicCmpxchgRelease = <V extends number>(v: Ref<V>, old: V, next: V): Access<V> =>
  access(CMPXCHG_RELEASE, v, next, old);
