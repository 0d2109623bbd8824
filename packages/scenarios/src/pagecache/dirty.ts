// SPDX-License-Identifier: GPL-2.0-only
import { NULL } from '@lockless/cpu';
import { getPage, pageDirty, putPage, setPageDirty, unlockPage } from '@lockless/page';
import { type Generation, removeMapping } from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { lookUp } from './lookup-vs-removal.js';
import { assertCount, assertUnlocked, bootIsolatedPage, mapping, reclaim } from './tiny-cache.js';

/* A page that is or becomes dirty must not be removed: what was written to it would be lost. */

/** Who writes into a page, and so has a reference, marks it dirty before he gives the reference back. */
function dirtyVersusReclaim(generation: Generation, name: string, guards: readonly GuardClaim[]): Scenario {
  return scenario({
    name,
    facts: ['A9'],
    summary: `a writer marks the page dirty and drops its reference while reclaim tests both; generation ${generation}`,
    source: '3d80636a0d "fix remove_mapping() for speculative references", the comment in __remove_mapping(), 2.6.27',
    properties: ['I3', 'I6'],
    *setup() {
      const page = yield* bootIsolatedPage(generation);
      yield* getPage(page);
      return page;
    },
    threads: {
      *writer(page) {
        yield* setPageDirty(page);
        yield* putPage(page);
      },
      reclaim,
    },
    *finally(page, { results, reach }) {
      const removed = results.reclaim === true;
      assertThat(!removed, 'I6: a page that was made dirty is not removed without having been written');
      assertThat(yield* pageDirty(page), 'I6: the page is dirty');
      yield* assertCount(page, 1);
      yield* assertUnlocked(page);
      reach('kept');
    },
    mustReach: ['kept'],
    guards,
  });
}

export const dirtyScenarios: readonly Scenario[] = [
  dirtyVersusReclaim('freeze-refs', 'dirty-vs-reclaim', [
    always('removeMapping.countBeforeDirty', 'assertion'),
    weakOnly('pageFreezeRefs.atomic_cmpxchg', 'assertion'),
    weakOnly('putPageTestzero.atomic_add_and_test', 'assertion'),
  ]),
  dirtyVersusReclaim('nonewrefs', 'nonewrefs-dirty-vs-reclaim', [
    always('removeMapping.countBeforeDirty', 'assertion'),
    weakOnly('checkReferences.smp_rmb', 'assertion'),
    weakOnly('putPageTestzero.atomic_add_and_test', 'assertion'),
  ]),
  dirtyVersusReclaim('tree-lock', 'tree-lock-dirty-vs-reclaim', [
    always('removeMapping.countBeforeDirty', 'assertion'),
    weakOnly('checkReferences.smp_rmb', 'assertion'),
    weakOnly('putPageTestzero.atomic_add_and_test', 'assertion'),
  ]),
  scenario({
    name: 'dirty-page-unfrozen',
    facts: ['A8'],
    summary: 'reclaim freezes a page, finds it dirty and gives up, while a lookup of it waits for the count',
    source: "Nick Piggin's fix to the patch that became e286781d5f: the page was left frozen",
    properties: ['I3', 'I7', 'I8'],
    *setup() {
      const page = yield* bootIsolatedPage();
      yield* setPageDirty(page);
      return page;
    },
    threads: {
      lookup: lookUp,
      // The page goes back to the LRU list, with the reference.
      *reclaim(page) {
        const removed = yield* removeMapping(mapping, page);
        yield* unlockPage(page);
        return removed;
      },
    },
    *finally(page, { results }) {
      assertThat(results.lookup !== NULL, 'I5: a page that is not removed is found');
      assertThat(results.reclaim === false, 'I6: a dirty page is not removed');
      yield* assertCount(page, 3);
      yield* assertUnlocked(page);
    },
    guards: [always('removeMapping.unfreezeDirty', 'livelock')],
  }),
];
