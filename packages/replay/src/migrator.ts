// SPDX-License-Identifier: GPL-2.0-only
import { condResched, type Op } from '@lockless/cpu';
import { memMapPages } from '@lockless/page';
import { doMigrateRange } from '@lockless/pagecache';

/** Frames that are emptied at a time. */
const BLOCK = 8;

/**
 * Moves whatever it finds in random frames to other frames, as memory hotplug does, until `over` says that the program is done: the program, which
 * finds its data wherever they are, must not notice. xorshift32: its own choices; the machine's randomness decides when they happen.
 */
export function* migrateAtRandom(seed: number, over: () => boolean): Op<void> {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x2545f491) >>> 0 || 1;
  while (!over()) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield* doMigrateRange((state >>> 0) % memMapPages(), BLOCK);
    yield* condResched();
  }
}
