// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { GFP_KERNEL } from '@lockless/cpu';
import { ENOMEM, RADIX_TREE_MAP_SHIFT, RADIX_TREE_MAP_SIZE } from '@lockless/mm-types';
import { expect } from 'vitest';
import { type Case, deleteAll, insertAll, inTree, MAX, type Tree, tagOf } from './kernel-case.js';
import { itemAt, machine, randomFrom, run, settle, tree, verifyTree } from './tree.js';

const DIRTY = 0;
const TOWRITE = 1;

/** regression2.c: a tagged lookup that never returned, because a tag was set where nothing is tagged. */
export const regression2: Case = (t) =>
  inTree(function* () {
    yield* insertAll(t, 0, RADIX_TREE_MAP_SIZE);
    yield* t.radixTreeTagSet(tree, RADIX_TREE_MAP_SIZE - 1, DIRTY);
    const range = yield* t.radixTreeRangeTagIfTagged(tree, 0, RADIX_TREE_MAP_SIZE - 2, MAX, DIRTY, TOWRITE);
    expect(range).toEqual({ tagged: 0, next: RADIX_TREE_MAP_SIZE - 1 });
    yield* insertAll(t, RADIX_TREE_MAP_SIZE, RADIX_TREE_MAP_SIZE + 1);
    yield* t.radixTreeTagClear(tree, RADIX_TREE_MAP_SIZE - 1, DIRTY);
    for (let index = RADIX_TREE_MAP_SIZE - 1; index >= 0; index--) yield* t.radixTreeDelete(tree, index);
    expect(yield* t.radixTreeGangLookupTagSlot(tree, 1, RADIX_TREE_MAP_SIZE - 2, TOWRITE)).toEqual([]);
    expect(yield* t.radixTreeTagged(tree, TOWRITE)).toBe(false);
    yield* t.radixTreeDelete(tree, RADIX_TREE_MAP_SIZE);
  });

/** regression3.c, for gang lookups in place of the later iterators: the tree grows between a lookup of slots and the look into them. */
export const regression3: Case = (t) => {
  const lookups: ((first: number) => Op<Ref<number>[]>)[] = [
    (first) => t.radixTreeGangLookupSlot(tree, first, 10),
    (first) => t.radixTreeGangLookupTagSlot(tree, first, 10, 0),
  ];
  for (const lookup of lookups) {
    inTree(function* () {
      yield* t.radixTreeInsert(tree, 0, itemAt(0));
      yield* t.radixTreeTagSet(tree, 0, 0);
      const seen: number[] = [];
      for (let restarts = 0; restarts < 3; restarts++) {
        const slots = yield* lookup(0);
        if (restarts === 0) {
          yield* t.radixTreeInsert(tree, 1, itemAt(1));
          yield* t.radixTreeTagSet(tree, 1, 0);
        }
        for (const slot of slots) seen.push(yield* t.radixTreeDerefSlot(slot));
        if (!seen.includes(t.RADIX_TREE_RETRY)) break;
        expect(seen.splice(0)).toEqual([t.RADIX_TREE_RETRY]);
      }
      expect(seen).toEqual([itemAt(0), itemAt(1)]);
    });
  }
};

/** main.c: __gang_check(). */
function gangCheck(t: Tree, middle: number, down: number, up: number, chunk: number, hop: number): void {
  inTree(function* () {
    yield* insertAll(t, middle - down, middle + up);
    expect(yield* t.radixTreeLookup(tree, middle + up)).toBe(0);
    if (middle > down) expect(yield* t.radixTreeLookup(tree, middle - down - 1)).toBe(0);
    let index = middle - down;
    while (index < middle + up) {
      const items = yield* t.radixTreeGangLookup(tree, index, chunk);
      const count = Math.min(chunk, middle + up - index);
      expect(items).toEqual(Array.from({ length: count }, (_, i) => itemAt(index + i)));
      index += hop;
    }
  });
}

/** main.c: gang_check(), its six shapes; of the fifth 8,192 items where the kernel has 65,536. */
export const gangChecks: Case = (t) => {
  const middle = 2 ** 30;
  gangCheck(t, middle, 128, 128, 35, 2);
  gangCheck(t, middle, 128, 128, 32, 32);
  gangCheck(t, middle, 128, 128, 32, 100);
  gangCheck(t, middle, 128, 128, 17, 7);
  gangCheck(t, middle, 0, 8192, 17, 7);
  gangCheck(t, middle, 1, 1, 17, 7);
};

/** main.c: add_and_check(). */
export const addAndCheck: Case = (t) =>
  inTree(function* () {
    yield* insertAll(t, 44, 45);
    expect(yield* t.radixTreeLookup(tree, 44)).toBe(itemAt(44));
    expect(yield* t.radixTreeLookup(tree, 43)).toBe(0);
  });

/** main.c: dynamic_height_check(): the tree is never higher than its largest index asks for. */
export const dynamicHeightCheck: Case = (t) =>
  inTree(function* () {
    const heightIsMinimal = (largest: number): void => {
      const { nodes, items } = verifyTree(tree);
      expect(Math.max(0, ...items.keys())).toBe(largest);
      const leaves = new Set([...items.keys()].map((index) => index >> RADIX_TREE_MAP_SHIFT));
      expect(nodes).toBe(largest === 0 ? 0 : largest < 64 ? 1 : largest < 4096 ? leaves.size + 1 : leaves.size + 5);
    };
    for (const index of [42, 1_000_000]) {
      yield* insertAll(t, index, index + 1);
      expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(index));
      heightIsMinimal(0);
    }
    for (let index = 0; index < 1000; index++) {
      yield* insertAll(t, index, index + 1);
      if (index % 7 === 0) heightIsMinimal(index);
    }
    for (let index = 999; index > 0; index--) {
      expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(index));
      if (index % 7 === 0) heightIsMinimal(index - 1);
    }
    yield* deleteAll(t, 0, 1);
  });

/** main.c: copy_tag_check(): 50,000 random items in the kernel, 1,500 here. */
export const copyTagCheck: Case = (t) => {
  for (const batch of [MAX, 100, 7]) {
    const random = randomFrom(batch);
    inTree(function* () {
      const [start, end] = [random(1 << 20), (1 << 20) + random(1 << 20)];
      const wanted = new Set<number>();
      for (let i = 0; i < 1500; i++) {
        const index = random(3 << 20);
        if ((yield* t.radixTreeInsert(tree, index, itemAt(index))) !== 0) continue;
        if (i % 2 === 1) continue;
        yield* t.radixTreeTagSet(tree, index, 0);
        if (index >= start && index <= end) wanted.add(index);
      }
      let copied = 0;
      for (let at = start; at <= end; ) {
        const { tagged, next } = yield* t.radixTreeRangeTagIfTagged(tree, at, end, batch, 0, 1);
        copied += tagged;
        at = next;
      }
      expect(copied).toBe(wanted.size);
      for (const index of wanted) expect(yield* tagOf(t, index)).toEqual([true, true]);
      expect(yield* t.radixTreeGangLookupTag(tree, 0, MAX, 1)).toHaveLength(wanted.size);
      verifyTree(tree);
    });
  }
};

/** B11: an insertion that fails half-way for lack of memory changes no item, and everything still works. */
export const failedInsert: Case = (t) => {
  for (const index of [1, 64, 4095, 2 ** 20, 2 ** 30, MAX]) {
    for (let failAt = 0; ; failAt++) {
      let left = Number.POSITIVE_INFINITY;
      const engine = machine({ failAllocation: () => --left < 0 });
      let error = 0;
      run(engine, function* () {
        yield* insertAll(t, 0, 1);
        yield* t.radixTreeTagSet(tree, 0, 0);
        left = failAt;
        error = yield* t.radixTreeInsert(tree, index, itemAt(7));
        left = Number.POSITIVE_INFINITY;
        if (error !== 0) expect(yield* t.radixTreeDelete(tree, index)).toBe(0);
        expect(verifyTree(tree).items.get(0)).toBe(itemAt(0));
        expect(yield* t.radixTreeGangLookup(tree, 0, 10)).toHaveLength(error === 0 ? 2 : 1);
        expect(yield* t.radixTreeGangLookupTag(tree, 0, 10, 0)).toEqual([itemAt(0)]);
        expect(yield* t.radixTreeDelete(tree, 0)).toBe(itemAt(0));
        if (error !== 0) expect(yield* t.radixTreeInsert(tree, index, itemAt(7))).toBe(0);
        expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(7));
        expect(verifyTree(tree)).toEqual({ nodes: 0, items: new Map() });
      });
      settle(engine);
      expect(engine.heap.live[t.radixTreeNodeCachep.id] ?? 0).toBe(0);
      if (error === 0) break;
      expect(error).toBe(-ENOMEM);
    }
  }
};

/** After a preload the insertion that needs most nodes succeeds while the allocator gives none (B10's other half; `e2848a0efe`). */
export const preloadedInsert: Case = (t) => {
  let fail = false;
  const engine = machine({ failAllocation: () => fail });
  run(engine, function* () {
    yield* insertAll(t, 0, 1);
    expect(yield* t.radixTreePreload(GFP_KERNEL)).toBe(0);
    expect(engine.cpu.preemptCount).toBe(1);
    expect(yield* t.radixTreeInsert(tree, 1, itemAt(1))).toBe(0);
    // The pool had the node: none came from the slab.
    expect(engine.heap.live[t.radixTreeNodeCachep.id]).toBe(t.RADIX_TREE_PRELOAD_SIZE);
    yield* t.radixTreeDelete(tree, 1);
    t.radixTreePreloadEnd();
    expect(yield* t.radixTreePreload(GFP_KERNEL)).toBe(0);
    fail = true;
    expect(yield* t.radixTreeInsert(tree, MAX, itemAt(1))).toBe(0);
    t.radixTreePreloadEnd();
    expect(yield* t.radixTreePreload(GFP_KERNEL)).toBe(-ENOMEM);
  });
  expect(engine.cpu.preemptCount).toBe(0);
};
