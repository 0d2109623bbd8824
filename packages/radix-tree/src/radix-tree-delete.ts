// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard, load, NULL, store, writeOnce } from '@lockless/cpu';
import { RADIX_TREE_MAX_TAGS, RadixTreeNode, RadixTreeRoot } from '@lockless/mm-types';
import { letGo } from './radix-tree-hand.js';
import { entryToNode, offsetOf, pathTo, ptrToIndirect, radixTreeNodeFree, shiftOf } from './radix-tree-node.js';
import { nodeTagGet, radixTreeTagClear, rootTagClearAll } from './radix-tree-tag.js';

const markDeadLeaf = defineGuard(
  'radixTreeShrink.markDeadLeaf',
  'the item in slot 0 of a leaf that dies keeps looking current (before 27d20fddc8)',
);
const keepSlot = defineGuard(
  'radixTreeShrink.keepSlot',
  'slot 0 of a node that dies is cleared while readers may stand on the node (before 643b52b9c0)',
);

/**
 * radix_tree_shrink(): lowers the tree while its top node has nothing but slot 0.
 *
 * The stores to rnode need no release: what becomes the top was published before, and moves only.
 * *Source*: `radix_tree_shrink`, lib/radix-tree.c, 2.6.27, with `27d20fddc8` (2.6.37).
 */
export function* radixTreeShrink(root: Ptr<RadixTreeRoot>): Op<void> {
  let height = yield* load(RadixTreeRoot.height(root));
  while (height > 0) {
    const node = entryToNode(yield* load(RadixTreeRoot.rnode(root)));
    if ((yield* load(RadixTreeNode.count(node))) !== 1) return;
    const child = yield* load(RadixTreeNode.slots(node, 0));
    if (child === NULL) return;
    yield* letGo(root, node);
    yield* writeOnce(RadixTreeRoot.rnode(root), height > 1 ? ptrToIndirect(child) : child);
    height--;
    yield* store(RadixTreeRoot.height(root), height);
    // Slot 0 keeps its entry for readers that stand on the node. But in a leaf they may hold the slot's address and look at it again and
    // again, while deletion of the item now only changes the root: the mark sends them back there.
    if (height === 0 && markDeadLeaf()) yield* writeOnce(RadixTreeNode.slots(node, 0), ptrToIndirect(child));
    if (!keepSlot()) yield* writeOnce(RadixTreeNode.slots(node, 0), NULL);
    yield* radixTreeNodeFree(node);
  }
}

/**
 * radix_tree_delete(): takes the item of an index out, with its tags.
 *
 * *Context*: the writers' lock. Readers may still return the item until a grace period is over.
 * *Returns* the item, 0 when the index has none.
 * *Source*: `radix_tree_delete`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeDelete(root: Ptr<RadixTreeRoot>, index: number): Op<number> {
  const { entry, path } = yield* pathTo(root, index);
  if (entry === NULL) return NULL;
  if (path.length > 0) yield* clearTags(root, index, path[path.length - 1]);
  yield* unlink(root, index, path);
  return entry;
}

/** Takes every tag from the item in that leaf. */
function* clearTags(root: Ptr<RadixTreeRoot>, index: number, leaf: Ptr<RadixTreeNode>): Op<void> {
  for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
    if (yield* nodeTagGet(leaf, tag, offsetOf(index, 0))) yield* radixTreeTagClear(root, index, tag);
  }
}

/** Empties the slot, and frees the nodes above that become empty, each after it is out of reach. */
function* unlink(root: Ptr<RadixTreeRoot>, index: number, path: readonly Ptr<RadixTreeNode>[]): Op<void> {
  let emptied: Ptr<RadixTreeNode> | undefined;
  for (const [level, node] of path.toReversed().entries()) {
    if (emptied !== undefined) yield* letGo(root, emptied);
    yield* writeOnce(RadixTreeNode.slots(node, offsetOf(index, shiftOf(level + 1))), NULL);
    const count = (yield* load(RadixTreeNode.count(node))) - 1;
    yield* store(RadixTreeNode.count(node), count);
    if (emptied !== undefined) yield* radixTreeNodeFree(emptied);
    if (count > 0) {
      if (level === path.length - 1) yield* radixTreeShrink(root);
      return;
    }
    emptied = node;
  }
  yield* rootTagClearAll(root);
  yield* store(RadixTreeRoot.height(root), 0);
  if (emptied !== undefined) yield* letGo(root, emptied);
  yield* writeOnce(RadixTreeRoot.rnode(root), NULL);
  if (emptied !== undefined) yield* radixTreeNodeFree(emptied);
}
