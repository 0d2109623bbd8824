// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicCmpxchg, containerOf, kmemCacheFree, load, NULL, peek, readOnce, store, writeOnce } from '@lockless/cpu';
import { RADIX_TREE_MAP_SIZE, RadixTreeNode, RadixTreeRoot, RcuHead } from '@lockless/mm-types';
import { urcuBegun, urcuInvoking, urcuIsQueued, urcuTryExclude } from '@lockless/rcu';
import { doubtAt, doubted, hands, leftBy, RADIX_TREE_DOUBTS, RadixTreeHand } from './radix-tree-hand.js';
import {
  entryToNode,
  isIndirect,
  isPreloaded,
  radixTreeNodeCachep,
  radixTreeNodeFree,
  radixTreeNodeRcuFree,
} from './radix-tree-node.js';

/*
 * After the death of a CPU: nodes that it had in hand (radix-tree-hand.ts). What is in the tree is not in hand. What was on its way into a tree or the pool nobody has seen, so it is
 * freed; of what had left a tree nobody can tell yet whether it waits for its grace period: when nobody invokes callbacks {@link radixTreeSettleDoubts} can.
 */

/** Whether a node is part of the tree below another. */
function* isBelow(top: Ptr<RadixTreeNode>, node: Ptr<RadixTreeNode>): Op<boolean> {
  if (top === node) return true;
  if ((yield* load(RadixTreeNode.height(top))) === 1) return false;
  for (let offset = 0; offset < RADIX_TREE_MAP_SIZE; offset++) {
    const entry = yield* load(RadixTreeNode.slots(top, offset));
    if (entry !== NULL && (yield* isBelow(entryToNode(entry), node))) return true;
  }
  return false;
}

function* isIn(root: Ptr<RadixTreeRoot>, node: Ptr<RadixTreeNode>): Op<boolean> {
  const rnode = yield* load(RadixTreeRoot.rnode(root));
  return isIndirect(rnode) && (yield* isBelow(entryToNode(rnode), node));
}

/** A node that left its tree, of which nobody knows whether it waits for its grace period. Unless it was freed already: then its count says nothing of that CPU. */
function* doubt(cpu: number, node: Ptr<RadixTreeNode>): Op<void> {
  for (let slot = 0; slot < RADIX_TREE_DOUBTS; slot++) {
    if ((yield* atomicCmpxchg(doubtAt(slot), NULL, node)) !== NULL) continue;
    const count = yield* atomicCmpxchg(RadixTreeNode.count(node), leftBy(cpu), doubted(slot));
    if (count !== leftBy(cpu)) yield* writeOnce(doubtAt(slot), NULL);
    return;
  }
}

/** Gives back what a dead CPU had in hand; what is in a tree it has not. */
function* empty(cpu: number): Op<void> {
  const hand = hands(cpu);
  const node = yield* load(RadixTreeHand.node(hand));
  // Nobody has seen it.
  if (node !== NULL && !(yield* isPreloaded(cpu, node))) yield* kmemCacheFree(radixTreeNodeCachep, node);
  yield* store(RadixTreeHand.node(hand), NULL);
  const leaving = yield* load(RadixTreeHand.leaving(hand));
  if (leaving !== NULL) yield* doubt(cpu, leaving);
  yield* store(RadixTreeHand.leaving(hand), NULL);
  yield* store(RadixTreeHand.tree(hand), NULL);
}

/** Gives back what a dead CPU had in hand of a tree whose writers' lock it held. *Context*: that lock; before the tree is repaired, which has things in hand itself. */
export function* settleHand(root: Ptr<RadixTreeRoot>, cpu: number): Op<void> {
  const hand = hands(cpu);
  if ((yield* load(RadixTreeHand.tree(hand))) !== root) return;
  const node = yield* load(RadixTreeHand.node(hand));
  if (node !== NULL && (yield* isIn(root, node))) yield* store(RadixTreeHand.node(hand), NULL);
  const leaving = yield* load(RadixTreeHand.leaving(hand));
  if (leaving !== NULL && (yield* isIn(root, leaving))) yield* store(RadixTreeHand.leaving(hand), NULL);
  yield* empty(cpu);
}

/**
 * Gives back the nodes that a dead CPU had in hand of no tree. Those of a tree whose lock it held, and that nobody has repaired, are lost with it.
 *
 * *Context*: no locks. The CPU is dead, its stores are seen, its locks were taken over, nobody has its number yet; once for each death.
 */
export function* radixTreeThreadDied(cpu: number): Op<void> {
  const hand = hands(cpu);
  if ((yield* load(RadixTreeHand.tree(hand))) !== NULL) {
    yield* store(RadixTreeHand.node(hand), NULL);
    yield* store(RadixTreeHand.leaving(hand), NULL);
  }
  yield* empty(cpu);
}

/**
 * The node that a dead thread was about to free, after its grace period, when it died invoking callbacks of RCU: again in the list, if its callback had not begun; if it had, the node
 * is in hand.
 *
 * *Context*: as that CPU; the mutex of user-space RCU's callbacks, taken over from it.
 */
export function* radixTreeReclaimerDied(cpu: number): Op<void> {
  const head = yield* urcuInvoking();
  if (head !== NULL && (yield* load(RcuHead.func(head))) === radixTreeNodeRcuFree) {
    const node = containerOf(head, RadixTreeNode, 'rcuHead');
    if ((yield* load(RadixTreeHand.node(hands(cpu)))) !== node) yield* radixTreeNodeFree(node);
  }
  yield* urcuBegun();
}

function* settleDoubts(): Op<void> {
  for (let slot = 0; slot < RADIX_TREE_DOUBTS; slot++) {
    const node = yield* readOnce(doubtAt(slot));
    // Otherwise whoever doubts is not done with it.
    if (node === NULL || (yield* readOnce(RadixTreeNode.count(node))) !== doubted(slot)) continue;
    // Off the table only after that: if we die in between, it is found on the list.
    if (!(yield* urcuIsQueued(RadixTreeNode.rcuHead(node)))) yield* radixTreeNodeFree(node);
    yield* writeOnce(doubtAt(slot), NULL);
  }
}

/**
 * Has nodes freed that were in doubt after deaths, a grace period later. To be called now and then where memory is reclaimed: without doubts it is a look at a table.
 *
 * *Context*: may sleep; not inside a reader. User-space RCU.
 * *Returns* false when there are some, and somebody invokes callbacks at the moment.
 */
export function* radixTreeSettleDoubts(): Op<boolean> {
  for (let slot = 0; slot < RADIX_TREE_DOUBTS; slot++)
    if ((yield* readOnce(doubtAt(slot))) !== NULL) return yield* urcuTryExclude(settleDoubts);
  return true;
}

/** Nodes in doubt, from outside. */
export function radixTreeDoubts(): Ptr<RadixTreeNode>[] {
  const found: Ptr<RadixTreeNode>[] = [];
  for (let slot = 0; slot < RADIX_TREE_DOUBTS; slot++) {
    const node = peek(doubtAt(slot));
    if (node !== NULL) found.push(node);
  }
  return found;
}
