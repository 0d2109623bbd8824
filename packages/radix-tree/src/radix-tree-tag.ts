// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, defineGuard, GFP_BITS_SHIFT, load, NULL, rcuDereference, readOnce, writeOnce } from '@lockless/cpu';
import {
  RADIX_TREE_MAP_SHIFT,
  RADIX_TREE_MAP_SIZE,
  RADIX_TREE_MAX_TAGS,
  RADIX_TREE_TAG_WORDS,
  RadixTreeNode,
  RadixTreeRoot,
} from '@lockless/mm-types';
import {
  entryToNode,
  firstIndexBelow,
  indirectToPtr,
  isIndirect,
  MAX_INDEX,
  nextSubtree,
  offsetOf,
  pathTo,
  radixTreeMaxindex,
  shiftOf,
} from './radix-tree-node.js';

/*
 * A tag of a slot in an inner node is the OR of the tags in the child, and the root's tag that of the top node. Setting goes downwards and
 * marks the root last, clearing goes upwards; a lockless reader may see either half done and then misses or finds one item too
 * many, as if it had come a moment earlier or later. Tag words are written under the writers' lock only.
 */

const siblings = defineGuard(
  'radixTreeTagClear.siblings',
  'clearing the tag of one slot clears it above, though another slot of the node has it (before 90f9dd8f72)',
);
const rootTagFollows = defineGuard(
  'radixTreeRangeTagIfTagged.rootTagFollows',
  'the root gets the tag although no item did (regression2)',
);

const rootTagBit = (tag: number): number => 1 << (GFP_BITS_SHIFT + tag);
const ALL_ROOT_TAGS = (1 << (GFP_BITS_SHIFT + RADIX_TREE_MAX_TAGS)) - (1 << GFP_BITS_SHIFT);
const tagWord = (node: Ptr<RadixTreeNode>, tag: number, offset: number) =>
  RadixTreeNode.tags(node, tag * RADIX_TREE_TAG_WORDS + (offset >> 5));

export function* rootTagGet(root: Ptr<RadixTreeRoot>, tag: number): Op<boolean> {
  return ((yield* readOnce(RadixTreeRoot.gfpMask(root))) & rootTagBit(tag)) !== 0;
}

export function* rootTagSet(root: Ptr<RadixTreeRoot>, tag: number): Op<void> {
  yield* writeOnce(RadixTreeRoot.gfpMask(root), (yield* load(RadixTreeRoot.gfpMask(root))) | rootTagBit(tag));
}

export function* rootTagClear(root: Ptr<RadixTreeRoot>, tag: number): Op<void> {
  yield* writeOnce(RadixTreeRoot.gfpMask(root), (yield* load(RadixTreeRoot.gfpMask(root))) & ~rootTagBit(tag));
}

export function* rootTagClearAll(root: Ptr<RadixTreeRoot>): Op<void> {
  yield* writeOnce(RadixTreeRoot.gfpMask(root), (yield* load(RadixTreeRoot.gfpMask(root))) & ~ALL_ROOT_TAGS);
}

export function* nodeTagGet(node: Ptr<RadixTreeNode>, tag: number, offset: number): Op<boolean> {
  return ((yield* readOnce(tagWord(node, tag, offset))) & (1 << (offset & 31))) !== 0;
}

export function* nodeTagSet(node: Ptr<RadixTreeNode>, tag: number, offset: number): Op<void> {
  const word = tagWord(node, tag, offset);
  yield* writeOnce(word, (yield* load(word)) | (1 << (offset & 31)));
}

export function* nodeTagClear(node: Ptr<RadixTreeNode>, tag: number, offset: number): Op<void> {
  const word = tagWord(node, tag, offset);
  yield* writeOnce(word, (yield* load(word)) & ~(1 << (offset & 31)));
}

/** any_tag_set(): whether some slot of the node has the tag. */
function* anyTagSet(node: Ptr<RadixTreeNode>, tag: number): Op<boolean> {
  for (let offset = 0; offset < RADIX_TREE_MAP_SIZE; offset += 32) {
    if ((yield* load(tagWord(node, tag, offset))) !== 0) return true;
  }
  return false;
}

/** The first tagged slot from `offset` on, or RADIX_TREE_MAP_SIZE; as find_next_bit(), it reads each word once. */
export function* findNextTagged(node: Ptr<RadixTreeNode>, tag: number, offset: number): Op<number> {
  while (offset < RADIX_TREE_MAP_SIZE) {
    const bits = (yield* readOnce(tagWord(node, tag, offset))) & (-1 << (offset & 31));
    if (bits !== 0) return (offset & ~31) + 31 - Math.clz32(bits & -bits);
    offset = (offset & ~31) + 32;
  }
  return RADIX_TREE_MAP_SIZE;
}

/**
 * radix_tree_tag_set(): tags an item. BUG when the index has none.
 *
 * *Context*: the writers' lock.
 * *Returns* the item.
 * *Source*: `radix_tree_tag_set`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeTagSet(root: Ptr<RadixTreeRoot>, index: number, tag: number): Op<number> {
  const height = yield* load(RadixTreeRoot.height(root));
  bugOn(index > radixTreeMaxindex(height), 'radix_tree_tag_set beyond the largest index');
  let entry = indirectToPtr(yield* load(RadixTreeRoot.rnode(root)));
  bugOn(entry === NULL, 'radix_tree_tag_set of an index without item');
  for (let shift = shiftOf(height); shift >= 0; shift -= RADIX_TREE_MAP_SHIFT) {
    const node = entryToNode(entry);
    const offset = offsetOf(index, shift);
    if (!(yield* nodeTagGet(node, tag, offset))) yield* nodeTagSet(node, tag, offset);
    entry = yield* load(RadixTreeNode.slots(node, offset));
    bugOn(entry === NULL, 'radix_tree_tag_set of an index without item');
  }
  if (!(yield* rootTagGet(root, tag))) yield* rootTagSet(root, tag);
  return entry;
}

/**
 * radix_tree_tag_clear(): takes a tag from an item, and from the slots above it under which no other item has it.
 *
 * *Context*: the writers' lock.
 * *Returns* the item, 0 when the index has none.
 * *Source*: `radix_tree_tag_clear`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeTagClear(root: Ptr<RadixTreeRoot>, index: number, tag: number): Op<number> {
  const { entry, path } = yield* pathTo(root, index);
  if (entry === NULL) return NULL;

  for (const [level, node] of path.toReversed().entries()) {
    const offset = offsetOf(index, shiftOf(level + 1));
    if (!(yield* nodeTagGet(node, tag, offset))) return entry;
    yield* nodeTagClear(node, tag, offset);
    // A sibling that still has the tag keeps it alive above (`90f9dd8f72`).
    if (siblings() && (yield* anyTagSet(node, tag))) return entry;
  }
  if (yield* rootTagGet(root, tag)) yield* rootTagClear(root, tag);
  return entry;
}

/**
 * radix_tree_tag_get(): whether the item of an index has a tag.
 *
 * *Context*: rcu_read_lock() or the writers' lock.
 * *Source*: `radix_tree_tag_get`, lib/radix-tree.c, 2.6.27.
 * *Differs*: a tag set below a slot where it is clear reads as clear; 2.6.27 calls BUG, wrongly for a reader beside a writer (later kernels dropped it).
 */
export function* radixTreeTagGet(root: Ptr<RadixTreeRoot>, index: number, tag: number): Op<boolean> {
  if (!(yield* rootTagGet(root, tag))) return false;
  let entry = yield* rcuDereference(RadixTreeRoot.rnode(root));
  if (!isIndirect(entry)) return entry !== NULL && index === 0;
  const height = yield* load(RadixTreeNode.height(entryToNode(entry)));
  if (index > radixTreeMaxindex(height)) return false;
  for (let shift = shiftOf(height); ; shift -= RADIX_TREE_MAP_SHIFT) {
    const node = entryToNode(entry);
    const offset = offsetOf(index, shift);
    if (!(yield* nodeTagGet(node, tag, offset))) return false;
    if (shift === 0) return true;
    entry = yield* rcuDereference(RadixTreeNode.slots(node, offset));
    if (entry === NULL) return false;
  }
}

/** radix_tree_tagged(): whether some item has the tag. *Context*: any, without a lock. *Source*: lib/radix-tree.c, 2.6.27. */
export const radixTreeTagged: (root: Ptr<RadixTreeRoot>, tag: number) => Op<boolean> = rootTagGet;

/** The first index from `index` on whose item has the tag, or -1. Under the writers' lock. */
function* nextTaggedIndex(root: Ptr<RadixTreeRoot>, index: number, tag: number): Op<number> {
  const height = yield* load(RadixTreeRoot.height(root));
  const top = indirectToPtr(yield* load(RadixTreeRoot.rnode(root)));
  if (!(yield* rootTagGet(root, tag)) || index > radixTreeMaxindex(height)) return -1;
  if (height === 0) return 0;
  let node = entryToNode(top);
  let shift = shiftOf(height);
  for (;;) {
    const offset = yield* findNextTagged(node, tag, offsetOf(index, shift));
    if (offset === RADIX_TREE_MAP_SIZE) {
      // Nothing more below this node: on with what follows it, from the top.
      index = nextSubtree(index, shift + RADIX_TREE_MAP_SHIFT);
      if (index === 0 || index > radixTreeMaxindex(height)) return -1;
      node = entryToNode(top);
      shift = shiftOf(height);
      continue;
    }
    if (offset !== offsetOf(index, shift)) index = firstIndexBelow(index, shift, offset);
    if (shift === 0) return index;
    node = entryToNode(yield* load(RadixTreeNode.slots(node, offset)));
    shift -= RADIX_TREE_MAP_SHIFT;
  }
}

/** How far {@link radixTreeRangeTagIfTagged} came. */
export interface RangeTagged {
  /** Items that got the tag. */
  readonly tagged: number;
  /** Where to go on; beyond the last index of the range when it is done, 0 after the largest index of all. */
  readonly next: number;
}

/**
 * radix_tree_range_tag_if_tagged(): gives `settag` to each item from `first` to `last` that has `iftag`, at most `max` of them.
 *
 * No slot above an item, nor the root, is tagged unless an item below it is (`B8` of the kernel's regression2: a tag that leads
 * nowhere makes tagged lookups go round for ever).
 * *Context*: the writers' lock.
 * *Source*: `radix_tree_range_tag_if_tagged`, lib/radix-tree.c, 2.6.36. *Differs*: walks from the root for each item; returns the next index
 * where the kernel updates the first.
 */
export function* radixTreeRangeTagIfTagged(
  root: Ptr<RadixTreeRoot>,
  first: number,
  last: number,
  max: number,
  iftag: number,
  settag: number,
): Op<RangeTagged> {
  let index = first;
  if (!rootTagFollows() && (yield* rootTagGet(root, iftag))) yield* rootTagSet(root, settag);
  for (let tagged = 0; tagged < max; tagged++) {
    const found = yield* nextTaggedIndex(root, index, iftag);
    if (found < index || found > last) return { tagged, next: last === MAX_INDEX ? 0 : last + 1 };
    yield* radixTreeTagSet(root, found, settag);
    index = nextSubtree(found, 0);
    if (index === 0) return { tagged: tagged + 1, next: 0 };
  }
  return { tagged: max, next: index };
}
