// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicCmpxchg,
  atomicDec,
  atomicIncNotZero,
  defineStatic,
  load,
  type Op,
  type Ptr,
  poke,
  type StructOf,
  store,
  struct,
} from '@lockless/cpu';
import { rcuInit, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { expect } from 'vitest';
import { everySchedule } from './interleave.js';
import type { Tree } from './kernel-case.js';
import { itemAt, tree } from './tree.js';

/** Stand-in for struct page: what find_get_pages() looks at. */
interface Item {
  count: number;
  index: number;
}
const Item: StructOf<Item> = struct<Item>('test_item', { count: 1, index: 1 });
const P = defineStatic(Item, 'P');
const Q = defineStatic(Item, 'Q');
/** What P is once it was freed and allocated for something else. */
const REUSED = 99;

/** A tree with these indexes; P and Q are the items of 0 and 1 where `pages` says so. */
function prepared(t: Tree, indexes: readonly number[], pages = false): () => Op<void> {
  return function* () {
    yield* rcuInit(2);
    yield* t.radixTreeInit(tree, 0);
    poke(Item.count(P), 1);
    poke(Item.count(Q), 1);
    poke(Item.index(Q), 1);
    for (const index of indexes) {
      yield* t.radixTreeInsert(tree, index, pages ? [P, Q][index] : itemAt(index));
    }
  };
}

/** find_get_pages() on the first ten indexes, as regression1.c has it. Returns what the pages it got references to say of themselves,
 * or null when it lost patience with pages that have none to give. */
function* findGetPages(t: Tree, patience = Number.POSITIVE_INFINITY): Op<number[] | null> {
  yield* rcuReadLock();
  restart: for (;;) {
    const found: number[] = [];
    for (const slot of yield* t.radixTreeGangLookupSlot(tree, 0, 10)) {
      for (;;) {
        const item = yield* t.radixTreeDerefSlot(slot);
        if (item === t.RADIX_TREE_RETRY) continue restart;
        if (item === 0) break;
        const page = item as Ptr<Item>;
        if (!(yield* atomicIncNotZero(Item.count(page)))) {
          if (--patience === 0) return null;
          continue;
        }
        if (page !== (yield* t.radixTreeDerefSlot(slot))) {
          yield* atomicDec(Item.count(page));
          continue;
        }
        found.push(yield* load(Item.index(page)));
        yield* atomicDec(Item.count(page));
        break;
      }
    }
    yield* rcuReadUnlock();
    return found;
  }
}

/** Deletes and drops the cache's reference; true when that was the last. */
function* removePage(t: Tree, index: number, page: Ptr<Item>): Op<boolean> {
  yield* t.radixTreeDelete(tree, index);
  return (yield* atomicCmpxchg(Item.count(page), 1, 0)) === 1;
}

/** regression1.c (B1): the leaf dies under a reader that holds the address of its slot 0; the item in it will never again have a reference to give. */
export const regression1 = (t: Tree): number =>
  everySchedule({
    prepare: prepared(t, [0, 1], true),
    reader: () => findGetPages(t),
    *writer() {
      yield* removePage(t, 1, Q);
      yield* removePage(t, 0, P);
    },
    check: (found) => expect([[0, 1], [0], [1], []]).toContainEqual(found),
  });

/** B2: the same leaf, but the page in its slot 0 comes to new life as something else, with references to give. */
export const wrongPageFromStaleLeaf = (t: Tree): number =>
  everySchedule({
    prepare: prepared(t, [0, 1], true),
    reader: () => findGetPages(t, 3),
    *writer() {
      yield* removePage(t, 1, Q);
      if (!(yield* removePage(t, 0, P))) return;
      yield* store(Item.index(P), REUSED);
      yield* store(Item.count(P), 1);
    },
    check: (found) => expect(found ?? []).not.toContain(REUSED),
  });

/** A lookup under rcu_read_lock(). */
function* lookup(t: Tree, index: number): Op<number> {
  yield* rcuReadLock();
  const item = yield* t.radixTreeLookup(tree, index);
  yield* rcuReadUnlock();
  return item;
}

/** The item of `index` is there all the time, while the writer changes the tree around it. */
const alwaysFound = (t: Tree, before: readonly number[], index: number, writer: () => Op<void>): number =>
  everySchedule({
    prepare: prepared(t, before),
    reader: () => lookup(t, index),
    writer,
    check: (item) => expect(item).toBe(itemAt(index)),
  });

/** regression4.c: index 0 is looked up while index 1 comes and goes, so that item 0 moves between root and leaf. */
export const regression4 = (t: Tree): number =>
  alwaysFound(t, [0], 0, function* () {
    yield* t.radixTreeInsert(tree, 1, itemAt(1));
    yield* t.radixTreeDelete(tree, 1);
  });

/** The reader stands in a leaf that dies. */
export const leafDies = (t: Tree): number =>
  alwaysFound(t, [0, 1], 0, function* () {
    yield* t.radixTreeDelete(tree, 1);
  });

/** B3: the reader stands on a top node that goes. */
export const treeShrinks = (t: Tree): number =>
  alwaysFound(t, [0, 64], 0, function* () {
    yield* t.radixTreeDelete(tree, 64);
  });

/** B5, B6: the tree is raised, by one level and by four. */
export const treeExtends = (t: Tree): number =>
  alwaysFound(t, [0, 1], 1, function* () {
    yield* t.radixTreeInsert(tree, 64, itemAt(64));
    yield* t.radixTreeInsert(tree, 2 ** 28, itemAt(3));
  });

/** Many at once: what stays is found, nothing twice, nothing out of order. */
export const gangLookupBesideWriter = (t: Tree): number =>
  everySchedule({
    prepare: prepared(t, [62, 63, 64, 65]),
    *reader() {
      yield* rcuReadLock();
      const items = yield* t.radixTreeGangLookup(tree, 62, 4);
      yield* rcuReadUnlock();
      return items;
    },
    *writer() {
      for (const index of [65, 64]) yield* t.radixTreeDelete(tree, index);
    },
    check: (items) => {
      expect(items.slice(0, 2)).toEqual([itemAt(62), itemAt(63)]);
      expect(items).toEqual([...new Set(items)].sort((a, b) => a - b));
      expect(items.every((item) => [62, 63, 64, 65].map(itemAt).includes(item))).toBe(true);
    },
  });

/** The same for one item that is tagged throughout, beside one whose tag comes and goes. */
export const taggedLookupBesideWriter = (t: Tree): number =>
  everySchedule({
    *prepare() {
      yield* prepared(t, [0, 1, 64])();
      yield* t.radixTreeTagSet(tree, 1, 0);
    },
    *reader() {
      yield* rcuReadLock();
      const items = yield* t.radixTreeGangLookupTag(tree, 0, 10, 0);
      yield* rcuReadUnlock();
      return items;
    },
    *writer() {
      yield* t.radixTreeTagSet(tree, 64, 0);
      yield* t.radixTreeTagClear(tree, 64, 0);
      yield* t.radixTreeDelete(tree, 64);
    },
    check: (items) => expect([[itemAt(1)], [itemAt(1), itemAt(64)]]).toContainEqual(items),
  });
