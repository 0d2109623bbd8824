// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op } from '@lockless/cpu';
import { functionPointer } from '@lockless/cpu';
import {
  type FreeSwapAndCache,
  type SetPageDirty,
  type SwapDuplicate,
  setRmapHooks,
  setSwapHooks,
} from '@lockless/rmap';
import { bioInit } from './bio.js';
import { configure, type PagecacheOptions } from './config.js';
import { inodeStateInit } from './inode-state.js';
import { vmscanInit } from './kswapd.js';
import { setPageDirty } from './page-writeback.js';
import { pdflushInit } from './pdflush.js';
import { swapDuplicate } from './swap-map.js';
import { freeSwapAndCache } from './swapfile.js';

const SET_PAGE_DIRTY: FunctionPointer<SetPageDirty> = functionPointer<SetPageDirty>('set_page_dirty', setPageDirty);
const SWAP_DUPLICATE: FunctionPointer<SwapDuplicate> = functionPointer<SwapDuplicate>('swap_duplicate', swapDuplicate);
const FREE_SWAP_AND_CACHE: FunctionPointer<FreeSwapAndCache> = functionPointer<FreeSwapAndCache>(
  'free_swap_and_cache',
  freeSwapAndCache,
);

/**
 * Sets the page cache up. Boot, CPU 0, after the page allocator, before another CPU runs and before the first inode is made. The observer
 * and the block map are the host's and are attached apart.
 * *Source*: `page_cache_init`, `page_writeback_init` `pdflush_init` and `kswapd_init`, 2.6.27. *Differs*: thresholds in pages instead of percentages.
 */
export function* pagecacheInit(options: PagecacheOptions = {}): Op<void> {
  configure(options);
  yield* setRmapHooks({ setPageDirty: SET_PAGE_DIRTY });
  setSwapHooks({ swapDuplicate: SWAP_DUPLICATE, freeSwapAndCache: FREE_SWAP_AND_CACHE });
  yield* inodeStateInit();
  yield* bioInit();
  yield* pdflushInit();
  yield* vmscanInit();
}
