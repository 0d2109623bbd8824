// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref, StructOf, Vec } from '@lockless/cpu';
import {
  atomicCmpxchg,
  atomicXchg,
  defineGuard,
  definePerCpu,
  defineStatic,
  NULL,
  smpProcessorId,
  store,
  struct,
} from '@lockless/cpu';
import { RadixTreeNode, type RadixTreeRoot } from '@lockless/mm-types';

/*
 * What a CPU has in hand, written down so that it is found should it die (native builds; radix-tree-death.ts):
 *
 *  1. `node`: one that was allocated or taken from the pool, until it is in the pool or in a tree. A slab that a thread can die in writes it down itself, in one step with the
 *     allocation (CacheOptions.hand of cpu).
 *  2. `leaving`: one that a tree is about to let go, until call_rcu() has it. Its own `count`, which is of no use outside of a tree, says by whom.
 *  3. `tree`: the one that it goes into, or leaves; NULL: none, the pool.
 *
 * Of a node that is in no tree any more nobody can say at once whether call_rcu() has it, as others empty its list meanwhile. It is a doubt then, in a table, and its `count` says
 * where, by one compare-and-swap: either that comes first, and who frees the node takes it off the table; or the callback does, and there is no doubt.
 */
export interface RadixTreeHand {
  tree: Ptr<RadixTreeRoot> | Null;
  node: Ptr<RadixTreeNode> | Null;
  leaving: Ptr<RadixTreeNode> | Null;
}
export const RadixTreeHand: StructOf<RadixTreeHand> = struct<RadixTreeHand>('radix_tree_hand', {
  tree: 1,
  node: 1,
  leaving: 1,
});
/** Its CPU's alone, with preemption off. */
export const hands: (cpu: number) => Ptr<RadixTreeHand> = definePerCpu(RadixTreeHand, 'radix_tree_hands');

/** Where the slab writes down which node a CPU has taken. */
export const nodeInHand = (cpu: number): Ref<Ptr<RadixTreeNode> | Null> => RadixTreeHand.node(hands(cpu));

const writesDown = defineGuard('radixTreeHand.note', 'a node is lost when its CPU dies that has it in hand');

/** The count of a node that a CPU lets go. */
export const leftBy = (cpu: number): number => -1 - cpu;

/** A node is in hand: it was allocated for a tree, or (NULL) for the pool. */
export function* takeInHand(root: Ptr<RadixTreeRoot> | Null, node: Ptr<RadixTreeNode>): Op<void> {
  if (!writesDown()) return;
  const hand = hands(smpProcessorId());
  yield* store(RadixTreeHand.tree(hand), root);
  yield* store(RadixTreeHand.node(hand), node);
}

/** It is where it was to go. */
export function* putFromHand(): Op<void> {
  const hand = hands(smpProcessorId());
  yield* store(RadixTreeHand.node(hand), NULL);
  yield* store(RadixTreeHand.tree(hand), NULL);
}

/** A node is about to leave its tree. *Context*: the writers' lock. */
export function* letGo(root: Ptr<RadixTreeRoot>, node: Ptr<RadixTreeNode>): Op<void> {
  if (!writesDown()) return;
  const cpu = smpProcessorId();
  yield* store(RadixTreeNode.count(node), leftBy(cpu));
  yield* store(RadixTreeHand.tree(hands(cpu)), root);
  yield* store(RadixTreeHand.leaving(hands(cpu)), node);
}

/** It waits for its grace period. */
export function* hasGone(): Op<void> {
  const hand = hands(smpProcessorId());
  yield* store(RadixTreeHand.leaving(hand), NULL);
  yield* store(RadixTreeHand.tree(hand), NULL);
}

/** Doubts at a time; a node for which there is no room is lost. */
export const RADIX_TREE_DOUBTS = 32;
export interface RadixTreeDoubts {
  nodes: Vec<Ptr<RadixTreeNode> | Null>;
}
const RadixTreeDoubts: StructOf<RadixTreeDoubts> = struct<RadixTreeDoubts>('radix_tree_doubts', {
  nodes: RADIX_TREE_DOUBTS,
});
const doubts: Ptr<RadixTreeDoubts> = defineStatic(RadixTreeDoubts, 'radix_tree_doubts');
export const doubtAt = (slot: number): Ref<Ptr<RadixTreeNode> | Null> => RadixTreeDoubts.nodes(doubts, slot);

const FIRST_DOUBT = -1024;
/** The count of a node that is a doubt. */
export const doubted = (slot: number): number => FIRST_DOUBT - slot;

/** The grace period of a node is over, and it is about to be freed. */
export function* forgetDoubt(node: Ptr<RadixTreeNode>): Op<void> {
  const count = yield* atomicXchg(RadixTreeNode.count(node), 0);
  if (count <= FIRST_DOUBT) yield* atomicCmpxchg(doubtAt(FIRST_DOUBT - count), node, NULL);
}
