// SPDX-License-Identifier: MIT
import { choose } from './choose.js';
import { defineWord, peek, poke } from './memory.js';
import type { Access } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';
import type { StructOf } from './struct.js';
import type { Null, Ptr, Ref } from './word.js';
import { CACHE_LINE_WORDS } from './word.js';

const ALLOC = code('kmem_cache_alloc');
const FREE = code('kmem_cache_free');

/** gfp_t, include/linux/gfp.h (2.6.27). Values are ours, names and meaning the kernel's. */
export const GFP_WAIT = 0x10;
export const GFP_HIGH = 0x20;
export const GFP_IO = 0x40;
export const GFP_FS = 0x80;
export const GFP_COLD = 0x100;
export const GFP_NOWARN = 0x200;
export const GFP_REPEAT = 0x400;
export const GFP_NOFAIL = 0x800;
export const GFP_NORETRY = 0x1000;
/** Of pages: make the block a compound page. */
export const GFP_COMP = 0x4000;
export const GFP_ZERO = 0x8000;
export const GFP_NOMEMALLOC = 0x10000;
export const GFP_HARDWALL = 0x20000;
/** Of pages: do not wake kswapd for it. */
export const GFP_NO_KSWAPD = 0x80000;
export const GFP_MOVABLE = 0x100000;
export const GFP_HIGHMEM = 0x2;
export const GFP_BITS_SHIFT = 21;
export const GFP_ATOMIC: number = GFP_HIGH;
export const GFP_NOWAIT = 0;
export const GFP_NOIO: number = GFP_WAIT;
export const GFP_NOFS: number = GFP_WAIT | GFP_IO;
export const GFP_KERNEL: number = GFP_WAIT | GFP_IO | GFP_FS;
export const GFP_USER: number = GFP_KERNEL | GFP_HARDWALL;
export const GFP_HIGHUSER: number = GFP_USER | GFP_HIGHMEM;
export const GFP_HIGHUSER_MOVABLE: number = GFP_HIGHUSER | GFP_MOVABLE;

export interface CacheOptions {
  /**
   * SLAB_DESTROY_BY_RCU: a freed object may be reused at once but stays an object of this cache through a grace period, so a reader
   * inside RCU may still touch it. Its words are not cleared on reuse.
   */
  readonly typesafeByRcu?: boolean;
  /** Objects begin at a multiple of so many words, a power of two: who has the address of a field finds the object. Default: a cache line. */
  readonly align?: number;
}

/** A slab cache of objects of one struct. */
export interface KmemCache<S> {
  readonly id: number;
  readonly type: StructOf<S>;
  readonly typesafeByRcu: boolean;
  readonly align: number;
}

const caches: KmemCache<unknown>[] = [];

/** kmem_cache_create(), at module load. */
export function kmemCacheCreate<S>(type: StructOf<S>, options: CacheOptions = {}): KmemCache<S> {
  const { typesafeByRcu = false, align = CACHE_LINE_WORDS } = options;
  const cache = { id: caches.length, type, typesafeByRcu, align };
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
