// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { configureKernel, defineGuard, GFP_ATOMIC, NULL, readOnce, writeOnce } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import {
  getPageUnlessZero,
  pageFreezeRefs,
  pageLocked,
  pageUnfreezeRefs,
  pageUptodate,
  putPage,
  setPageLocked,
  unlockPage,
} from '@lockless/page';
import { addToPageCache, addToPageCacheLocked, findGetPage, type Generation } from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { assertCount, assertIdentity, bootEmptyCache, cached, cachePage, mapping, newPage } from './tiny-cache.js';

/* Pages that come into the cache, or come back to it from a freeze: who finds one finds it complete. */

/** Looks a page up and says what a reader sees: it must be locked, so that one waits for it, or uptodate. */
function* lookUpNew(): Op<Ptr<Page> | Null> {
  const page = yield* findGetPage(mapping, 0);
  if (page === NULL) return NULL;
  yield* assertIdentity(page);
  const busy = yield* pageLocked(page);
  assertThat(busy || (yield* pageUptodate(page)), 'I6: a page that is found is locked, or its content is valid');
  return page;
}

function lookupVersusInsertion(generation: Generation, name: string, guards: readonly GuardClaim[]): Scenario {
  return scenario({
    name,
    facts: ['A13'],
    summary: `a lookup of a page that is being added; generation ${generation}`,
    source: "Hugh Dickins' fix in e286781d5f: add_to_page_cache() sets the page up before it inserts it",
    properties: ['I3', 'I5', 'I6'],
    setup: () => bootEmptyCache(generation),
    threads: { lookup: lookUpNew, insert: cachePage },
    *finally(_shared, { results, reach }) {
      const found = results.lookup !== NULL;
      yield* assertCount(results.insert as Ptr<Page>, found ? 2 : 1);
      reach(found ? 'found' : 'not yet there');
    },
    mustReach: ['found', 'not yet there'],
    guards,
  });
}

/** Kernel-facts A14. */
const addLocked = defineGuard(
  'shmemGetpage.addToPageCacheLocked',
  'tmpfs adds its locked page with add_to_page_cache(), which unlocks a page that it could not add',
);

/** A tmpfs task with a locked page that is to become page 0. Returns what the insertion does. */
function* shmemGetpage(): Op<number> {
  const page = yield* newPage();
  yield* setPageLocked(page);
  const error = yield* addLocked()
    ? addToPageCacheLocked(page, mapping, 0, GFP_ATOMIC)
    : addToPageCache(page, mapping, 0, GFP_ATOMIC);
  yield* unlockPage(page);
  yield* putPage(page);
  return error;
}

export const insertionScenarios: readonly Scenario[] = [
  lookupVersusInsertion('freeze-refs', 'lookup-vs-insertion', [
    always('addToPageCache.mappingBeforePublish', 'assertion'),
    weakOnly('radixTreeInsert.rcu_assign_pointer', 'assertion'),
  ]),
  lookupVersusInsertion('nonewrefs', 'nonewrefs-lookup-vs-insertion', [
    always('addToPageCache.noNewRefs', 'assertion'),
    weakOnly('endPageNoNewRefs.smp_wmb', 'assertion'),
    weakOnly('getPageInSlot.smp_rmb', 'assertion'),
  ]),
  scenario({
    name: 'locked-page-not-added',
    facts: ['A14'],
    summary: 'two tmpfs tasks add a locked page at the same index; the page of the second is still locked',
    source: 'mail of the 2.6.27 merge window on add_to_page_cache() and tmpfs: add_to_page_cache_locked()',
    properties: ['I3'],
    setup: () => bootEmptyCache(),
    threads: { first: shmemGetpage, second: shmemGetpage },
    *finally(_shared, { results, reach }) {
      assertThat((results.first === 0) !== (results.second === 0), 'I5: one of two insertions at an index succeeds');
      yield* assertCount((yield* cached()) as Ptr<Page>, 1);
      reach(results.first === 0 ? 'first' : 'second');
    },
    mustReach: ['first', 'second'],
    guards: [always('shmemGetpage.addToPageCacheLocked', 'BUG')],
  }),
  scenario({
    name: 'unfreeze-is-release',
    facts: ['A11'],
    summary: 'a page gets a new index while it is frozen; who gets a reference after that sees it',
    source: 'Will Deacon, 2017: "page_ref_unfreeze() needs to be a release"',
    properties: ['I2', 'I3'],
    *setup() {
      yield* bootEmptyCache();
      // The page is found without a lookup: as in 2.6.27, nobody asks who takes references.
      configureKernel({ proveRcu: false });
      return yield* newPage();
    },
    threads: {
      *lookup(page) {
        return (yield* getPageUnlessZero(page)) ? yield* readOnce(Page.index(page)) : null;
      },
      *migrate(page) {
        if (!(yield* pageFreezeRefs(page, 1))) return false;
        yield* writeOnce(Page.index(page), 7);
        yield* pageUnfreezeRefs(page, 1);
        return true;
      },
    },
    *finally(page, { results, reach }) {
      if (results.lookup === null) reach('frozen when it was looked at');
      else {
        assertThat(
          results.lookup === (results.migrate === true ? 7 : 0),
          'I2: a reference sees what was done under the freeze',
        );
        reach(results.migrate === true ? 'referenced after the freeze' : 'referenced before it, so no freeze');
      }
      yield* assertCount(page, results.lookup === null ? 1 : 2);
    },
    mustReach: ['frozen when it was looked at', 'referenced after the freeze', 'referenced before it, so no freeze'],
    guards: [
      weakOnly('pageUnfreezeRefs.smp_store_release', 'assertion'),
      weakOnly('lookup.atomic_add_unless', 'assertion'),
    ],
  }),
];
