// SPDX-License-Identifier: MIT
import type { StructOf } from './struct.js';
import type { Null, Ptr, Ref } from './word.js';

export interface CacheOptions<S = unknown> {
  /**
   * SLAB_DESTROY_BY_RCU: a freed object may be reused at once but stays an object of this cache through a grace period, so a reader
   * inside RCU may still touch it. Its words are not cleared on reuse.
   */
  readonly typesafeByRcu?: boolean;
  /** Objects begin at a multiple of so many words, a power of two: who has the address of a field finds the object. Default: a cache line. */
  readonly align?: number;
  /**
   * A word of each CPU that says which object it has in hand. An allocation puts it there, and freeing that object empties it, in one step, for threads that can die between any two: engines in
   * which none does leave it to the cache's owner.
   */
  readonly hand?: (cpu: number) => Ref<Ptr<S> | Null>;
}

/** A slab cache of objects of one struct. */
export interface KmemCache<S> {
  readonly id: number;
  readonly type: StructOf<S>;
  readonly typesafeByRcu: boolean;
  readonly align: number;
  readonly hand: ((cpu: number) => Ref<Ptr<S> | Null>) | null;
}
