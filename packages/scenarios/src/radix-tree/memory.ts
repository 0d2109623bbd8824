// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { choose, defineStatic, exhaustReserves, GFP_ATOMIC, GFP_KERNEL, inAtomic, load, NULL } from '@lockless/cpu';
import { ENOMEM, RADIX_TREE_MAP_SHIFT, RadixTreeRoot } from '@lockless/mm-types';
import {
  RADIX_TREE_MAX_PATH,
  RADIX_TREE_PRELOAD_SIZE,
  radixTreeInit,
  radixTreeInsert,
  radixTreeLookup,
  radixTreePreload,
  radixTreePreloadEnd,
} from '@lockless/radix-tree';
import { assertThat } from '../assertion.js';
import { always, notNeeded } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootTree, deletePage, insertPage, P, Q, R, tree } from './boot.js';

/* Nodes for an insertion under tree_lock, where nobody may sleep for memory. The reserves that such an allocation could use are empty. */

/** Other files' trees. */
const others: readonly Ptr<RadixTreeRoot>[] = [
  defineStatic(RadixTreeRoot, 'other_tree'),
  defineStatic(RadixTreeRoot, 'yet_another_tree'),
];
const LAST_INDEX = 2 ** 32 - 1;
/** An insertion here into a tree that has index 0 alone needs seven nodes: four levels more, and three to the new item. */
const FAR_INDEX = 2 ** 18;
const FAR_NODES = 7;

function* bootWithoutReserves(): Op<void> {
  yield* bootTree([[0, P]]);
  for (const other of others) yield* radixTreeInit(other, GFP_ATOMIC);
  yield* fillPool();
  radixTreePreloadEnd();
  exhaustReserves();
}

function* fillPool(): Op<void> {
  assertThat((yield* radixTreePreload(GFP_KERNEL)) === 0, 'the pool is filled, by who may sleep for it');
}

/** Takes this many nodes, 12 at most, from the pool: paths of up to six levels for other files. */
function* useUp(nodes: number): Op<void> {
  for (const other of others) {
    const levels = Math.min(nodes, RADIX_TREE_MAX_PATH);
    if (levels > 0) yield* radixTreeInsert(other, 2 ** (RADIX_TREE_MAP_SHIFT * (levels - 1)), R);
    nodes -= levels;
  }
}

export const memoryScenarios: readonly Scenario[] = [
  scenario({
    name: 'preload-then-preempted',
    facts: ['B10'],
    summary: 'between preloading and insertion another task of the same CPU inserts, if preemption is on',
    source: 'lib/radix-tree.c: radix_tree_preload() returns with preemption off; e2848a0efe',
    properties: ['I5'],
    setup: bootWithoutReserves,
    threads: {
      *insert() {
        yield* fillPool();
        // The other task, or this one on another CPU whose pool is as empty as the other leaves it here.
        if (!inAtomic() && (yield* choose(2)) === 1) yield* useUp(1);
        const error = yield* insertPage([LAST_INDEX, Q]);
        radixTreePreloadEnd();
        return error;
      },
    },
    *finally(_shared, { results }) {
      assertThat(results.insert === 0, 'an insertion after preloading does not fail');
      assertThat((yield* radixTreeLookup(tree, LAST_INDEX)) === Q, 'the page is in the tree');
    },
    guards: [always('radixTreePreload.preemptionOff', 'assertion'), notNeeded('radixTreeNodeAlloc.preloadFirst')],
  }),
  scenario({
    name: 'insert-fails-half-way',
    facts: ['B11'],
    summary: 'memory ends after any number of the nodes of an insertion; deletions and insertions follow',
    source: 'derived from radix_tree_insert(), lib/radix-tree.c, 2.6.27',
    properties: ['I5'],
    setup: bootWithoutReserves,
    threads: {
      *insert() {
        yield* useUp(RADIX_TREE_PRELOAD_SIZE - (yield* choose(FAR_NODES + 1)));
        const error = yield* insertPage([FAR_INDEX, Q]);
        const items = [yield* radixTreeLookup(tree, 0), yield* radixTreeLookup(tree, FAR_INDEX)];
        yield* deletePage(0);
        return { error, items };
      },
    },
    *finally(_shared, { results, reach }) {
      const { error, items } = results.insert as { error: number; items: number[] };
      assertThat(error === 0 || error === -ENOMEM, 'an insertion fails for want of memory alone');
      const far = error === 0 ? Q : NULL;
      assertThat(items[0] === P && items[1] === far, 'a failed insertion changes no item');
      assertThat((yield* radixTreeLookup(tree, 0)) === NULL, 'an item can be deleted after it');
      assertThat((yield* radixTreeLookup(tree, FAR_INDEX)) === far, 'and is the only one that goes');
      if (error === 0) reach('inserted');
      else reach((yield* load(RadixTreeRoot.rnode(tree))) === NULL ? 'failed' : 'failed, and empty nodes stay');
    },
    mustReach: ['inserted', 'failed', 'failed, and empty nodes stay'],
    guards: [],
  }),
];
