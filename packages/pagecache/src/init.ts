// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op } from '@lockless/cpu';
import { functionPointer } from '@lockless/cpu';
import { type SetPageDirty, setRmapHooks } from '@lockless/rmap';
import { bioInit } from './bio.js';
import { configure, type PagecacheOptions } from './config.js';
import { inodeStateInit } from './inode-state.js';
import { vmscanInit } from './kswapd.js';
import { setPageDirty } from './page-writeback.js';
import { pdflushInit } from './pdflush.js';
import { swapInit } from './swap-init.js';
import { memCgroupReclaimInit } from './vmscan-memcg.js';

const SET_PAGE_DIRTY: FunctionPointer<SetPageDirty> = functionPointer<SetPageDirty>('set_page_dirty', setPageDirty);

/**
 * Sets the page cache up. Boot, CPU 0, after the page allocator, before another CPU runs and before the first inode is made. The observer
 * and the block map are the host's and are attached apart.
 * *Source*: `page_cache_init`, `page_writeback_init` `pdflush_init` and `kswapd_init`, 2.6.27. *Differs*: thresholds in pages instead of percentages.
 */
export function* pagecacheInit(options: PagecacheOptions = {}): Op<void> {
  configure(options);
  yield* setRmapHooks({ setPageDirty: SET_PAGE_DIRTY });
  yield* inodeStateInit();
  yield* bioInit();
  yield* swapInit();
  yield* pdflushInit();
  yield* vmscanInit();
  memCgroupReclaimInit();
}
