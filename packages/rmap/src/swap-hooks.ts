// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bug, defineWord, NULL, peek, pointedFunction, poke } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { pageSwapCache } from '@lockless/page';
import type { SwpEntry } from './swapops.js';

/** swap_duplicate(): one more user of a place in a swap area. False: the place is free. */
export type SwapDuplicate = (entry: SwpEntry) => Op<boolean>;
/** free_swap_and_cache(): one user less, and the page with the last. */
export type FreeSwapAndCache = (entry: SwpEntry) => Op<void>;
/** free_swap_cache(): a page that is about to lose a mapping leaves the swap cache, if nobody else needs it there. */
export type FreeSwapCache = (page: Ptr<Page>) => Op<void>;

const duplicate: Ref<FunctionPointer<SwapDuplicate> | Null> = defineWord('rmap_swap_duplicate');
const free: Ref<FunctionPointer<FreeSwapAndCache> | Null> = defineWord('rmap_free_swap_and_cache');
const freeCache: Ref<FunctionPointer<FreeSwapCache> | Null> = defineWord('rmap_free_swap_cache');

/** Tells the reverse mapping how places in swap areas are counted, which is done on top of this package. *Context*: boot. */
export function setSwapHooks(hooks: {
  readonly swapDuplicate: FunctionPointer<SwapDuplicate>;
  readonly freeSwapAndCache: FunctionPointer<FreeSwapAndCache>;
  readonly freeSwapCache: FunctionPointer<FreeSwapCache>;
}): void {
  poke(duplicate, hooks.swapDuplicate);
  poke(free, hooks.freeSwapAndCache);
  poke(freeCache, hooks.freeSwapCache);
}

const hooked = <T>(pointer: Ref<FunctionPointer<T> | Null>): T => {
  const target = peek(pointer); // constant after boot
  return target === NULL ? bug('a swap entry on a machine without swap') : pointedFunction(target);
};

/** swap_duplicate(). *Context*: page table lock. */
export const duplicateSwapEntry: SwapDuplicate = (entry) => hooked(duplicate)(entry);
/** free_swap_and_cache(). *Context*: page table lock. */
export const freeSwapEntry: FreeSwapAndCache = (entry) => hooked(free)(entry);

/** free_swap_cache() of those that are in it. *Context*: a reference to each. *Source*: `free_pages_and_swap_cache`, mm/swap_state.c, 2.6.27. */
export function* freeSwapCaches(pages: readonly Ptr<Page>[]): Op<void> {
  if (peek(freeCache) === NULL) return;
  for (const page of pages) if (yield* pageSwapCache(page)) yield* hooked(freeCache)(page);
}
