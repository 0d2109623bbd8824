// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard, load, NULL, smpProcessorId, store, writeOnce } from '@lockless/cpu';
import { RADIX_TREE_MAP_SIZE, RADIX_TREE_MAX_TAGS, RadixTreeNode, RadixTreeRoot } from '@lockless/mm-types';
import { settleHand } from './radix-tree-death.js';
import { radixTreeShrink } from './radix-tree-delete.js';
import { letGo } from './radix-tree-hand.js';
import { entryToNode, isIndirect, radixTreeNodeFree } from './radix-tree-node.js';
import { nodeTagClear, nodeTagGet, nodeTagSet, rootTagClear, rootTagGet, rootTagSet } from './radix-tree-tag.js';

/*
 * A writer that stops for good in the middle, with the writers' lock: a thread of a native build can be killed. The kernel has no such thing.
 *
 *  1. Each change that a reader can see is one store, before and after which the tree is whole: so lookups stay right, whatever the
 *     writer was at. They follow rnode, the slots and the height in each node, and never look at what the others of these points are about.
 *  2. root->height, the count of each node and the tags of inner slots and of the root are only what was last derived from that, by writers for writers. Wherever
 *     the writer stopped, they can be derived again: from the top node, from its slots, from the tags of the leaves.
 *  3. The operation took place if its one store was made: the item is in its slot, or out of it. An item that was to be deleted and is still there may have
 *     lost tags; one that was deleted has none, as tags are cleared first.
 *  4. What is in no slot cannot be found from the root: the writer wrote down which node it had in hand (radix-tree-hand.ts).
 */

const repairCount = defineGuard(
  'radixTreeRepair.count',
  'nodes keep the count that a dead writer left, so that one with items looks empty, or the other way round',
);
const repairHeight = defineGuard(
  'radixTreeRepair.height',
  'writers walk down by the height that a dead writer left, while the tree is higher or lower',
);

/** Sets or clears a tag of a slot, if it is not so already. */
function* setTagTo(node: Ptr<RadixTreeNode>, tag: number, offset: number, tagged: boolean): Op<void> {
  if ((yield* nodeTagGet(node, tag, offset)) === tagged) return;
  if (tagged) yield* nodeTagSet(node, tag, offset);
  else yield* nodeTagClear(node, tag, offset);
}

/** What is below a node: entries in its slots, items in all, and bit t if one of them has tag t. */
interface Below {
  readonly count: number;
  readonly items: number;
  readonly tags: number;
}

/** Derives count and tags of a node and of all below it; unlinks nodes that are empty. */
function* repairNode(root: Ptr<RadixTreeRoot>, node: Ptr<RadixTreeNode>): Op<Below> {
  const height = yield* load(RadixTreeNode.height(node));
  let count = 0;
  let items = 0;
  let tags = 0;
  for (let offset = 0; offset < RADIX_TREE_MAP_SIZE; offset++) {
    const entry = yield* load(RadixTreeNode.slots(node, offset));
    const below = entry !== NULL && height > 1 ? yield* repairChild(root, node, offset) : null;
    const occupied = entry !== NULL && (below === null || below.count > 0);
    if (occupied) {
      count++;
      items += below?.items ?? 1;
    }
    for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
      const own = below === null ? yield* nodeTagGet(node, tag, offset) : (below.tags & (1 << tag)) !== 0;
      yield* setTagTo(node, tag, offset, occupied && own);
      if (occupied && own) tags |= 1 << tag;
    }
  }
  if (repairCount()) yield* store(RadixTreeNode.count(node), count);
  return { count, items, tags };
}

/** {@link repairNode} of the child in a slot; without items it leaves the tree, as in radix_tree_delete(). */
function* repairChild(root: Ptr<RadixTreeRoot>, node: Ptr<RadixTreeNode>, offset: number): Op<Below> {
  const child = entryToNode(yield* load(RadixTreeNode.slots(node, offset)));
  const below = yield* repairNode(root, child);
  if (below.count === 0) {
    yield* letGo(root, child);
    yield* writeOnce(RadixTreeNode.slots(node, offset), NULL);
    yield* radixTreeNodeFree(child);
  }
  return below;
}

function* setRootTags(root: Ptr<RadixTreeRoot>, tags: number): Op<void> {
  for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
    const tagged = (tags & (1 << tag)) !== 0;
    if ((yield* rootTagGet(root, tag)) === tagged) continue;
    if (tagged) yield* rootTagSet(root, tag);
    else yield* rootTagClear(root, tag);
  }
}

/**
 * Makes a tree fit for writers again whose last writer died at any point of radix_tree_insert(), _delete(), _tag_set(), _tag_clear() or
 * _replace_slot().
 *
 * *Context*: the writers' lock, taken from the dead, whose stores are seen. Readers go on beside it. If they keep slots (rather than items), wait
 * for a grace period before the next change: a leaf that had just left the tree may lack the mark of point 5 in radix-tree.ts.
 * `cpu`: the dead one; natively it is run as that.
 * *Returns* how many items the tree has.
 * *Source*: ours.
 */
export function* radixTreeRepair(root: Ptr<RadixTreeRoot>, cpu: number = smpProcessorId()): Op<number> {
  yield* settleHand(root, cpu);
  const rnode = yield* load(RadixTreeRoot.rnode(root));
  if (!isIndirect(rnode)) {
    yield* store(RadixTreeRoot.height(root), 0);
    if (rnode === NULL) yield* setRootTags(root, 0);
    return rnode === NULL ? 0 : 1;
  }
  const top = entryToNode(rnode);
  if (repairHeight()) yield* store(RadixTreeRoot.height(root), yield* load(RadixTreeNode.height(top)));
  const { count, items, tags } = yield* repairNode(root, top);
  yield* setRootTags(root, tags);
  if (count > 0) {
    yield* radixTreeShrink(root);
    return items;
  }
  yield* store(RadixTreeRoot.height(root), 0);
  yield* letGo(root, top);
  yield* writeOnce(RadixTreeRoot.rnode(root), NULL);
  yield* radixTreeNodeFree(top);
  return 0;
}
