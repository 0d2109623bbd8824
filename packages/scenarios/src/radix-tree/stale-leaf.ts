// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicSet, load, store } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { putPageTestzero } from '@lockless/page';
import { findGetPages } from '@lockless/pagecache';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootTree, type Item, mapping, P, Q, truncatePage } from './boot.js';

/*
 * Items 0 and 1 in one leaf. A gang lookup takes the address of the leaf's slot 0. Deletion of 1 makes item 0 the root's own and leaves the
 * leaf to RCU, slot 0 as it is; deletion of 0 now changes the root alone. What the lookup's slot holds will never change again.
 */
const ITEMS: readonly Item[] = [
  [0, P],
  [1, Q],
];
/** What the index of P is after its frame went to somebody else. */
const STRANGER = 99;

function* truncateBoth(): Op<boolean> {
  yield* truncatePage([1, Q]);
  return yield* truncatePage([0, P]);
}

/** Looks the page of index 0 up, and gives it back. Returns the index that it says. */
function* lookUpFirst(): Op<number | null> {
  const [page] = yield* findGetPages(mapping, 0, 1);
  if (page === undefined) return null;
  const index = yield* load(Page.index(page));
  yield* putPageTestzero(page);
  return index;
}

/** The frame of P is free, so the allocator may give it to somebody else. */
function* reuse(page: Ptr<Page>): Op<void> {
  yield* store(Page.index(page), STRANGER);
  yield* atomicSet(Page._count(page), 1);
}

const markDeadLeaf = 'radixTreeShrink.markDeadLeaf';

export const staleLeafScenarios: readonly Scenario[] = [
  scenario({
    name: 'stale-leaf-retry',
    facts: ['B1'],
    summary: 'a gang lookup holds the slot of a leaf that dies, with a page in it whose count is 0 for good',
    source: 'regression1 of tools/testing/radix-tree; 27d20fddc8 (2.6.37)',
    properties: ['I5', 'I7', 'I11'],
    setup: () => bootTree(ITEMS),
    threads: { lookup: lookUpFirst, truncate: truncateBoth },
    *finally(_shared, { results, reach }) {
      assertThat([0, 1, null].includes(results.lookup as number | null), 'the lookup returns a page of the mapping');
      if (results.lookup === 0) reach('found');
      if (results.lookup === null) reach('not found');
    },
    mustReach: ['found', 'not found'],
    guards: [always(markDeadLeaf, 'livelock'), weakOnly('putPageTestzero.atomic_add_and_test', 'bad-page')],
  }),
  scenario({
    name: 'stale-leaf-reuse',
    facts: ['B2'],
    summary:
      'as stale-leaf-retry, but the page is reused by somebody else, so the reference is granted and the dead slot vouches for it',
    source: 'the same; derived from 2.6.27, where nothing but the slot tells a page from its successor',
    properties: ['I1', 'I5', 'I11'],
    setup: () => bootTree(ITEMS),
    threads: {
      lookup: lookUpFirst,
      *truncate() {
        const last = yield* truncateBoth();
        if (last) yield* reuse(P);
        return last;
      },
    },
    *finally(_shared, { results, reach }) {
      assertThat(results.lookup !== STRANGER, 'the lookup returns a page of the mapping');
      if (results.truncate === true && results.lookup === null) reach('reused, not found');
    },
    mustReach: ['reused, not found'],
    guards: [
      always(markDeadLeaf, 'assertion'),
      always('findGetPage.slotRecheck', 'assertion'),
      weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
    ],
  }),
];
