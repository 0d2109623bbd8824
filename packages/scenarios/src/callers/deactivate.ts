// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { ListHead, load } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import {
  deactivatePage,
  drainCpuPagevecs,
  getPage,
  LRU_INACTIVE_FILE,
  lruAddDrain,
  lruCacheAdd,
  lruList,
  pageCount,
  pageLru,
  pageReclaim,
  putPage,
  testSetPageWriteback,
} from '@lockless/page';
import { configure, endPageWriteback, invalidateMappingPages, isolateLruPages } from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always, alwaysAt } from '../claims.js';
import { assertCount, bootCachedPage, bootEmptyCache, mapping, newPage } from '../pagecache/tiny-cache.js';
import { type Scenario, scenario } from '../scenario.js';

/* deactivate_page(), 3.1: the pagevec of a CPU holds a reference to a page that others isolate, write and free meanwhile. */

const SOURCE = 'deactivate_page() and lru_deactivate_fn(), mm/swap.c, 3.1';

/** A page on the inactive list, with the caller's reference. */
function* bootInactivePage(): Op<Ptr<Page>> {
  yield* bootEmptyCache();
  const page = yield* newPage();
  yield* lruCacheAdd(page);
  yield* lruAddDrain();
  return page;
}

/** As invalidate_mapping_pages() does, and then the pagevec is emptied. */
function* deactivate(page: Ptr<Page>): Op<void> {
  yield* deactivatePage(page);
  yield* lruAddDrain();
}

/** Whether a page is among the first of the inactive list of files. */
export function* isOnList(page: Ptr<Page>): Op<boolean> {
  const head = lruList(LRU_INACTIVE_FILE);
  let entry = yield* load(ListHead.next(head));
  for (let i = 0; i < 4 && entry !== head; i++, entry = yield* load(ListHead.next(entry)))
    if (entry === Page.lru(page)) return true;
  return false;
}

export const deactivateScenarios: readonly Scenario[] = [
  scenario({
    name: 'deactivate-vs-isolate',
    facts: ['seed 3'],
    summary: 'reclaim isolates a page between the moment it is put on the pagevec and the one it is moved',
    source: SOURCE,
    properties: ['I3', 'I4'],
    setup: bootInactivePage,
    threads: {
      deactivate,
      *reclaim() {
        return (yield* isolateLruPages(1, LRU_INACTIVE_FILE)).pages.length === 1;
      },
    },
    *finally(page, { results, reach }) {
      const isolated = results.reclaim === true;
      assertThat((yield* isOnList(page)) === (yield* pageLru(page)), 'a page is on a list when it says so');
      assertThat((yield* pageLru(page)) === !isolated, 'an isolated page is on no list');
      yield* assertCount(page, isolated ? 2 : 1);
      reach(isolated ? 'isolated' : 'moved first');
    },
    mustReach: ['isolated'],
    guards: [always('lruDeactivateFn.stillOnLru', 'assertion')],
  }),
  scenario({
    name: 'deactivate-after-invalidate',
    facts: ['seed 3'],
    summary: 'a page that invalidation cannot have, because somebody uses it, is to be reclaimed first',
    source: 'Michel Lespinasse, "mm: use get_page in deactivate_page()" (2011-08-19)',
    properties: ['I3', 'I4'],
    *setup() {
      const page = yield* bootCachedPage();
      configure({ deactivate: true });
      yield* getPage(page);
      return page;
    },
    threads: {
      *invalidate() {
        const removed = yield* invalidateMappingPages(mapping, 0, 0);
        yield* lruAddDrain();
        return removed;
      },
      user: putPage,
    },
    *finally(page, { results, reach }) {
      yield* assertCount(page, results.invalidate === 1 ? 0 : 1);
      reach(results.invalidate === 1 ? 'removed' : 'deactivated');
    },
    mustReach: ['removed', 'deactivated'],
    guards: [
      alwaysAt('deactivatePage.callerReference', 'no-rcu-reader', 'deactivatePage'),
      // Then it is never left in the cache.
      always('invalidateCompletePage.checkCount', 'unreached'),
    ],
  }),
  scenario({
    name: 'deactivate-vs-end-of-writeback',
    facts: ['seed 3'],
    summary:
      'a page is marked for reclaim when its writeback has just ended: the mark stays, and read-ahead takes it for its own',
    source: `${SOURCE}: its comment calls the race non-critical`,
    properties: ['I3'],
    *setup() {
      const page = yield* bootInactivePage();
      yield* testSetPageWriteback(page);
      return page;
    },
    threads: { deactivate, disk: endPageWriteback },
    *finally(page, { reach }) {
      for (const cpu of [0, 1]) yield* drainCpuPagevecs(cpu);
      assertThat((yield* pageCount(page)) === 1, 'I3: no reference is left');
      assertThat(yield* isOnList(page), 'the page is on the list');
      reach((yield* pageReclaim(page)) ? 'the mark is left behind' : 'moved to the tail');
    },
    mustReach: ['the mark is left behind', 'moved to the tail'],
    guards: [],
  }),
];
