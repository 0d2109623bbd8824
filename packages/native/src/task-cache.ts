// SPDX-License-Identifier: MIT
import { type KmemCache, staticData } from '@lockless/cpu/native';
import { NativeTask } from './layout.js';

/** The segment of this package, for the one thing that it defines. */
const { kmemCacheCreate } = staticData(31, '@lockless/native');

/** Tasks beside those that threads begin with. */
export const nativeTaskCache: KmemCache<NativeTask> = kmemCacheCreate(NativeTask);
