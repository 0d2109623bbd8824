// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, defineGuard, load, NULL, rcuAssignPointer, rcuDereference, store } from '@lockless/cpu';
import {
  EEXIST,
  ENOMEM,
  RADIX_TREE_MAP_SHIFT,
  RADIX_TREE_MAX_TAGS,
  RadixTreeNode,
  RadixTreeRoot,
} from '@lockless/mm-types';
import { putFromHand } from './radix-tree-hand.js';
import {
  entryToNode,
  indirectToPtr,
  isIndirect,
  offsetOf,
  ptrToIndirect,
  radixTreeMaxindex,
  radixTreeNodeAlloc,
  shiftOf,
} from './radix-tree-node.js';
import { nodeTagGet, nodeTagSet, rootTagGet } from './radix-tree-tag.js';

/*
 * lib/radix-tree.c, Linux 2.6.27. Writers exclude each other by a lock of the caller; the lookups run beside them under
 * rcu_read_lock() alone. What makes that work:
 *
 *  1. A node is complete, height included, before rcu_assign_pointer() makes it reachable; readers follow with rcu_dereference().
 *  2. A reader never looks at root->height: the node it got from rnode says how high it is, and that never changes (`7cf9c2c76c`).
 *  3. rnode tells by bit 0 whether it is a node or the item of index 0 (`c0bc9875b7`), so height and pointer cannot be seen apart.
 *  4. A removed node keeps its slots until a grace period is over (`643b52b9c0`); only the slot of what was deleted is cleared.
 *  5. When the last leaf goes and its slot 0 moves into the root, that slot is marked (`27d20fddc8`), so that who holds its address does
 *     not take the item in it for current ever after.
 */

/** What {@link radixTreeDerefSlot} returns when the slot belongs to the tree no more: look the index up again. */
export const RADIX_TREE_RETRY = -1;

const nodeHeight = defineGuard(
  'radixTreeLookup.nodeHeight',
  "readers walk down by the root's height, not by that of the node they got (before 7cf9c2c76c)",
);
const indirectBit = defineGuard(
  'radixTreeLookup.indirectBit',
  "readers tell item from node by the root's height, not by bit 0 of rnode (before 7cf9c2c76c)",
);

/** INIT_RADIX_TREE(): an empty tree whose nodes are allocated with `gfp`. A zeroed root is one with GFP_NOWAIT. */
export function* radixTreeInit(root: Ptr<RadixTreeRoot>, gfp: number): Op<void> {
  yield* store(RadixTreeRoot.height(root), 0);
  yield* store(RadixTreeRoot.gfpMask(root), gfp);
  yield* store(RadixTreeRoot.rnode(root), NULL);
}

/**
 * radix_tree_extend(): raises the tree until `index` fits.
 *
 * *Returns* 0 or -ENOMEM; then the tree is valid and perhaps higher than before.
 * *Source*: `radix_tree_extend`, lib/radix-tree.c, 2.6.27.
 */
function* radixTreeExtend(root: Ptr<RadixTreeRoot>, index: number): Op<number> {
  let height = (yield* load(RadixTreeRoot.height(root))) + 1;
  while (index > radixTreeMaxindex(height)) height++;
  let rnode = yield* load(RadixTreeRoot.rnode(root));
  if (rnode === NULL) {
    yield* store(RadixTreeRoot.height(root), height);
    return 0;
  }
  for (let newHeight = (yield* load(RadixTreeRoot.height(root))) + 1; newHeight <= height; newHeight++) {
    const node = yield* radixTreeNodeAlloc(root);
    if (node === NULL) return -ENOMEM;
    yield* store(RadixTreeNode.slots(node, 0), indirectToPtr(rnode));
    for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
      if (yield* rootTagGet(root, tag)) yield* nodeTagSet(node, tag, 0);
    }
    yield* store(RadixTreeNode.height(node), newHeight);
    yield* store(RadixTreeNode.count(node), 1);
    rnode = ptrToIndirect(node);
    // Release, pairs with the rcu_dereference() of rnode in the lookups: 1.
    yield* rcuAssignPointer(RadixTreeRoot.rnode(root), rnode);
    yield* store(RadixTreeRoot.height(root), newHeight);
    yield* putFromHand();
  }
  return 0;
}

/**
 * radix_tree_insert(): puts an item at an index.
 *
 * *Context*: excludes other writers. The item has bit 0 clear and is not 0.
 * *Returns* 0; -EEXIST when the index has an item; -ENOMEM, then the items of the tree are as before, though empty inner nodes may stay,
 * which a later insertion uses. Cannot happen after {@link radixTreePreload} when the tree's gfp mask lacks GFP_WAIT.
 * *Ordering*: release: a reader that finds the item sees what was written before.
 * *Source*: `radix_tree_insert`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeInsert(root: Ptr<RadixTreeRoot>, index: number, item: number): Op<number> {
  bugOn(item === NULL || isIndirect(item), 'radix_tree_insert of an item that is 0 or has bit 0 set');
  if (index > radixTreeMaxindex(yield* load(RadixTreeRoot.height(root)))) {
    const error = yield* radixTreeExtend(root, index);
    if (error !== 0) return error;
  }
  let parent: Ptr<RadixTreeNode> | Null = NULL;
  let slot = RadixTreeRoot.rnode(root);
  let offset = 0;
  for (let height = yield* load(RadixTreeRoot.height(root)); height > 0; height--) {
    let node: Ptr<RadixTreeNode> | Null = entryToNode(yield* load(slot));
    if ((node as number) === NULL) {
      node = yield* radixTreeNodeAlloc(root);
      if (node === NULL) return -ENOMEM;
      yield* publishNode(node, height, parent, slot);
    }
    parent = node;
    offset = offsetOf(index, shiftOf(height));
    slot = RadixTreeNode.slots(parent, offset);
  }
  if ((yield* load(slot)) !== NULL) return -EEXIST;
  if (parent !== NULL) yield* store(RadixTreeNode.count(parent), (yield* load(RadixTreeNode.count(parent))) + 1);
  yield* rcuAssignPointer(slot, item);
  for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
    const tagged: boolean = parent === NULL ? yield* rootTagGet(root, tag) : yield* nodeTagGet(parent, tag, offset);
    bugOn(tagged, 'radix_tree_insert into a slot that is tagged');
  }
  return 0;
}

/** Links an empty node in. The height is set before the node can be seen: 1. */
function* publishNode(
  node: Ptr<RadixTreeNode>,
  height: number,
  parent: Ptr<RadixTreeNode> | Null,
  slot: Ref<number>,
): Op<void> {
  yield* store(RadixTreeNode.height(node), height);
  if (parent === NULL) {
    yield* rcuAssignPointer(slot, ptrToIndirect(node));
  } else {
    yield* rcuAssignPointer(slot, node as number);
    yield* store(RadixTreeNode.count(parent), (yield* load(RadixTreeNode.count(parent))) + 1);
  }
  yield* putFromHand();
}

/** What a reader walks down by: 2. */
const heightFor = (root: Ptr<RadixTreeRoot>, node: Ptr<RadixTreeNode>): Access<number> =>
  load(nodeHeight() ? RadixTreeNode.height(node) : RadixTreeRoot.height(root));

/**
 * radix_tree_lookup_slot(): the slot that holds the item of an index.
 *
 * *Context*: rcu_read_lock(), as long as the slot is used; then read it with {@link radixTreeDerefSlot}. Or the writers' lock.
 * *Returns* NULL when the index has no item.
 * *Source*: `radix_tree_lookup_slot`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeLookupSlot(root: Ptr<RadixTreeRoot>, index: number): Op<Ref<number> | Null> {
  const rnode = yield* rcuDereference(RadixTreeRoot.rnode(root));
  const direct = indirectBit() ? !isIndirect(rnode) : (yield* load(RadixTreeRoot.height(root))) === 0;
  if (direct) return rnode !== NULL && index === 0 ? RadixTreeRoot.rnode(root) : NULL;
  let node = entryToNode(rnode);
  const height = yield* heightFor(root, node);
  if (index > radixTreeMaxindex(height)) return NULL;
  for (let shift = shiftOf(height); ; shift -= RADIX_TREE_MAP_SHIFT) {
    const slot = RadixTreeNode.slots(node, offsetOf(index, shift));
    const entry = yield* rcuDereference(slot);
    if (entry === NULL) return NULL;
    if (shift === 0) return slot;
    node = entryToNode(entry);
  }
}

/**
 * radix_tree_lookup(): the item of an index.
 *
 * *Context*: rcu_read_lock() or the writers' lock. Under RCU alone nothing keeps the item itself: that is the caller's matter.
 * *Returns* 0 when there is none.
 * *Source*: `radix_tree_lookup`, lib/radix-tree.c, 2.6.27, and `27d20fddc8`: an item in a leaf that died under the reader carries the mark.
 */
export function* radixTreeLookup(root: Ptr<RadixTreeRoot>, index: number): Op<number> {
  const rnode = yield* rcuDereference(RadixTreeRoot.rnode(root));
  const direct = indirectBit() ? !isIndirect(rnode) : (yield* load(RadixTreeRoot.height(root))) === 0;
  if (direct) return index === 0 ? rnode : NULL;
  let node = entryToNode(rnode);
  const height = yield* heightFor(root, node);
  if (index > radixTreeMaxindex(height)) return NULL;
  for (let shift = shiftOf(height); ; shift -= RADIX_TREE_MAP_SHIFT) {
    const entry = yield* rcuDereference(RadixTreeNode.slots(node, offsetOf(index, shift)));
    if (entry === NULL || shift === 0) return indirectToPtr(entry);
    node = entryToNode(entry);
  }
}

/**
 * radix_tree_deref_slot(): reads a slot that a lookup returned.
 *
 * *Context*: the rcu_read_lock() section of that lookup.
 * *Returns* the item; 0 when it was deleted; {@link RADIX_TREE_RETRY} when the slot is out of the tree, because index 0 moved between the root and
 * a leaf since. Only a slot of index 0 can say so.
 * *Ordering*: dependency; pairs with {@link radixTreeInsert} and {@link radixTreeReplaceSlot}.
 * *Source*: `radix_tree_deref_slot`, include/linux/radix-tree.h, 2.6.27.
 */
export function* radixTreeDerefSlot(slot: Ref<number>): Op<number> {
  const entry = yield* rcuDereference(slot);
  return isIndirect(entry) ? RADIX_TREE_RETRY : entry;
}

/**
 * radix_tree_replace_slot(): puts another item where one is.
 *
 * *Context*: the writers' lock since the slot was looked up.
 * *Ordering*: release.
 * *Source*: `radix_tree_replace_slot`, include/linux/radix-tree.h, 2.6.27.
 */
export function* radixTreeReplaceSlot(slot: Ref<number>, item: number): Op<void> {
  bugOn(item === NULL || isIndirect(item), 'radix_tree_replace_slot with an item that is 0 or has bit 0 set');
  yield* rcuAssignPointer(slot, item);
}
