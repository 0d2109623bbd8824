// SPDX-License-Identifier: MIT
import { Completion, Mutex, RwSemaphore, SeqLock, staticData, struct, WaitQueueHead } from '@lockless/cpu/native';

const { defineStatic, defineWord, kmemCacheCreate } = staticData(63, 'native tests');

/** @type {import('@lockless/cpu/native').Ref<import('@lockless/cpu/native').SpinLock>} */
export const spin = defineWord('spin');
/** @type {import('@lockless/cpu/native').Ref<import('@lockless/cpu/native').RwLock>} */
export const rwlock = defineWord('rwlock');
export const count = defineWord('count');
export const other = defineWord('other');
export const stop = defineWord('stop');
export const mutex = defineStatic(Mutex, 'mutex');
export const sem = defineStatic(RwSemaphore, 'sem');
export const seqlock = defineStatic(SeqLock, 'seqlock');
export const ping = defineStatic(Completion, 'ping');
export const pong = defineStatic(Completion, 'pong');
export const queue = defineStatic(WaitQueueHead, 'queue');

export const Small = struct('small', { tag: 1, check: 1, rest: 6 });
export const Large = struct('large', { tag: 1, check: 1, rest: 38 });
export const smallCache = kmemCacheCreate(Small);
export const largeCache = kmemCacheCreate(Large, { typesafeByRcu: true });
