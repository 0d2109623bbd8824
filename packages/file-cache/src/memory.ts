// SPDX-License-Identifier: GPL-2.0-only
import { radixTreeSettleDoubts } from '@lockless/radix-tree/native';
import { urcuTryReclaim } from '@lockless/rcu/native';
import { FileCacheError } from './errors.js';
import type { PagedFile } from './pages.js';
import { pause, type Steps } from './waiting.js';
import { awaitWriters, hasDirt, startWriteback } from './writeback.js';

/** What an operation does that finds no free frame, and none that reclaim could free: it asked already. */
export interface Memory {
  /** `tries`: so often it has asked already. Throws ENOMEM when it is no use. */
  waitForFrames(tries: number): Steps<void>;
}

/** Pauses double from a millisecond up to 128: 1.3 seconds in all. */
const MAX_TRIES = 17;
/** Dirty pages of one file that are written for want of frames. */
const PAGES = 128;

/** Frees the nodes of radix trees whose grace period is over. Not when somebody else is at it. *Context*: inside kernel code. */
export const reclaimNodes = (): boolean => radixTreeSettleDoubts() && urcuTryReclaim();

/** Writes what is dirty in files of this thread, then waits for others to give frames back. */
export function memoryOf(files: () => Iterable<PagedFile>): Memory {
  return {
    *waitForFrames(tries: number): Steps<void> {
      if (tries === MAX_TRIES)
        throw new FileCacheError(
          'ENOMEM',
          'no frame of the budget can be had: all are held by views, or by dirty pages that cannot be written. Release views, or make the budget larger',
        );
      reclaimNodes();
      for (const file of files()) {
        if (!hasDirt(file.mapping)) continue;
        yield* startWriteback(file, { first: 0, pages: PAGES, wait: false });
        yield* awaitWriters(file.mapping);
      }
      if (tries > 0) yield* pause(Math.min(128, 2 ** (tries - 1)));
    },
  };
}
