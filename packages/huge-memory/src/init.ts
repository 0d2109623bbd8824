// SPDX-License-Identifier: GPL-2.0-only
import { type FunctionPointer, functionPointer } from '@lockless/cpu';
import { type HugePmdOps, setHugePmdOps } from '@lockless/rmap';
import { configureHugePages, type HugePageOptions } from './config.js';
import { zapHugePmd } from './huge-memory.js';
import { splitHugePage, splitHugePagePmd } from './split-huge-page.js';

const ops: FunctionPointer<HugePmdOps> = functionPointer('huge_pmd_ops', {
  splitHugePagePmd,
  zapHugePmd,
  splitHugePage,
});

/**
 * hugepage_init(): from now on there may be huge pages.
 *
 * *Context*: boot, with anon_vma as the reverse mapping, before the first address space. Throws RangeError for a size that cannot be.
 */
export function hugePagesInit(options: HugePageOptions): void {
  configureHugePages(options);
  setHugePmdOps(ops);
}
