// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { atomicInc, defineGuard, NULL, readOnce, writeOnce } from '@lockless/cpu';
import { AddressSpace, Page } from '@lockless/mm-types';
import { getPageUnlessZero, pageBuddy, pageCacheGetSpeculative, pageCount, pfnToPage, putPage } from '@lockless/page';
import { radixTreeDerefSlot, radixTreeLookupSlot } from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertCount, bootEmptyCache, bootIsolatedPage, mapping, newPage, reclaim } from './tiny-cache.js';

/* Lookups as they were proposed and given up: another second look, another way to take the reference. */

/** Kernel-facts A5. */
const verifySlot = defineGuard(
  'findGetPage.verifySlot',
  'the second look of a lookup is at page->mapping and page->index, instead of at the slot',
);
/** Kernel-facts A6. */
const incNotZero = defineGuard(
  'getPageUnlessZero.incNotZero',
  'a plain increment, taken back when a flag says that the page was free (the design of 2005)',
);

/** Step 3. */
function* stillThere(page: Ptr<Page>, slot: Ref<number>): Op<boolean> {
  if (verifySlot()) return (yield* readOnce(slot)) === page;
  return (yield* readOnce(Page.mapping(page))) === mapping && (yield* readOnce(Page.index(page))) === 0;
}

/** find_get_page(), with the second look of choice. */
function* lookUpVerified(): Op<Ptr<Page> | Null> {
  yield* rcuReadLock();
  let found: Ptr<Page> | Null = NULL;
  while (found === NULL) {
    const slot = yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), 0);
    const page: Ptr<Page> | Null = slot === NULL ? NULL : ((yield* radixTreeDerefSlot(slot)) as Ptr<Page> | Null);
    if (slot === NULL || page === NULL) break;
    if (!(yield* pageCacheGetSpeculative(page))) continue;
    if (yield* stillThere(page, slot)) found = page;
    else yield* putPage(page);
  }
  yield* rcuReadUnlock();
  return found;
}

/** Takes a reference to a page that was found before it was freed, and gives it back. */
function* getStale(page: Ptr<Page>): Op<void> {
  if (incNotZero()) {
    yield* rcuReadLock();
    if (yield* getPageUnlessZero(page)) yield* putPage(page);
    yield* rcuReadUnlock();
    return;
  }
  yield* atomicInc(Page._count(page));
  if (yield* pageBuddy(page)) yield* putPage(page);
}

export const verificationScenarios: readonly Scenario[] = [
  scenario({
    name: 'verify-by-identity',
    facts: ['A5'],
    summary:
      'the frame becomes a page of somebody who keeps values of his own in mapping and index, and they look right',
    source: 'Nick Piggin, answer to the review of the patch that became e286781d5f (2006-09)',
    properties: ['I1', 'I5'],
    setup: () => bootIsolatedPage(),
    threads: {
      lookup: lookUpVerified,
      *reclaim(page) {
        if (!(yield* reclaim(page))) return null;
        const other = yield* newPage();
        yield* writeOnce(Page.mapping(other), mapping);
        yield* writeOnce(Page.index(other), 0);
        return other;
      },
    },
    *finally(page, { results, reach }) {
      const other = results.reclaim as Ptr<Page> | null;
      assertThat(results.lookup === NULL || other === null, 'I5: a lookup returns no page that is out of the cache');
      if (other === page) reach('the frame is used again');
      if (other !== null) yield* assertCount(other, 1);
    },
    mustReach: ['the frame is used again'],
    guards: [always('findGetPage.verifySlot', 'assertion')],
  }),
  scenario({
    name: 'reference-to-a-free-page',
    facts: ['A6'],
    summary: 'two lookups take a reference to a page that is on the free list, and give it back',
    source: 'Nick Piggin, "lockless pagecache" of 2005, lkml.org/lkml/2005/9/2/23: PG_free',
    properties: ['I4'],
    *setup() {
      yield* bootEmptyCache();
      const page = pfnToPage(1);
      assertThat((yield* pageCount(page)) === 0 && (yield* pageBuddy(page)), 'frame 1 is free');
      return page;
    },
    threads: { first: getStale, second: getStale },
    *finally(page) {
      yield* assertCount(page, 0);
    },
    guards: [always('getPageUnlessZero.incNotZero', 'bad-page')],
  }),
];
