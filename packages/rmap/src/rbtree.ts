// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { load, NULL, store } from '@lockless/cpu';
import { RbNode } from '@lockless/mm-types';

/*
 * A red-black tree in flat memory. Its rules:
 *   1. a node is red or black; the root is black
 *   2. a red node has no red child
 *   3. every path from a node down to a missing child passes the same number of black nodes
 * Whoever owns the tree holds a lock over it (for vmas: mmap_sem), so all accesses are plain.
 */

type MaybeNode = Ptr<RbNode> | Null;
/** The word that points to the topmost node: `struct rb_root`. */
export type RbRoot = Ref<MaybeNode>;

const RED = 0;
const BLACK = 1;

type Side = (node: Ptr<RbNode>) => Ref<MaybeNode>;
const mirror = (side: Side): Side => (side === RbNode.left ? RbNode.right : RbNode.left);

function* isBlack(node: MaybeNode): Op<boolean> {
  return node === NULL || (yield* load(RbNode.color(node))) === BLACK;
}

/** Makes whoever pointed to `old` (its parent, or the root) point to `next`. */
function* replaceChild(root: RbRoot, parent: MaybeNode, old: Ptr<RbNode>, next: MaybeNode): Op<void> {
  if (parent === NULL) yield* store(root, next);
  else if ((yield* load(RbNode.left(parent))) === old) yield* store(RbNode.left(parent), next);
  else yield* store(RbNode.right(parent), next);
}

/** Turns `node` down to `side`: its child on the other side takes its place. */
function* rotate(root: RbRoot, node: Ptr<RbNode>, side: Side): Op<void> {
  const other = mirror(side);
  const riser = (yield* load(other(node))) as Ptr<RbNode>;
  const moved = yield* load(side(riser));
  const parent = yield* load(RbNode.parent(node));
  yield* store(other(node), moved);
  if (moved !== NULL) yield* store(RbNode.parent(moved), node);
  yield* store(side(riser), node);
  yield* store(RbNode.parent(riser), parent);
  yield* replaceChild(root, parent, node, riser);
  yield* store(RbNode.parent(node), riser);
}

/** rb_link_node(): hangs a new node, red, at the empty place `link` below `parent`. */
export function* rbLinkNode(node: Ptr<RbNode>, parent: MaybeNode, link: RbRoot): Op<void> {
  yield* store(RbNode.parent(node), parent);
  yield* store(RbNode.color(node), RED);
  yield* store(RbNode.left(node), NULL);
  yield* store(RbNode.right(node), NULL);
  yield* store(link, node);
}

/**
 * rb_insert_color(): restores the colour rules after {@link rbLinkNode}.
 * *Source*: rb_insert_color(), lib/rbtree.c, 2.6.27.
 */
export function* rbInsertColor(node: Ptr<RbNode>, root: RbRoot): Op<void> {
  let at = node;
  for (;;) {
    const parent = yield* load(RbNode.parent(at));
    if (parent === NULL || (yield* isBlack(parent))) break;
    // A red parent is not the root, so there is a grandparent.
    const grandparent = (yield* load(RbNode.parent(parent))) as Ptr<RbNode>;
    const side = (yield* load(RbNode.left(grandparent))) === parent ? RbNode.left : RbNode.right;
    const uncle = yield* load(mirror(side)(grandparent));
    if (uncle !== NULL && !(yield* isBlack(uncle))) {
      yield* store(RbNode.color(uncle), BLACK);
      yield* store(RbNode.color(parent), BLACK);
      yield* store(RbNode.color(grandparent), RED);
      at = grandparent;
      continue;
    }
    let top = parent;
    if ((yield* load(mirror(side)(parent))) === at) {
      yield* rotate(root, parent, side);
      top = at;
    }
    yield* store(RbNode.color(top), BLACK);
    yield* store(RbNode.color(grandparent), RED);
    yield* rotate(root, grandparent, mirror(side));
    break;
  }
  yield* store(RbNode.color((yield* load(root)) as Ptr<RbNode>), BLACK);
}

/**
 * rb_erase(): takes a node out.
 * *Source*: rb_erase(), lib/rbtree.c, 2.6.27.
 */
export function* rbErase(node: Ptr<RbNode>, root: RbRoot): Op<void> {
  const left = yield* load(RbNode.left(node));
  const right = yield* load(RbNode.right(node));
  if (left !== NULL && right !== NULL) {
    yield* eraseInner(node, left, right, root);
    return;
  }
  const child = left !== NULL ? left : right;
  const parent = yield* load(RbNode.parent(node));
  if (child !== NULL) yield* store(RbNode.parent(child), parent);
  yield* replaceChild(root, parent, node, child);
  if ((yield* load(RbNode.color(node))) === BLACK) yield* repairBlackCount(child, parent, root);
}

/** Erases a node with two children: its successor, which has no left child, takes its place and colour. */
function* eraseInner(node: Ptr<RbNode>, left: Ptr<RbNode>, right: Ptr<RbNode>, root: RbRoot): Op<void> {
  const successor = yield* outermost(right, RbNode.left);
  const child = yield* load(RbNode.right(successor));
  const color = yield* load(RbNode.color(successor));
  let parent = (yield* load(RbNode.parent(successor))) as Ptr<RbNode>;
  if (parent === node) {
    parent = successor;
  } else {
    if (child !== NULL) yield* store(RbNode.parent(child), parent);
    yield* store(RbNode.left(parent), child);
    yield* store(RbNode.right(successor), right);
    yield* store(RbNode.parent(right), successor);
  }
  const above = yield* load(RbNode.parent(node));
  yield* store(RbNode.parent(successor), above);
  yield* store(RbNode.color(successor), yield* load(RbNode.color(node)));
  yield* store(RbNode.left(successor), left);
  yield* store(RbNode.parent(left), successor);
  yield* replaceChild(root, above, node, successor);
  if (color === BLACK) yield* repairBlackCount(child, parent, root);
}

/** `at` (maybe missing, below `parent`) roots a subtree that is one black node short. */
function* repairBlackCount(at: MaybeNode, parent: MaybeNode, root: RbRoot): Op<void> {
  while (parent !== NULL && (yield* isBlack(at))) {
    const side = (yield* load(RbNode.left(parent))) === at ? RbNode.left : RbNode.right;
    const other = mirror(side);
    // The other subtree has at least the black node that this one lost.
    let sibling = (yield* load(other(parent))) as Ptr<RbNode>;
    if (!(yield* isBlack(sibling))) {
      yield* store(RbNode.color(sibling), BLACK);
      yield* store(RbNode.color(parent), RED);
      yield* rotate(root, parent, side);
      sibling = (yield* load(other(parent))) as Ptr<RbNode>;
    }
    const near = yield* load(side(sibling));
    const far = yield* load(other(sibling));
    if ((yield* isBlack(near)) && (yield* isBlack(far))) {
      yield* store(RbNode.color(sibling), RED);
      at = parent;
      parent = yield* load(RbNode.parent(at));
      continue;
    }
    yield* borrowFromSibling(parent, sibling, side, root);
    at = yield* load(root);
    break;
  }
  if (at !== NULL) yield* store(RbNode.color(at), BLACK);
}

/** A black sibling with a red child can spare one: rotations move it over, and nothing above notices. */
function* borrowFromSibling(parent: Ptr<RbNode>, sibling: Ptr<RbNode>, side: Side, root: RbRoot): Op<void> {
  const other = mirror(side);
  if (yield* isBlack(yield* load(other(sibling)))) {
    const near = (yield* load(side(sibling))) as Ptr<RbNode>;
    yield* store(RbNode.color(near), BLACK);
    yield* store(RbNode.color(sibling), RED);
    yield* rotate(root, sibling, other);
    sibling = near;
  }
  yield* store(RbNode.color(sibling), yield* load(RbNode.color(parent)));
  yield* store(RbNode.color(parent), BLACK);
  yield* store(RbNode.color((yield* load(other(sibling))) as Ptr<RbNode>), BLACK);
  yield* rotate(root, parent, side);
}

function* outermost(node: Ptr<RbNode>, side: Side): Op<Ptr<RbNode>> {
  for (;;) {
    const next = yield* load(side(node));
    if (next === NULL) return node;
    node = next;
  }
}

function* neighbour(node: Ptr<RbNode>, side: Side): Op<MaybeNode> {
  const inner = yield* load(side(node));
  if (inner !== NULL) return yield* outermost(inner, mirror(side));
  for (;;) {
    const parent = yield* load(RbNode.parent(node));
    if (parent === NULL || (yield* load(side(parent))) !== node) return parent;
    node = parent;
  }
}

/** rb_first(): the smallest node, or NULL of an empty tree. */
export function* rbFirst(root: RbRoot): Op<MaybeNode> {
  const top = yield* load(root);
  return top === NULL ? NULL : yield* outermost(top, RbNode.left);
}

/** rb_next(): the next in order, or NULL. */
export const rbNext = (node: Ptr<RbNode>): Op<MaybeNode> => neighbour(node, RbNode.right);

/** rb_prev(): the one before, or NULL. */
export const rbPrev = (node: Ptr<RbNode>): Op<MaybeNode> => neighbour(node, RbNode.left);
