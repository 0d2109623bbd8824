// SPDX-License-Identifier: MIT
import { load, readOnce, store, writeOnce } from './access.js';
import type { Op } from './op.js';
import type { StructOf } from './struct.js';
import { struct } from './struct.js';
import type { Null, Ptr, Ref } from './word.js';
import { NULL } from './word.js';

/** struct hlist_node: an element of a list that has no tail. `pprev` is the word that points to it. */
export interface HlistNode {
  next: Ptr<HlistNode> | Null;
  /** 0: on no list. */
  pprev: Ref<Ptr<HlistNode> | Null> | Null;
}
export const HlistNode: StructOf<HlistNode> = struct<HlistNode>('hlist_node', { next: 1, pprev: 1 });

/** struct hlist_head: one word, 0 when the list is empty. Changes are protected by the owner's lock; RCU readers may walk meanwhile. */
export interface HlistHead {
  first: Ptr<HlistNode> | Null;
}
export const HlistHead: StructOf<HlistHead> = struct<HlistHead>('hlist_head', { first: 1 });

/** INIT_HLIST_HEAD(). */
export function* initHlistHead(head: Ptr<HlistHead>): Op<void> {
  yield* store(HlistHead.first(head), NULL);
}

/** INIT_HLIST_NODE(): on no list. */
export function* initHlistNode(node: Ptr<HlistNode>): Op<void> {
  yield* store(HlistNode.next(node), NULL);
  yield* store(HlistNode.pprev(node), NULL);
}

/** hlist_unhashed(): whether it is on no list, as left by {@link hlistDelInitRcu}. {@link hlistDelRcu} does not make an element so. */
export function* hlistUnhashed(node: Ptr<HlistNode>): Op<boolean> {
  return (yield* load(HlistNode.pprev(node))) === NULL;
}

/** hlist_empty(): also without the lock, as a hint. */
export function* hlistEmpty(head: Ptr<HlistHead>): Op<boolean> {
  return (yield* readOnce(HlistHead.first(head))) === NULL;
}

/** hlist_add_head(): in front. No reader may be walking, unless another lock publishes the element to it. */
export function* hlistAddHead(node: Ptr<HlistNode>, head: Ptr<HlistHead>): Op<void> {
  const first = yield* load(HlistHead.first(head));
  yield* store(HlistNode.next(node), first);
  yield* store(HlistNode.pprev(node), HlistHead.first(head));
  if (first !== NULL) yield* store(HlistNode.pprev(first), HlistNode.next(node));
  yield* writeOnce(HlistHead.first(head), node);
}

/** hlist_del_rcu(): unlinks; the element's own `next` stays, so a reader standing on it goes on. It still looks hashed. */
export function* hlistDelRcu(node: Ptr<HlistNode>): Op<void> {
  const next = yield* load(HlistNode.next(node));
  const pprev = (yield* load(HlistNode.pprev(node))) as Ref<Ptr<HlistNode> | Null>;
  yield* writeOnce(pprev, next);
  if (next !== NULL) yield* store(HlistNode.pprev(next), pprev);
}

/** hlist_del_init_rcu(): {@link hlistDelRcu}, and whoever looks under the lock sees that it is on no list; nothing if it is on none already. */
export function* hlistDelInitRcu(node: Ptr<HlistNode>): Op<void> {
  if (yield* hlistUnhashed(node)) return;
  yield* hlistDelRcu(node);
  yield* store(HlistNode.pprev(node), NULL);
}
