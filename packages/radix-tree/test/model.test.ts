// SPDX-License-Identifier: GPL-2.0-only
import { peek } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import * as radixTree from '../src/index.js';
import { behavesAsModel } from './model.js';
import { itemAt, machine, run, tree } from './tree.js';

const { RADIX_TREE_RETRY, radixTreeDelete, radixTreeDerefSlot, radixTreeInsert, radixTreeLookupSlot } = radixTree;

describe('against a map and two sets', () => {
  it('behaves alike, command by command, and leaves no node behind', () => {
    behavesAsModel(radixTree, { numRuns: 120 });
  });

  it('a range goes on beyond the largest index of the tree', () => {
    run(machine(), function* () {
      yield* radixTree.radixTreeInsert(tree, 4094, itemAt(0));
      yield* radixTree.radixTreeTagSet(tree, 4094, 0);
      expect(yield* radixTree.radixTreeRangeTagIfTagged(tree, 127, 2 ** 31, 2, 0, 1)).toEqual({
        tagged: 1,
        next: 2 ** 31 + 1,
      });
    });
  });

  it('a slot held across the move of index 0 between root and leaf says retry', () => {
    const engine = machine();
    run(engine, function* () {
      yield* radixTreeInsert(tree, 0, itemAt(0));
      const direct = yield* radixTreeLookupSlot(tree, 0);
      yield* radixTreeInsert(tree, 1, itemAt(1));
      if (direct === 0) throw new Error('no slot');
      expect(yield* radixTreeDerefSlot(direct)).toBe(RADIX_TREE_RETRY);
      const inLeaf = yield* radixTreeLookupSlot(tree, 0);
      yield* radixTreeDelete(tree, 1);
      if (inLeaf === 0) throw new Error('no slot');
      expect(yield* radixTreeDerefSlot(inLeaf)).toBe(RADIX_TREE_RETRY);
      expect(peek(direct)).toBe(itemAt(0));
    });
  });
});
