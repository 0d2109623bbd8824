// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, poke } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { freeHotColdPage, getPage, lockPage, pageCount, pageSwapCache, putPage, unlockPage } from '@lockless/page';
import {
  lockSwapCachePage,
  lookupSwapCache,
  removeExclusiveSwapPage,
  removeFromSwapCacheFrozen,
  swapFree,
  swapUsers,
} from '@lockless/pagecache';
import { swpEntryToPte } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootMemory, newProcess, newSwappedPage, type Process, type SwappedPage } from './boot.js';
import { zapPte } from './do-swap-page.js';

/** A process whose page is swapped out. `entries` others have the same page. */
function* bootSwapped(entries: number): Op<Process & SwappedPage> {
  yield* bootMemory();
  const swapped = yield* newSwappedPage(1, 1 + entries);
  // A neighbour, so that the node of the tree stays when the page goes.
  yield* newSwappedPage(3, 0);
  const process = yield* newProcess();
  poke(process.ptep, swpEntryToPte(swapped.entry));
  return { ...process, ...swapped };
}

/** Reclaim looks at a page of the LRU that is in the swap cache. */
function* reclaim(page: Ptr<Page>): Op<boolean> {
  yield* getPage(page);
  yield* lockPage(page);
  const removed = yield* removeFromSwapCacheFrozen(page);
  yield* unlockPage(page);
  if (removed) yield* freeHotColdPage(page, true);
  else yield* putPage(page);
  return removed;
}

export const swapCacheScenarios: readonly Scenario[] = [
  scenario<Process & SwappedPage>({
    name: 'swap-free-under-lookup',
    facts: ['A17', 'seed 1'],
    summary:
      'the last entry of a swapped page is zapped, and the page with it, while a lookup holds a passing reference',
    source: 'Peter Zijlstra, 2006-09-25, Re: [patch 3/9] mm: speculative get page; answered by Nick Piggin',
    properties: ['I3', 'I4', 'I8'],
    setup: () => bootSwapped(0),
    threads: {
      zap: zapPte,
      *lookup({ entry }) {
        const found = yield* lookupSwapCache(entry);
        if (found !== NULL) yield* putPage(found);
        return found !== NULL;
      },
    },
    *finally({ page, entry }, { results, reach }) {
      if (yield* pageSwapCache(page)) {
        assertThat((yield* swapUsers(entry)) === 1, 'the cache is the only user of the place');
        reach('kept until reclaim');
        assertThat(yield* reclaim(page), 'reclaim takes a page that was left in the swap cache');
      } else {
        reach(results.lookup === true ? 'found, freed at once' : 'freed at once');
      }
      assertThat((yield* swapUsers(entry)) === 0, 'the place is free');
      assertThat((yield* pageCount(page)) === 0, 'the page is free');
    },
    mustReach: ['freed at once', 'found, freed at once', 'kept until reclaim'],
    // A heuristic: without it no page is kept that could be freed at once, and nothing breaks.
    guards: [
      always('freeSwapAndCache.countTest', 'unreached'),
      weakOnly('putPageTestzero.atomic_add_and_test', 'bad-page'),
    ],
  }),
  scenario<Process & SwappedPage>({
    name: 'exclusive-removal-under-lookup',
    facts: ['A17', 'seed 1'],
    summary:
      'a page leaves the swap cache because its count says that nobody else has it, and a lookup has it right after',
    source: 'remove_exclusive_swap_page(), mm/swapfile.c, 2.6.27, which tests page_count() and does not freeze it',
    properties: ['I3', 'I5'],
    *setup() {
      const swapped = yield* bootSwapped(0);
      // Who removes it has mapped it, and so used the entry up.
      yield* swapFree(swapped.entry);
      yield* getPage(swapped.page);
      yield* lockPage(swapped.page);
      return swapped;
    },
    threads: {
      *remove({ page }) {
        const removed = yield* removeExclusiveSwapPage(page);
        yield* unlockPage(page);
        return removed;
      },
      *lookup({ entry }) {
        const page = yield* lookupSwapCache(entry);
        if (page === NULL) return 'not found';
        const accepted = yield* lockSwapCachePage(page, entry);
        if (accepted) {
          assertThat(yield* pageSwapCache(page), 'a page that is accepted is in the swap cache');
          yield* unlockPage(page);
        }
        yield* putPage(page);
        return accepted ? 'accepted' : 'refused';
      },
    },
    *finally({ page, entry }, { results, reach }) {
      const removed = results.remove === true;
      assertThat((yield* pageCount(page)) === (removed ? 1 : 2), 'no reference is lost, none is left');
      assertThat((yield* swapUsers(entry)) === (removed ? 0 : 1), 'the place is free when the page has left it');
      reach(`${removed ? 'removed' : 'kept'}, ${results.lookup}`);
    },
    mustReach: ['removed, not found', 'removed, refused', 'kept, accepted'],
    guards: [always('doSwapPage.swapCacheRecheck', 'assertion')],
  }),
];
