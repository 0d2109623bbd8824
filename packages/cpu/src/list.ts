// SPDX-License-Identifier: MIT
import { load, rcuAssignPointer, readOnce, store, writeOnce } from './access.js';
import type { Op } from './op.js';
import type { StructOf } from './struct.js';
import { struct } from './struct.js';
import type { Ptr } from './word.js';

/** struct list_head: a circular doubly linked list; the head is an element too. Protected by the owner's lock. */
export interface ListHead {
  next: Ptr<ListHead>;
  prev: Ptr<ListHead>;
}
/*
 * The forward pointer is stored with WRITE_ONCE, as since 4.4, because list_empty() may look at it without the lock: waitqueue_active() does, and its
 * barrier orders marked accesses alone.
 */
export const ListHead: StructOf<ListHead> = struct<ListHead>('list_head', { next: 1, prev: 1 });

/** INIT_LIST_HEAD(): an empty list, or an element that is on none. */
export function* initListHead(head: Ptr<ListHead>): Op<void> {
  yield* writeOnce(ListHead.next(head), head);
  yield* store(ListHead.prev(head), head);
}

function* insertBetween(entry: Ptr<ListHead>, prev: Ptr<ListHead>, next: Ptr<ListHead>): Op<void> {
  yield* store(ListHead.prev(next), entry);
  yield* store(ListHead.next(entry), next);
  yield* store(ListHead.prev(entry), prev);
  yield* writeOnce(ListHead.next(prev), entry);
}

/** list_add(): right after the head. */
export function* listAdd(entry: Ptr<ListHead>, head: Ptr<ListHead>): Op<void> {
  yield* insertBetween(entry, head, yield* load(ListHead.next(head)));
}

/** list_add_tail(): right before the head. */
export function* listAddTail(entry: Ptr<ListHead>, head: Ptr<ListHead>): Op<void> {
  yield* insertBetween(entry, yield* load(ListHead.prev(head)), head);
}

/** list_add_rcu(): readers may walk the list meanwhile; the new element is published complete. */
export function* listAddRcu(entry: Ptr<ListHead>, head: Ptr<ListHead>): Op<void> {
  const next = yield* load(ListHead.next(head));
  yield* store(ListHead.next(entry), next);
  yield* store(ListHead.prev(entry), head);
  yield* rcuAssignPointer(ListHead.next(head), entry);
  yield* store(ListHead.prev(next), entry);
}

/** __list_del_entry(): unlinks; the element's own pointers stay, so an RCU reader standing on it goes on. */
export function* listDelEntry(entry: Ptr<ListHead>): Op<void> {
  const next = yield* load(ListHead.next(entry));
  const prev = yield* load(ListHead.prev(entry));
  yield* store(ListHead.prev(next), prev);
  yield* writeOnce(ListHead.next(prev), next);
}

/** list_del_init(): unlinks and makes the element an empty list. */
export function* listDelInit(entry: Ptr<ListHead>): Op<void> {
  yield* listDelEntry(entry);
  yield* initListHead(entry);
}

/** list_move(): to the front of another list. */
export function* listMove(entry: Ptr<ListHead>, head: Ptr<ListHead>): Op<void> {
  yield* listDelEntry(entry);
  yield* listAdd(entry, head);
}

/** list_move_tail(). */
export function* listMoveTail(entry: Ptr<ListHead>, head: Ptr<ListHead>): Op<void> {
  yield* listDelEntry(entry);
  yield* listAddTail(entry, head);
}

/** list_empty(): also without the lock, as a hint. */
export function* listEmpty(head: Ptr<ListHead>): Op<boolean> {
  return (yield* readOnce(ListHead.next(head))) === head;
}

/** list_splice_init(): moves all elements of `list` to the front of `head`. */
export function* listSpliceInit(list: Ptr<ListHead>, head: Ptr<ListHead>): Op<void> {
  if (yield* listEmpty(list)) return;
  const first = yield* load(ListHead.next(list));
  const last = yield* load(ListHead.prev(list));
  const at = yield* load(ListHead.next(head));
  yield* store(ListHead.prev(first), head);
  yield* writeOnce(ListHead.next(head), first);
  yield* store(ListHead.next(last), at);
  yield* store(ListHead.prev(at), last);
  yield* initListHead(list);
}
