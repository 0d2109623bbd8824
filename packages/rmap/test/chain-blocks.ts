// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { SequentialEngine } from '@lockless/cpu';
import * as rmap from '../src/index.js';

/** Runs code on one CPU. It can ask how many blocks of pte_chains are allocated. */
export function run(body: (live: () => number) => Op<void>, failAllocation?: () => boolean): void {
  const engine = new SequentialEngine(failAllocation === undefined ? {} : { failAllocation });
  engine.run(body(() => engine.heap.live[rmap.pteChainCachep.id] ?? 0));
}
