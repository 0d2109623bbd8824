// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { expect } from 'vitest';
import type { Tree } from './kernel-case.js';
import { itemAt, machine, randomFrom, run, tree, verifyTree } from './tree.js';

const ABSENT = 0;
const PRESENT = 1;
const TAGGED = 2;

/**
 * tag_check.c: thrash_tags(). The kernel has 1,000,000 indexes and chunks of 1, 127 and 16,129 operations; 2,000 and 1, 15 and 225 here, so that one
 * run of the 81 rounds takes less than a second. Each operation is checked against a shadow array; each round ends with a look at every index and
 * a walk over the tagged items in batches of 33.
 */
export function thrashTags(t: Tree, seed: number, size = 2000): void {
  const random = randomFrom(seed);
  const shadow = new Uint8Array(size);
  const tag = 0;

  function* operate(kind: number, count: number): Op<void> {
    for (let i = 0; i < count; i++) {
      const index = random(size);
      const present = shadow[index] !== ABSENT;
      const item = present ? itemAt(index) : 0;
      if (kind === 0 && !present) {
        expect(yield* t.radixTreeInsert(tree, index, itemAt(index))).toBe(0);
        shadow[index] = PRESENT;
      } else if (kind === 1) {
        expect(yield* t.radixTreeDelete(tree, index)).toBe(item);
        shadow[index] = ABSENT;
      } else if (kind === 2 && present) {
        for (const _twice of [1, 2]) expect(yield* t.radixTreeTagSet(tree, index, tag)).toBe(item);
        shadow[index] = TAGGED;
      } else if (kind === 3) {
        for (const _twice of [1, 2]) expect(yield* t.radixTreeTagClear(tree, index, tag)).toBe(item);
        if (present) shadow[index] = PRESENT;
      }
    }
  }

  function* sweep(): Op<void> {
    for (let index = 0; index < size; index++) {
      const right = (yield* t.radixTreeTagGet(tree, index, tag)) === (shadow[index] === TAGGED);
      if (!right || (yield* t.radixTreeLookup(tree, index)) !== (shadow[index] === ABSENT ? 0 : itemAt(index))) {
        throw new Error(`index ${index} is not as in the shadow, ${shadow[index]}`);
      }
    }
    const walked: number[] = [];
    for (let first = 0; ; ) {
      const items = yield* t.radixTreeGangLookupTag(tree, first, 33, tag);
      const last = items.at(-1);
      if (last === undefined) break;
      walked.push(...items);
      first = (last - 2) / 2 + 1;
    }
    const tagged = [...shadow.keys()].filter((index) => shadow[index] === TAGGED);
    expect(walked).toEqual(tagged.map(itemAt));
    verifyTree(tree);
  }

  const chunks = [1, 15, 225];
  const engine = machine();
  run(engine, function* () {
    for (const inserts of chunks) {
      for (const deletes of chunks) {
        for (const sets of chunks) {
          for (const clears of chunks) {
            for (const [kind, count] of [inserts, deletes, sets, clears].entries()) yield* operate(kind, count);
            yield* sweep();
          }
        }
      }
    }
  });
}

/** main.c: big_gang_check(): 1,000 random items beside a shadow, present and absent ones looked up, then all of them at once. */
export function bigGangCheck(t: Tree, seed: number, size = 20_000): void {
  const random = randomFrom(seed);
  const shadow = new Set<number>();
  run(machine(), function* () {
    for (let i = 0; i < 1000; i++) {
      const index = random(size);
      if (shadow.has(index)) continue;
      shadow.add(index);
      expect(yield* t.radixTreeInsert(tree, index, itemAt(index))).toBe(0);
    }
    for (let i = 0; i < 500; i++) {
      const index = random(size);
      expect(yield* t.radixTreeLookup(tree, index)).toBe(shadow.has(index) ? itemAt(index) : 0);
    }
    const all = [...shadow].sort((a, b) => a - b).map(itemAt);
    expect(yield* t.radixTreeGangLookup(tree, 0, size)).toEqual(all);
    for (let first = 0, at = 0; at < all.length; ) {
      const items = yield* t.radixTreeGangLookup(tree, first, 37);
      expect(items).toEqual(all.slice(at, at + 37));
      at += items.length;
      first = (items[items.length - 1] - 2) / 2 + 1;
    }
  });
}
