// SPDX-License-Identifier: MIT
import { choose } from './choose.js';
import { GFP_WAIT } from './gfp.js';
import type { CacheOptions, KmemCache } from './kmem-cache.js';
import { defineWord, peek, poke } from './memory.js';
import type { Access } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';
import type { StructOf } from './struct.js';
import type { Null, Ptr, Ref } from './word.js';
import { CACHE_LINE_WORDS } from './word.js';

const ALLOC = code('kmem_cache_alloc');
const FREE = code('kmem_cache_free');

const caches: KmemCache<unknown>[] = [];

/** kmem_cache_create(), at module load. */
export function kmemCacheCreate<S>(type: StructOf<S>, options: CacheOptions<S> = {}): KmemCache<S> {
  const { typesafeByRcu = false, align = CACHE_LINE_WORDS, hand = null } = options;
  const cache = { id: caches.length, type, typesafeByRcu, align, hand };
  caches.push(cache as unknown as KmemCache<unknown>);
  return cache;
}

/** The cache with that id. For engines. */
export const kmemCacheOf = (id: number): KmemCache<unknown> => caches[id];

const reservesExhausted: Ref<number> = defineWord('slab_reserves_exhausted');

/** From here on each allocation that may not sleep (no __GFP_WAIT) fails. Boot code only, for tests of what must not depend on luck. */
export const exhaustReserves = (): void => poke(reservesExhausted, 1);

/**
 * kmem_cache_zalloc(): a zeroed object, on cache lines of its own, or NULL when allocation failed (an injected fault).
 * *Ordering*: acquire; what the last owner did before freeing is over. *Differs*: does not reclaim, so it never sleeps.
 */
export const kmemCacheAlloc = <S>(cache: KmemCache<S>, gfp: number): Access<Ptr<S> | Null> =>
  (gfp & GFP_WAIT) === 0 && peek(reservesExhausted) !== 0
    ? (choose(1) as Access<number> as Access<Null>) // the one possibility: NULL
    : access(ALLOC, cache.id, gfp);

/** kmem_cache_free(). A second free, or an access after it, is a violation. *Ordering*: release. */
export const kmemCacheFree = <S>(cache: KmemCache<S>, object: Ptr<S>): Access<void> => access(FREE, object, cache.id);
