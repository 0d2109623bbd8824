// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL, readOnce } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { frameStates, pageToPfn, putPage, trylockPage, unlockPage } from '@lockless/page';
import { findGetPage, findLockPage, scanControl, shrinkPageList, truncateCompletePage } from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertCount, bootIsolatedPage, cached, mapping } from './tiny-cache.js';

/* Truncation takes a page out whoever refers to it. What is left is a page without a mapping, which the last holder frees. */

/** I4: the frame is free, once, and nobody refers to it. */
function* assertFreed(page: Ptr<Page>): Op<void> {
  yield* assertCount(page, 0);
  assertThat(isFreeOnce(page), 'I4: the frame is free, and on one list');
}

function isFreeOnce(page: Ptr<Page>): boolean {
  try {
    return frameStates()[pageToPfn(page)] === 'pcp';
  } catch {
    return false; // Freed twice: a list that it is on does not come to its end.
  }
}

/** A lookup, and what its holder sees of page->mapping. Drops the reference. */
function* lookUpAndPut(): Op<'absent' | 'in the cache' | 'an orphan'> {
  const page = yield* findGetPage(mapping, 0);
  if (page === NULL) return 'absent';
  const orphan = (yield* readOnce(Page.mapping(page))) === NULL;
  yield* putPage(page);
  return orphan ? 'an orphan' : 'in the cache';
}

/**
 * Truncation of the page by one who has a reference to it, first pass: takes the page out unless it is locked, and drops the reference. Returns
 * whether it took it out.
 */
export function* truncate(page: Ptr<Page>): Op<boolean> {
  const locked = yield* trylockPage(page);
  if (locked) {
    yield* truncateCompletePage(mapping, page);
    yield* unlockPage(page);
  }
  yield* putPage(page);
  return locked;
}

export const orphanScenarios: readonly Scenario[] = [
  scenario({
    name: 'lookup-vs-truncation',
    facts: ['seed 1'],
    summary: 'truncation does not freeze the count: a lookup may get a page that is truncated at the same time',
    source:
      'Peter Zijlstra, review of "mm: speculative get page" (2006-09-25): are the truncation paths good without change?',
    properties: ['I1', 'I3', 'I4'],
    setup: () => bootIsolatedPage(),
    threads: {
      lookup: lookUpAndPut,
      *truncate(page) {
        yield* truncateCompletePage(mapping, page);
        yield* unlockPage(page);
        yield* putPage(page);
      },
    },
    *finally(page, { results, reach }) {
      assertThat((yield* cached()) === NULL, 'I5: a truncated page is out of the cache');
      yield* assertFreed(page);
      reach(`the lookup returns: ${results.lookup as string}`);
    },
    mustReach: ['the lookup returns: absent', 'the lookup returns: in the cache', 'the lookup returns: an orphan'],
    guards: [always('findGetPage.putOnRetry', 'assertion')],
  }),
  scenario({
    name: 'find-lock-page-vs-truncation',
    facts: ['seed 1', 'C3'],
    summary: 'who locks the page that a lookup returned looks again whether it was truncated before he had the lock',
    source: 'find_lock_page(), mm/filemap.c; the answer to the review of 2006-09-25',
    properties: ['I3', 'I4', 'I5'],
    *setup() {
      const page = yield* bootIsolatedPage();
      yield* unlockPage(page);
      return page;
    },
    threads: {
      *lookup() {
        const page = yield* findLockPage(mapping, 0);
        if (page === NULL) return false;
        const mine = (yield* readOnce(Page.mapping(page))) === mapping;
        assertThat(mine, 'I5: a page that is returned locked is in its mapping');
        yield* unlockPage(page);
        yield* putPage(page);
        return true;
      },
      truncate,
    },
    *finally(page, { results, reach }) {
      if (results.truncate === true) yield* assertFreed(page);
      else yield* assertCount(page, 1);
      assertThat(results.lookup === true || results.truncate === true, 'I5: a page that is not truncated is found');
      if (results.truncate === false) reach('the truncation finds it locked');
      else reach(results.lookup === true ? 'locked before the truncation' : 'absent');
    },
    mustReach: ['locked before the truncation', 'absent', 'the truncation finds it locked'],
    guards: [
      always('findLockPage.mappingCheck', 'assertion'),
      weakOnly('trylockPage.test_and_set_bit', 'assertion'),
      whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'orphan-vs-stale-lookup',
    facts: ['A12'],
    summary: 'reclaim frees a truncated page whose count is 1, while a lookup that found it before takes a reference',
    source: 'shrink_page_list() in e286781d5f (2.6.27) and the mails about its first version',
    properties: ['I3', 'I4'],
    setup: () => bootIsolatedPage(),
    threads: {
      lookup: lookUpAndPut,
      *reclaim(page) {
        yield* truncateCompletePage(mapping, page);
        yield* unlockPage(page);
        const pages = [page];
        yield* shrinkPageList(pages, scanControl(GFP_KERNEL, 0, false), false);
        for (const kept of pages) yield* putPage(kept);
        return pages.length === 0;
      },
    },
    *finally(page, { results, reach }) {
      yield* assertFreed(page);
      reach(results.reclaim === true ? 'reclaimed' : 'kept');
    },
    mustReach: ['reclaimed', 'kept'],
    guards: [always('shrinkPageList.putTestzero', 'assertion'), always('shrinkPageList.forgetUnlocked', 'BUG')],
  }),
];
