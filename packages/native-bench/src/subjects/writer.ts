// SPDX-License-Identifier: GPL-2.0-only
import { GFP_KERNEL, NULL, type Ptr, poke } from '@lockless/cpu/native';
import { Page } from '@lockless/mm-types/native';
import { allocPage, lruAddDrain, putPage, setPageUptodate, unlockPage } from '@lockless/page/native';
import { addToPageCacheLru, isolateLruPageForMigration, reclaimPages } from '@lockless/pagecache/native';
import { urcuReclaim } from '@lockless/rcu/native';
import { contentOf } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import type { World } from '../world.js';
import { enterWorld } from './in-world.js';

export interface WriterOptions {
  readonly world: World;
  /** The indices that it inserts pages at: none has one. */
  readonly first: number;
  readonly pages: number;
}

/** Pages that are in the cache at a time: SWAP_CLUSTER_MAX. */
const BATCH = 32;

/** Inserts pages into the file, and has reclaim take them out again, as fast as it can. One operation is one page in and out. */
export function start({ world, first: base, pages }: WriterOptions): Subject {
  const { close } = enterWorld(world);
  const { mapping } = world;
  let reclaimed = 0;

  function insert(index: number): void {
    const page = allocPage(GFP_KERNEL);
    if (page === NULL) throw new Error('no page frame is free');
    poke(Page.contentIdentity(page), contentOf(index));
    const error = addToPageCacheLru(page, mapping, index, GFP_KERNEL);
    if (error !== 0) throw new Error(`page ${index}: error ${error}`);
    setPageUptodate(page);
    unlockPage(page);
    inserted.push(page);
  }

  let inserted: Ptr<Page>[] = [];
  function reclaim(): void {
    lruAddDrain();
    for (const page of inserted) {
      if (isolateLruPageForMigration(page) !== 0) throw new Error('a page is not on its list');
      // Isolation has a reference of its own.
      putPage(page);
    }
    const wanted = inserted.length;
    const freed = reclaimPages(inserted, false);
    if (freed !== wanted) throw new Error(`${freed} of ${wanted} pages were reclaimed`);
    reclaimed += freed;
    inserted = [];
    urcuReclaim();
  }

  return {
    run(from, n) {
      for (let i = 0; i < n; i++) {
        insert(base + ((from + i) % pages));
        if (inserted.length === BATCH) reclaim();
      }
      if (inserted.length > 0) reclaim();
      return reclaimed;
    },
    counts: () => ({ reclaimed }),
    close,
  };
}
