// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, KmemCache, Null, Op, Ptr, StructOf, Vec } from '@lockless/cpu';
import {
  containerOf,
  defineGuard,
  definePerCpu,
  functionPointer,
  GFP_BITS_SHIFT,
  GFP_WAIT,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  peek,
  preemptDisable,
  preemptEnable,
  smpProcessorId,
  store,
  struct,
} from '@lockless/cpu';
import type { RcuCallback, RcuHead } from '@lockless/mm-types';
import { ENOMEM, RADIX_TREE_MAP_SHIFT, RADIX_TREE_MAP_SIZE, RadixTreeNode, RadixTreeRoot } from '@lockless/mm-types';
import { callRcu, urcuBegun } from '@lockless/rcu';
import { forgetDoubt, hasGone, nodeInHand, putFromHand, takeInHand } from './radix-tree-hand.js';

/*
 * An index is an unsigned 32-bit number, 0 to 2^32 - 1, never negative: `unsigned long` on a 32-bit machine. Six bits are used up at each level,
 * so a tree is at most 6 levels high; the top level of such a tree uses 4 of its 64 slots. (A 64-bit kernel has 11 levels.)
 */
const INDEX_BITS = 32;
/** Largest index. */
export const MAX_INDEX: number = 2 ** INDEX_BITS - 1;
/** Levels of the highest tree: RADIX_TREE_MAX_PATH. */
export const RADIX_TREE_MAX_PATH: number = Math.ceil(INDEX_BITS / RADIX_TREE_MAP_SHIFT);

/**
 * Nodes that one insertion can need: a tree of one item, extended to the full height, and a second branch beside the one that leads to the
 * old item; they share the top node. *Source*: RADIX_TREE_PRELOAD_SIZE of later kernels; 2.6.27 kept
 * only RADIX_TREE_MAX_PATH, too few for that case.
 */
export const RADIX_TREE_PRELOAD_SIZE: number = RADIX_TREE_MAX_PATH * 2 - 1;

/** RADIX_TREE_INDIRECT_PTR: bit 0 of `rnode` says that it is a node; in a slot, that the leaf is dead and the lookup must start again. */
const INDIRECT = 1;
export const isIndirect = (entry: number): boolean => (entry & INDIRECT) !== 0;
export const ptrToIndirect = (entry: number): number => entry | INDIRECT;
export const indirectToPtr = (entry: number): number => entry & ~INDIRECT;
/** The node that an indirect entry, or an entry of an inner node's slot, names. */
export const entryToNode = (entry: number): Ptr<RadixTreeNode> => (entry & ~INDIRECT) as Ptr<RadixTreeNode>;

const MAXINDEX = Array.from({ length: RADIX_TREE_MAX_PATH + 1 }, (_, height) =>
  Math.min(2 ** (height * RADIX_TREE_MAP_SHIFT) - 1, MAX_INDEX),
);

/** radix_tree_maxindex(): the largest index in a tree of that height. */
export const radixTreeMaxindex = (height: number): number => MAXINDEX[height];

/** Bits of the index below those that a node of that height uses. */
export const shiftOf = (height: number): number => (height - 1) * RADIX_TREE_MAP_SHIFT;
/** Slot for the index in a node that uses the bits from `shift` up. */
export const offsetOf = (index: number, shift: number): number => (index >>> shift) & (RADIX_TREE_MAP_SIZE - 1);

/** The first index below slot `offset` of the node that is passed on the way to `index` and uses the bits from `shift` up. */
export function firstIndexBelow(index: number, shift: number, offset: number): number {
  const node = 2 ** (shift + RADIX_TREE_MAP_SHIFT);
  return Math.floor(index / node) * node + offset * 2 ** shift;
}

/** The first index after those that share the bits from `shift` up with `index`; 0 after the last index of all. */
export function nextSubtree(index: number, shift: number): number {
  const next = (Math.floor(index / 2 ** shift) + 1) * 2 ** shift;
  return next > MAX_INDEX ? 0 : next;
}

export const radixTreeNodeCachep: KmemCache<RadixTreeNode> = kmemCacheCreate(RadixTreeNode, { hand: nodeInHand });

/** struct radix_tree_preload: nodes kept for insertions that must not fail. Its CPU's alone, with preemption off. */
interface RadixTreePreload {
  nr: number;
  nodes: Vec<Ptr<RadixTreeNode>>;
}
const RadixTreePreload: StructOf<RadixTreePreload> = struct<RadixTreePreload>('radix_tree_preload', {
  nr: 1,
  nodes: RADIX_TREE_PRELOAD_SIZE,
});
const preloads: (cpu: number) => Ptr<RadixTreePreload> = definePerCpu(RadixTreePreload, 'radix_tree_preloads');

const GFP_MASK = (1 << GFP_BITS_SHIFT) - 1;

const gracePeriod = defineGuard('radixTreeNodeFree.gracePeriod', 'a node is freed while readers may stand on it');
const preloadFirst = defineGuard(
  'radixTreeNodeAlloc.preloadFirst',
  'the slab is asked before the nodes that were preloaded (before e2848a0efe)',
);
const preemptionOff = defineGuard(
  'radixTreePreload.preemptionOff',
  'the pool is filled, but others may use it up before the insertion',
);

/** An item and the nodes above it, from the top down. */
interface Path {
  /** 0: the index has no item. */
  readonly entry: number;
  readonly path: readonly Ptr<RadixTreeNode>[];
}

/** The way down to an index, for changes on the way back up. *Context*: the writers' lock. */
export function* pathTo(root: Ptr<RadixTreeRoot>, index: number): Op<Path> {
  const height = yield* load(RadixTreeRoot.height(root));
  const path: Ptr<RadixTreeNode>[] = [];
  if (index > radixTreeMaxindex(height)) return { entry: NULL, path };
  let entry = indirectToPtr(yield* load(RadixTreeRoot.rnode(root)));
  for (let shift = shiftOf(height); shift >= 0 && entry !== NULL; shift -= RADIX_TREE_MAP_SHIFT) {
    path.push(entryToNode(entry));
    entry = yield* load(RadixTreeNode.slots(entryToNode(entry), offsetOf(index, shift)));
  }
  return { entry, path };
}

/**
 * radix_tree_node_alloc(): a zeroed node. Where the tree's allocations may not sleep, this CPU's preloaded nodes come first
 * (`e2848a0efe`: asking the slab first would waste what was preloaded for just this).
 */
export function* radixTreeNodeAlloc(root: Ptr<RadixTreeRoot>): Op<Ptr<RadixTreeNode> | Null> {
  const gfp = (yield* load(RadixTreeRoot.gfpMask(root))) & GFP_MASK;
  if (!preloadFirst()) {
    const node = yield* kmemCacheAlloc(radixTreeNodeCachep, gfp);
    if (node !== NULL) {
      yield* takeInHand(root, node);
      return node;
    }
  }
  if ((gfp & GFP_WAIT) === 0) {
    const preload = preloads(smpProcessorId());
    const nr = yield* load(RadixTreePreload.nr(preload));
    if (nr > 0) {
      const node = yield* load(RadixTreePreload.nodes(preload, nr - 1));
      yield* takeInHand(root, node);
      yield* store(RadixTreePreload.nr(preload), nr - 1);
      return node;
    }
  }
  const node = yield* kmemCacheAlloc(radixTreeNodeCachep, gfp);
  if (node !== NULL) yield* takeInHand(root, node);
  return node;
}

export const radixTreeNodeRcuFree: FunctionPointer<RcuCallback> = functionPointer(
  'radix_tree_node_rcu_free',
  function* (head: Ptr<RcuHead>): Op<void> {
    const node = containerOf(head, RadixTreeNode, 'rcuHead');
    // In hand before RCU does not know of it any more; see radixTreeReclaimerDied().
    yield* takeInHand(NULL, node);
    yield* urcuBegun();
    yield* forgetDoubt(node);
    yield* kmemCacheFree(radixTreeNodeCachep, node);
    yield* putFromHand();
  },
);

/**
 * radix_tree_node_free(): after a grace period. Until then readers may stand on the node, so its slots stay as they are (`643b52b9c0`).
 * *Differs*: the kernel's callback also clears the node, because its slab gives nodes out as they came back; here allocation zeroes.
 */
export function* radixTreeNodeFree(node: Ptr<RadixTreeNode>): Op<void> {
  if (gracePeriod()) yield* callRcu(RadixTreeNode.rcuHead(node), radixTreeNodeRcuFree);
  else yield* kmemCacheFree(radixTreeNodeCachep, node);
  yield* hasGone();
}

/**
 * radix_tree_preload(): makes sure that the next insertion on this CPU finds its nodes, whatever the allocator says then.
 *
 * *Context*: preemption on; may sleep when `gfp` has GFP_WAIT.
 * *Returns* 0 with preemption **off**, to be ended by {@link radixTreePreloadEnd}; -ENOMEM with preemption on.
 * *Source*: `radix_tree_preload`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreePreload(gfp: number): Op<number> {
  preemptDisable();
  let preload = preloads(smpProcessorId());
  while ((yield* load(RadixTreePreload.nr(preload))) < RADIX_TREE_PRELOAD_SIZE) {
    preemptEnable();
    const node = yield* kmemCacheAlloc(radixTreeNodeCachep, gfp);
    if (node === NULL) return -ENOMEM;
    preemptDisable();
    // The allocation may have slept: this can be another CPU, whose pool may be full.
    preload = preloads(smpProcessorId());
    const nr = yield* load(RadixTreePreload.nr(preload));
    if (nr < RADIX_TREE_PRELOAD_SIZE) {
      yield* takeInHand(NULL, node);
      yield* store(RadixTreePreload.nodes(preload, nr), node);
      yield* store(RadixTreePreload.nr(preload), nr + 1);
      yield* putFromHand();
    } else {
      yield* kmemCacheFree(radixTreeNodeCachep, node);
    }
  }
  if (!preemptionOff()) preemptEnable();
  return 0;
}

/** Whether a CPU has preloaded that node. *Context*: the CPU is dead. */
export function* isPreloaded(cpu: number, node: Ptr<RadixTreeNode>): Op<boolean> {
  const preload = preloads(cpu);
  for (let i = (yield* load(RadixTreePreload.nr(preload))) - 1; i >= 0; i--)
    if ((yield* load(RadixTreePreload.nodes(preload, i))) === node) return true;
  return false;
}

/** The nodes that a CPU has preloaded, from outside. */
export function radixTreePreloaded(cpu: number): Ptr<RadixTreeNode>[] {
  const preload = preloads(cpu);
  return Array.from({ length: peek(RadixTreePreload.nr(preload)) }, (_, i) => peek(RadixTreePreload.nodes(preload, i)));
}

/** The nodes that a tree is made of, from outside: exact when nobody changes it at the moment. */
export function radixTreeNodes(root: Ptr<RadixTreeRoot>): Ptr<RadixTreeNode>[] {
  const rnode = peek(RadixTreeRoot.rnode(root));
  const nodes = isIndirect(rnode) ? [entryToNode(rnode)] : [];
  for (const node of nodes) {
    if (peek(RadixTreeNode.height(node)) === 1) continue;
    for (let offset = 0; offset < RADIX_TREE_MAP_SIZE; offset++) {
      const entry = peek(RadixTreeNode.slots(node, offset));
      if (entry !== NULL) nodes.push(entryToNode(entry));
    }
  }
  return nodes;
}

/** radix_tree_preload_end(): preemption on. *Source*: include/linux/radix-tree.h, 2.6.27. */
export function radixTreePreloadEnd(): void {
  if (preemptionOff()) preemptEnable();
}
