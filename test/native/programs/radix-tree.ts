// SPDX-License-Identifier: MIT
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineStatic, GFP_ATOMIC, NULL, peek } from '@lockless/cpu';
import { RadixTreeRoot } from '@lockless/mm-types';
import {
  radixTreeDelete,
  radixTreeGangLookup,
  radixTreeGangLookupTag,
  radixTreeInit,
  radixTreeInsert,
  radixTreeLookup,
  radixTreeLookupSlot,
  radixTreeNextHole,
  radixTreeReplaceSlot,
  radixTreeTagClear,
  radixTreeTagGet,
  radixTreeTagSet,
} from '@lockless/radix-tree';
import { bootUrcu, rcuReadLock, rcuReadUnlock, urcuReclaim } from '@lockless/rcu';
import type { Step } from '../program.js';

const tree: Ptr<RadixTreeRoot> = defineStatic(RadixTreeRoot, 'tree_of_the_test');

/** On both sides of where a node ends and a tree grows, and far away. */
const INDICES = [0, 1, 2, 62, 63, 64, 65, 130, 4095, 4096, 70_000, 262_144, 300_000_000];
const indexOf = (a: number): number => INDICES[a % INDICES.length];
const itemOf = (index: number, b: number): number => ((index * 16 + (b % 8)) * 4 + 4) & 0x7ffffffc;

export function* boot(): Op<void> {
  yield* bootUrcu(1);
  yield* radixTreeInit(tree, GFP_ATOMIC);
}

export function* step([kind, a, b]: Step): Op<number[]> {
  const index = indexOf(a);
  switch (kind % 11) {
    case 0:
    case 1:
      return [yield* radixTreeInsert(tree, index, itemOf(index, b))];
    case 2:
      return [yield* radixTreeDelete(tree, index)];
    case 3: {
      yield* rcuReadLock();
      const found = yield* radixTreeLookup(tree, index);
      yield* rcuReadUnlock();
      return [found];
    }
    case 4: {
      const slot = yield* radixTreeLookupSlot(tree, index);
      if (slot === NULL || peek(slot) === 0) return [slot];
      yield* radixTreeReplaceSlot(slot as Ref<number>, itemOf(index, b));
      return [slot];
    }
    case 5:
      if ((yield* radixTreeLookup(tree, index)) === 0) return [0];
      return [yield* radixTreeTagSet(tree, index, b % 2)];
    case 6:
      return [yield* radixTreeTagClear(tree, index, b % 2)];
    case 7:
      return [(yield* radixTreeTagGet(tree, index, b % 2)) ? 1 : 0];
    case 8:
      return yield* radixTreeGangLookup(tree, index, 1 + (b % 20));
    case 9:
      return b % 3 === 0
        ? [yield* radixTreeNextHole(tree, index, 100)]
        : yield* radixTreeGangLookupTag(tree, index, 1 + (b % 20), b % 2);
    default:
      yield* urcuReclaim();
      return [];
  }
}
