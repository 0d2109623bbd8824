// SPDX-License-Identifier: GPL-2.0-only
export * from './radix-tree.js';
export {
  radixTreeDoubts,
  radixTreeReclaimerDied,
  radixTreeSettleDoubts,
  radixTreeThreadDied,
} from './radix-tree-death.js';
export { radixTreeDelete } from './radix-tree-delete.js';
export * from './radix-tree-gang.js';
export * from './radix-tree-hole.js';
export {
  RADIX_TREE_MAX_PATH,
  RADIX_TREE_PRELOAD_SIZE,
  radixTreeMaxindex,
  radixTreeNodeCachep,
  radixTreeNodeFree,
  radixTreeNodes,
  radixTreePreload,
  radixTreePreloadEnd,
  radixTreePreloaded,
} from './radix-tree-node.js';
export { radixTreeRepair } from './radix-tree-repair.js';
export {
  type RangeTagged,
  radixTreeRangeTagIfTagged,
  radixTreeTagClear,
  radixTreeTagGet,
  radixTreeTagged,
  radixTreeTagSet,
} from './radix-tree-tag.js';
