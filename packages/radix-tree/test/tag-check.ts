// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { RADIX_TREE_MAP_SHIFT } from '@lockless/mm-types';
import { expect } from 'vitest';
import { type Case, guarded, insertAll, inTree, MAX, type Tree, tagOf } from './kernel-case.js';
import { itemAt, run, settle, tree, verifyTree } from './tree.js';

/** tag_check.c: simple_checks(). 10,000 indexes in the kernel, 1,000 here. */
export const simpleTagChecks: Case = (t) => {
  for (const tag of [0, 1]) {
    inTree(function* () {
      for (let index = 0; index < 1000; index++) yield* simpleTagCheck(t, index, tag);
      verifyTree(tree);
    });
  }
};

function* simpleTagCheck(t: Tree, index: number, tag: number): Op<void> {
  expect(yield* t.radixTreeTagGet(tree, index, tag)).toBe(false);
  yield* t.radixTreeInsert(tree, index, itemAt(index));
  expect(yield* t.radixTreeTagGet(tree, index, tag)).toBe(false);
  yield* t.radixTreeTagSet(tree, index, tag);
  expect(yield* t.radixTreeTagGet(tree, index, tag)).toBe(true);
  const { tagged } = yield* t.radixTreeRangeTagIfTagged(tree, index, MAX, 10, tag, 1 - tag);
  expect(tagged).toBe(1);
  expect(yield* tagOf(t, index)).toEqual([true, true]);
  expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(index));
  yield* t.radixTreeInsert(tree, index, itemAt(index));
  expect(yield* tagOf(t, index)).toEqual([false, false]);
  expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(index));
  expect(yield* t.radixTreeDelete(tree, index)).toBe(0);
}

/** tag_check.c: extend_checks(): tags go up with a tree that is raised, and survive its lowering. */
export const extendTagChecks: Case = (t) =>
  inTree(function* () {
    yield* t.radixTreeInsert(tree, 43, itemAt(43));
    yield* t.radixTreeTagSet(tree, 43, 0);
    yield* t.radixTreeInsert(tree, 1_000_000, itemAt(1_000_000));
    expect(yield* t.radixTreeTagGet(tree, 43, 0)).toBe(true);
    yield* t.radixTreeInsert(tree, 0, itemAt(0));
    yield* t.radixTreeTagSet(tree, 0, 0);
    yield* t.radixTreeDelete(tree, 1_000_000);
    expect(yield* t.radixTreeTagGet(tree, 43, 0)).toBe(true);
    yield* t.radixTreeDelete(tree, 43);
    expect(yield* t.radixTreeTagGet(tree, 43, 0)).toBe(false);
    expect(yield* t.radixTreeTagGet(tree, 0, 0)).toBe(true);
    expect(yield* t.radixTreeGangLookupTag(tree, 0, 10, 0)).toEqual([itemAt(0)]);
    verifyTree(tree);
  });

/** tag_check.c: contract_checks(). */
export const contractTagChecks: Case = (t) =>
  inTree(function* () {
    const at = 1 << RADIX_TREE_MAP_SHIFT;
    yield* insertAll(t, at, at + 2);
    yield* t.radixTreeTagSet(tree, at, 0);
    yield* t.radixTreeTagSet(tree, at, 1);
    yield* t.radixTreeTagSet(tree, at + 1, 0);
    yield* t.radixTreeDelete(tree, at + 1);
    yield* t.radixTreeTagClear(tree, at, 1);
    expect(yield* t.radixTreeGangLookupTag(tree, 0, 1, 0)).toEqual([itemAt(at)]);
    expect(yield* t.radixTreeGangLookupTag(tree, 0, 1, 1)).toEqual([]);
    expect(yield* tagOf(t, at)).toEqual([true, false]);
    verifyTree(tree);
  });

/** tag_check.c: single_check(). */
export const singleTagCheck: Case = (t) =>
  inTree(function* () {
    yield* t.radixTreeInsert(tree, 0, itemAt(0));
    yield* t.radixTreeTagSet(tree, 0, 0);
    expect(yield* t.radixTreeGangLookupTag(tree, 0, 10, 0)).toEqual([itemAt(0)]);
    expect(yield* t.radixTreeGangLookupTag(tree, 1, 10, 0)).toEqual([]);
    expect(yield* t.radixTreeRangeTagIfTagged(tree, 0, 10, 10, 0, 1)).toEqual({ tagged: 1, next: 11 });
    expect(yield* t.radixTreeGangLookupTag(tree, 0, 10, 1)).toEqual([itemAt(0)]);
  });

/** tag_check.c: leak_check(). */
export const leakCheck: Case = (t) => {
  const engine = guarded();
  run(engine, function* () {
    for (const index of [1_000_000, 0, MAX]) {
      yield* t.radixTreeInsert(tree, index, itemAt(5));
      expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(5));
    }
  });
  settle(engine);
  expect(engine.heap.live[t.radixTreeNodeCachep.id] ?? 0).toBe(0);
};
