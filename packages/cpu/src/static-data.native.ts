// SPDX-License-Identifier: MIT
import { type FunctionPointer, functionPointers } from './function-pointer.js';
import { defineGuard } from './guard.js';
import type { CacheOptions, KmemCache } from './kmem-cache.js';
import { claimSegment, type StaticMemory, staticMemory } from './memory.js';
import { kmemCaches } from './slab.js';
import type { StructOf } from './struct.js';

/** What a package defines at module load, in its own segment. */
export interface StaticData extends StaticMemory {
  functionPointer<F>(name: string, target: F): FunctionPointer<F>;
  kmemCacheCreate<S>(type: StructOf<S>, options?: CacheOptions<S>): KmemCache<S>;
  defineGuard(name: string, without: string): () => boolean;
}

/**
 * The static data of a package that runs natively. Called once, when the package is loaded:
 *
 * ```ts
 * const { defineWord, functionPointer } = staticData(40, 'my-package');
 * ```
 * Segments 0 to 31 are those of this repository, 32 to 62 are free, 63 is for tests.
 */
export function staticData(segmentNumber: number, packageName: string): StaticData {
  const segment = claimSegment(segmentNumber, packageName);
  return {
    ...staticMemory(segment),
    functionPointer: functionPointers(segment),
    kmemCacheCreate: kmemCaches(segment),
    defineGuard,
  };
}
