// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as radixTree from '../src/index.js';
import * as suite from './kernel-suite.js';
import * as tagCheck from './tag-check.js';
import { bigGangCheck, thrashTags } from './thrash.js';
import { itemAt, machine, run, tree } from './tree.js';

/** The cases of the kernel's tools/testing/radix-tree that apply to a 2.6.27 tree; regression1 and regression4 are races and stand in races.long.test.ts. */
describe("the kernel's own cases", () => {
  it.each([...Object.entries(suite), ...Object.entries(tagCheck)])('%s', (_name, check) => check(radixTree));
  it.each([1])('thrash_tags, seed %i', (seed) => thrashTags(radixTree, seed));
  it.each([1, 2, 3])('big_gang_check, seed %i', (seed) => bigGangCheck(radixTree, seed));
});

describe('what must not be asked', () => {
  it('BUG: an item with bit 0, a tag without item, a tag beyond the largest index', () => {
    const { radixTreeInsert, radixTreeTagSet, radixTreeLookupSlot, radixTreeReplaceSlot } = radixTree;
    const engine = machine();
    expect(() => run(engine, () => radixTreeInsert(tree, 0, 3))).toThrow('bit 0');
    run(engine, () => radixTreeInsert(tree, 1, itemAt(1)));
    expect(() => run(engine, () => radixTreeTagSet(tree, 2, 0))).toThrow('without item');
    expect(() => run(engine, () => radixTreeTagSet(tree, 64, 0))).toThrow('beyond the largest index');
    const replace = function* () {
      const slot = yield* radixTreeLookupSlot(tree, 1);
      if (slot !== 0) yield* radixTreeReplaceSlot(slot, 5);
    };
    expect(() => run(engine, replace)).toThrow('bit 0');
  });
});
