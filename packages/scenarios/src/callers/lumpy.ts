// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { LRU_INACTIVE_FILE, lruAddDrain, lruCacheAdd, pageCount, pageLru, pageToPfn } from '@lockless/page';
import { findGetPage, isolateLruPages, isolationInit, putbackLruPages } from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { truncate } from '../pagecache/orphan.js';
import { assertCount, bootEmptyCache, cachePage, mapping, newPage } from '../pagecache/tiny-cache.js';
import { type Scenario, scenario } from '../scenario.js';
import { isOnList } from './deactivate.js';

/*
 * Lumpy reclaim takes a page off the LRU because its neighbour is there, not because of what it is: from a frame number. What it finds may be looked up
 * at the same time, and be freed by who looked it up.
 */

interface Block {
  /** Page 0 of the file. */
  readonly page: Ptr<Page>;
  /** Its neighbour, the oldest page on the list: what reclaim begins with. The scenario has a reference to it. */
  readonly oldest: Ptr<Page>;
}

function* bootBlock(): Op<Block> {
  yield* bootEmptyCache();
  yield* isolationInit();
  yield* newPage(); // The last frame of another block.
  const oldest = yield* newPage();
  const page = yield* cachePage();
  assertThat(pageToPfn(oldest) >> 1 === pageToPfn(page) >> 1, 'the two are a block');
  yield* lruCacheAdd(oldest);
  yield* lruCacheAdd(page);
  yield* lruAddDrain();
  return { page, oldest };
}

/** Takes the block off the list. */
function* lumpyReclaim(): Op<readonly Ptr<Page>[]> {
  return (yield* isolateLruPages(1, LRU_INACTIVE_FILE, { order: 1, both: false })).pages;
}

/** Looks the page up, and truncates it: the reference of the lookup is then the last. */
function* lookUpAndTruncate(): Op<string> {
  const page = yield* findGetPage(mapping, 0);
  if (page === NULL) return 'absent';
  return (yield* truncate(page)) ? 'truncated' : 'locked by reclaim';
}

export const lumpyScenarios: readonly Scenario[] = [
  scenario<Block>({
    name: 'lumpy-isolation-vs-lookup',
    facts: ['A23', 'seed 3'],
    summary:
      'lumpy reclaim takes a page because of the frame that it is in, while who looked it up truncates it and gives back the last reference',
    source: 'isolate_lru_pages() and __isolate_lru_page(), mm/vmscan.c, 2.6.27; 46453a6e19 for the order',
    properties: ['I3', 'I4'],
    setup: bootBlock,
    threads: { reclaim: lumpyReclaim, user: lookUpAndTruncate },
    *finally({ page, oldest }, { results, reach }) {
      assertThat(results.user === 'truncated', 'the page is in the file, and nobody has it locked');
      const isolated = results.reclaim as readonly Ptr<Page>[];
      // Reclaim does not want them, and has the last reference to one that was truncated.
      yield* putbackLruPages(isolated);
      yield* assertCount(page, 0);
      assertThat(!(yield* pageLru(page)) && !(yield* isOnList(page)), 'I4: a page that is free is on no list');
      assertThat((yield* pageCount(oldest)) === 1 && (yield* isOnList(oldest)), 'its neighbour is where it was');
      reach(isolated.includes(page) ? 'isolated' : 'passed over');
    },
    mustReach: ['isolated', 'passed over'],
    guards: [always('isolateLruPage.getUnlessZero', 'bad-page'), always('isolateLruPage.referenceFirst', 'assertion')],
  }),
];
