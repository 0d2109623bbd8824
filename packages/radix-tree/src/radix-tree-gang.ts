// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { load, NULL, rcuDereference } from '@lockless/cpu';
import { RADIX_TREE_MAP_SHIFT, RADIX_TREE_MAP_SIZE, RadixTreeNode, RadixTreeRoot } from '@lockless/mm-types';
import {
  entryToNode,
  firstIndexBelow,
  indirectToPtr,
  isIndirect,
  nextSubtree,
  offsetOf,
  radixTreeMaxindex,
  shiftOf,
} from './radix-tree-node.js';
import { findNextTagged, rootTagGet } from './radix-tree-tag.js';

/*
 * Lookups of many items at once. None is an atomic snapshot: the result is as if each index had been looked up by itself, in ascending order.
 * Under RCU alone, between two items of a result anything may have come and gone.
 */

/**
 * Puts the addresses of occupied slots of one leaf into `found`, from `index` on, until it holds `max`, and their indexes into `indices` if
 * that is wanted. Returns the index to go on with, 0 at the end.
 */
type LeafScan = (
  node: Ptr<RadixTreeNode>,
  index: number,
  found: Ref<number>[],
  max: number,
  indices: number[] | null,
) => Op<number>;

/** __lookup(). */
function* scanLeaf(
  node: Ptr<RadixTreeNode>,
  index: number,
  found: Ref<number>[],
  max: number,
  indices: number[] | null,
): Op<number> {
  for (let shift = shiftOf(yield* load(RadixTreeNode.height(node))); shift > 0; shift -= RADIX_TREE_MAP_SHIFT) {
    let offset = offsetOf(index, shift);
    let child: number;
    while ((child = yield* rcuDereference(RadixTreeNode.slots(node, offset))) === NULL) {
      index = nextSubtree(index, shift);
      if (index === 0 || ++offset === RADIX_TREE_MAP_SIZE) return index;
    }
    node = entryToNode(child);
  }
  for (let offset = offsetOf(index, 0); offset < RADIX_TREE_MAP_SIZE; offset++) {
    const slot = RadixTreeNode.slots(node, offset);
    if ((yield* rcuDereference(slot)) === NULL) continue;
    indices?.push(firstIndexBelow(index, 0, offset));
    if (found.push(slot) === max) return nextSubtree(firstIndexBelow(index, 0, offset), 0);
  }
  return nextSubtree(index, RADIX_TREE_MAP_SHIFT);
}

/** __lookup_tag(). */
const scanTaggedLeaf = (tag: number): LeafScan =>
  function* (node, index, found, max, indices) {
    for (let shift = shiftOf(yield* load(RadixTreeNode.height(node))); shift > 0; shift -= RADIX_TREE_MAP_SHIFT) {
      const offset = yield* findNextTagged(node, tag, offsetOf(index, shift));
      if (offset === RADIX_TREE_MAP_SIZE) return nextSubtree(index, shift + RADIX_TREE_MAP_SHIFT);
      if (offset !== offsetOf(index, shift)) index = firstIndexBelow(index, shift, offset);
      const child = yield* rcuDereference(RadixTreeNode.slots(node, offset));
      // Tagged, yet gone: a writer clears tags before it unlinks, so the tag is clear when we look again from the top.
      if (child === NULL) return index;
      node = entryToNode(child);
    }
    for (let offset = offsetOf(index, 0); ; offset++) {
      offset = yield* findNextTagged(node, tag, offset);
      if (offset === RADIX_TREE_MAP_SIZE) return nextSubtree(index, RADIX_TREE_MAP_SHIFT);
      const slot = RadixTreeNode.slots(node, offset);
      // It was tagged, but may have been deleted since.
      if ((yield* rcuDereference(slot)) === NULL) continue;
      indices?.push(firstIndexBelow(index, 0, offset));
      if (found.push(slot) === max) return nextSubtree(firstIndexBelow(index, 0, offset), 0);
    }
  };

/** Slots below the node `rnode` names, leaf by leaf, until `max` are found. */
function* gangSlots(
  rnode: number,
  first: number,
  max: number,
  scan: LeafScan,
  indices: number[] | null,
): Op<Ref<number>[]> {
  const found: Ref<number>[] = [];
  const node = entryToNode(rnode);
  const maxIndex = radixTreeMaxindex(yield* load(RadixTreeNode.height(node)));
  let index = first;
  while (found.length < max && index <= maxIndex) {
    index = yield* scan(node, index, found, max, indices);
    if (index === 0) break;
  }
  return found;
}

/** Items below the node `rnode` names. A slot that has been emptied since it was found does not count, so the scan goes on. */
function* gangItems(rnode: number, first: number, max: number, scan: LeafScan): Op<number[]> {
  const items: number[] = [];
  const node = entryToNode(rnode);
  const maxIndex = radixTreeMaxindex(yield* load(RadixTreeNode.height(node)));
  let index = first;
  while (items.length < max && index <= maxIndex) {
    const found: Ref<number>[] = [];
    index = yield* scan(node, index, found, max - items.length, null);
    for (const slot of found) {
      // The leaf may have died: its slot 0 carries a mark then, and the item was there when we began.
      const item = indirectToPtr(yield* rcuDereference(slot));
      if (item !== NULL) items.push(item);
    }
    if (index === 0) break;
  }
  return items;
}

/**
 * radix_tree_gang_lookup(): up to `max` items from index `first` on, in ascending order.
 *
 * *Context*: rcu_read_lock() or the writers' lock.
 * *Source*: `radix_tree_gang_lookup`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeGangLookup(root: Ptr<RadixTreeRoot>, first: number, max: number): Op<number[]> {
  const rnode = yield* rcuDereference(RadixTreeRoot.rnode(root));
  if (isIndirect(rnode)) return yield* gangItems(rnode, first, max, scanLeaf);
  return rnode !== NULL && first === 0 && max > 0 ? [rnode] : [];
}

/**
 * radix_tree_gang_lookup_slot(): as {@link radixTreeGangLookup}, the slots instead of what they hold; to be read with radixTreeDerefSlot().
 *
 * `indices`, an empty array, takes the index of each.
 *
 * *Context*: one rcu_read_lock() section, as long as the slots are used; or the writers' lock.
 * *Source*: `radix_tree_gang_lookup_slot`, lib/radix-tree.c, 2.6.27; `indices` is 3.1 (`6328650bb4`).
 */
export function* radixTreeGangLookupSlot(
  root: Ptr<RadixTreeRoot>,
  first: number,
  max: number,
  indices: number[] | null = null,
): Op<Ref<number>[]> {
  const rnode = yield* rcuDereference(RadixTreeRoot.rnode(root));
  if (isIndirect(rnode)) return yield* gangSlots(rnode, first, max, scanLeaf, indices);
  return onlySlot(root, rnode, first, max, indices);
}

/** The slots of a tree that is an item. */
function onlySlot(
  root: Ptr<RadixTreeRoot>,
  rnode: number,
  first: number,
  max: number,
  indices: number[] | null,
): Ref<number>[] {
  if (rnode === NULL || first !== 0 || max <= 0) return [];
  indices?.push(0);
  return [RadixTreeRoot.rnode(root)];
}

/**
 * radix_tree_gang_lookup_tag(): as {@link radixTreeGangLookup}, of the items that have the tag.
 *
 * *Context*: rcu_read_lock() or the writers' lock.
 * *Source*: `radix_tree_gang_lookup_tag`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeGangLookupTag(
  root: Ptr<RadixTreeRoot>,
  first: number,
  max: number,
  tag: number,
): Op<number[]> {
  if (!(yield* rootTagGet(root, tag))) return [];
  const rnode = yield* rcuDereference(RadixTreeRoot.rnode(root));
  if (isIndirect(rnode)) return yield* gangItems(rnode, first, max, scanTaggedLeaf(tag));
  return rnode !== NULL && first === 0 && max > 0 ? [rnode] : [];
}

/**
 * radix_tree_gang_lookup_tag_slot(): as {@link radixTreeGangLookupSlot}, of the items that have the tag.
 *
 * *Context*: one rcu_read_lock() section, as long as the slots are used; or the writers' lock.
 * *Source*: `radix_tree_gang_lookup_tag_slot`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeGangLookupTagSlot(
  root: Ptr<RadixTreeRoot>,
  first: number,
  max: number,
  tag: number,
  indices: number[] | null = null,
): Op<Ref<number>[]> {
  if (!(yield* rootTagGet(root, tag))) return [];
  const rnode = yield* rcuDereference(RadixTreeRoot.rnode(root));
  if (isIndirect(rnode)) return yield* gangSlots(rnode, first, max, scanTaggedLeaf(tag), indices);
  return onlySlot(root, rnode, first, max, indices);
}
