// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL } from '@lockless/cpu';
import type { RadixTreeRoot } from '@lockless/mm-types';
import { radixTreeLookup } from './radix-tree.js';
import { MAX_INDEX } from './radix-tree-node.js';

/**
 * radix_tree_next_hole(): the lowest index without an item from `index` on, among `maxScan` of them.
 *
 * *Context*: rcu_read_lock() or the writers' lock. Under RCU alone, as {@link radixTreeLookup} of each index in turn.
 * *Returns* the hole, or an index at least `maxScan` above `index` when there is none; 0 when the scan passed the largest index.
 * *Source*: `radix_tree_next_hole`, lib/radix-tree.c, 2.6.27.
 */
export function* radixTreeNextHole(root: Ptr<RadixTreeRoot>, index: number, maxScan: number): Op<number> {
  for (let scanned = 0; scanned < maxScan; scanned++) {
    if ((yield* radixTreeLookup(root, index)) === NULL) break;
    if (index === MAX_INDEX) return 0;
    index++;
  }
  return index;
}

/**
 * radix_tree_prev_hole(): the highest index without an item from `index` down, among `maxScan` of them.
 *
 * *Context*: as {@link radixTreeNextHole}.
 * *Returns* the hole, or an index at least `maxScan` below `index` when there is none; the largest index when the scan passed 0.
 * *Source*: `radix_tree_prev_hole`, lib/radix-tree.c, 2.6.35.
 */
export function* radixTreePrevHole(root: Ptr<RadixTreeRoot>, index: number, maxScan: number): Op<number> {
  for (let scanned = 0; scanned < maxScan; scanned++) {
    if ((yield* radixTreeLookup(root, index)) === NULL) break;
    if (index === 0) return MAX_INDEX;
    index--;
  }
  return index;
}
