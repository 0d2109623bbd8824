// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, Null, Op, Ptr, StructOf, Vec } from '@lockless/cpu';
import { struct } from '@lockless/cpu';

/** struct rcu_head: a callback that waits for a grace period. */
export interface RcuHead {
  next: Ptr<RcuHead> | Null;
  func: FunctionPointer<RcuCallback>;
}
export type RcuCallback = (head: Ptr<RcuHead>) => Op<void>;
export const RcuHead: StructOf<RcuHead> = struct<RcuHead>('rcu_head', { next: 1, func: 1 });

/** struct radix_tree_root, 2.6.27. Root tags live in gfpMask, above GFP_BITS_SHIFT. */
export interface RadixTreeRoot {
  height: number;
  gfpMask: number;
  /** A node's address | 1 (indirect), or the item of index 0 itself, or 0. */
  rnode: number;
}
export const RadixTreeRoot: StructOf<RadixTreeRoot> = struct<RadixTreeRoot>('radix_tree_root', {
  height: 1,
  gfpMask: 1,
  rnode: 1,
});

export const RADIX_TREE_MAP_SHIFT = 6;
export const RADIX_TREE_MAP_SIZE: number = 1 << RADIX_TREE_MAP_SHIFT;
export const RADIX_TREE_MAX_TAGS = 2;
/** Words of tag bits for one tag. */
export const RADIX_TREE_TAG_WORDS: number = RADIX_TREE_MAP_SIZE / 32;

/** struct radix_tree_node. `height` counts from the leaves (1) and never changes once the node can be seen. */
export interface RadixTreeNode {
  height: number;
  /** Slots in use. */
  count: number;
  rcuHead: Embed<RcuHead>;
  /** Tag t of slot s is bit s % 32 of tags[t * RADIX_TREE_TAG_WORDS + s / 32]. */
  tags: Vec<number>;
  /** Items in a leaf, child nodes (bare addresses) above. */
  slots: Vec<number>;
}
export const RadixTreeNode: StructOf<RadixTreeNode> = struct<RadixTreeNode>('radix_tree_node', {
  height: 1,
  count: 1,
  rcuHead: RcuHead,
  tags: RADIX_TREE_MAX_TAGS * RADIX_TREE_TAG_WORDS,
  slots: RADIX_TREE_MAP_SIZE,
});
