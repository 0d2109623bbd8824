// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op } from '@lockless/cpu';
import { functionPointer, initListHead, store } from '@lockless/cpu';
import { AddressSpace } from '@lockless/mm-types';
import { setSwapperSpace } from '@lockless/page';
import {
  type FreeSwapAndCache,
  type FreeSwapCache,
  mmlistInit,
  type SwapDuplicate,
  setSwapHooks,
} from '@lockless/rmap';
import { SWAP_AOPS } from './page-io.js';
import { swapDuplicate } from './swap-map.js';
import { swapStateInit } from './swap-state.js';
import { freeSwapAndCache, freeSwapCache } from './swapfile.js';
import { swapperSpace } from './swapper-space.js';

const SWAP_DUPLICATE: FunctionPointer<SwapDuplicate> = functionPointer<SwapDuplicate>('swap_duplicate', swapDuplicate);
const FREE_SWAP_AND_CACHE: FunctionPointer<FreeSwapAndCache> = functionPointer<FreeSwapAndCache>(
  'free_swap_and_cache',
  freeSwapAndCache,
);
const FREE_SWAP_CACHE: FunctionPointer<FreeSwapCache> = functionPointer<FreeSwapCache>(
  'free_swap_cache',
  freeSwapCache,
);

/** The swap cache, and what the packages below must know of it. Boot. *Source*: `swapper_space`, mm/swap_state.c, 2.6.27. */
export function* swapInit(): Op<void> {
  yield* swapStateInit();
  yield* store(AddressSpace.aOps(swapperSpace), SWAP_AOPS);
  // Nobody maps it, and so a walk finds: of a page that was read and not yet mapped this is the mapping.
  yield* initListHead(AddressSpace.iMmap(swapperSpace));
  yield* initListHead(AddressSpace.iMmapNonlinear(swapperSpace));
  yield* mmlistInit();
  setSwapperSpace(swapperSpace);
  setSwapHooks({
    swapDuplicate: SWAP_DUPLICATE,
    freeSwapAndCache: FREE_SWAP_AND_CACHE,
    freeSwapCache: FREE_SWAP_CACHE,
  });
}
