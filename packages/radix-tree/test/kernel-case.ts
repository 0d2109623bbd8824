// SPDX-License-Identifier: GPL-2.0-only
import type { Op, SequentialEngine } from '@lockless/cpu';
import { KernelBug } from '@lockless/cpu';
import { expect } from 'vitest';
import type * as RadixTree from '../src/index.js';
import { itemAt, machine, run, settle, tree } from './tree.js';

/** The package under test, or a mutant of it. */
export type Tree = typeof RadixTree;
export type Case = (t: Tree) => void;

/** `~0UL`. */
export const MAX = 2 ** 32 - 1;

/** A machine on which no single call goes on for more accesses than any case here needs: tagged lookups of a broken tree go round for ever. */
export function guarded(): SequentialEngine {
  let accesses = 0;
  return machine({
    onAccess: () => {
      if (++accesses > 1_200_000) throw new KernelBug('livelock', 'a tree operation that does not end');
    },
  });
}

export function inTree(body: () => Op<void>): void {
  const engine = guarded();
  run(engine, body);
  settle(engine);
}

export function* insertAll(t: Tree, from: number, to: number): Op<void> {
  for (let index = from; index < to; index++) expect(yield* t.radixTreeInsert(tree, index, itemAt(index))).toBe(0);
}
export function* deleteAll(t: Tree, from: number, to: number): Op<void> {
  for (let index = from; index < to; index++) expect(yield* t.radixTreeDelete(tree, index)).toBe(itemAt(index));
}
export function* tagOf(t: Tree, index: number): Op<[boolean, boolean]> {
  return [yield* t.radixTreeTagGet(tree, index, 0), yield* t.radixTreeTagGet(tree, index, 1)];
}
