// SPDX-License-Identifier: MIT
import type { CacheOptions, KmemCache } from './kmem-cache.js';
import { cpuSegment, SEGMENT_IDS, type Segment } from './memory.js';
import { code } from './primitive.js';
import type { StructOf } from './struct.js';
import type { Null, Ptr } from './word.js';
import { CACHE_LINE_WORDS } from './word.js';

/** A cache as the native engine sees it. */
export interface NativeKmemCache<S> extends KmemCache<S> {
  /** Address of the words, one cache line, in which an engine keeps what threads share about the cache. */
  readonly control: number;
}

const caches: NativeKmemCache<unknown>[][] = [];

/** The kmemCacheCreate() of one package. */
export function kmemCaches(segment: Segment): <S>(type: StructOf<S>, options?: CacheOptions<S>) => KmemCache<S> {
  const own: NativeKmemCache<unknown>[] = [];
  caches[segment.number] = own;
  return <S>(
    type: StructOf<S>,
    { typesafeByRcu = false, align = CACHE_LINE_WORDS, hand }: CacheOptions<S> = {},
  ): KmemCache<S> => {
    if (own.length === SEGMENT_IDS) throw new Error(`${segment.packageName} has more than ${SEGMENT_IDS} slab caches`);
    const id = segment.number * SEGMENT_IDS + own.length;
    const control = segment.reserve(`kmem_cache ${type.$name}`, CACHE_LINE_WORDS, null);
    const cache: NativeKmemCache<S> = { id, type, typesafeByRcu, align, hand: hand ?? null, control };
    own.push(cache as unknown as NativeKmemCache<unknown>);
    return cache;
  };
}

export const kmemCacheCreate: <S>(type: StructOf<S>, options?: CacheOptions<S>) => KmemCache<S> =
  kmemCaches(cpuSegment);

/** The cache with that id, if this thread has loaded its package. For engines. */
export const kmemCacheOf = (id: number): NativeKmemCache<unknown> | undefined =>
  caches[id >> 10]?.[id & (SEGMENT_IDS - 1)];

const ALLOC = code('kmem_cache_alloc');
const FREE = code('kmem_cache_free');

/** kmem_cache_zalloc(): an object on cache lines of its own, zeroed unless the cache is type-stable, or NULL when memory is used up. */
export const kmemCacheAlloc = <S>(cache: KmemCache<S>, gfp: number): Ptr<S> | Null => ALLOC(cache.id, gfp);

/** kmem_cache_free(). */
export const kmemCacheFree = <S>(cache: KmemCache<S>, object: Ptr<S>): void => FREE(object, cache.id);
