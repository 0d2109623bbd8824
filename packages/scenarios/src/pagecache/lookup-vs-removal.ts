// SPDX-License-Identifier: GPL-2.0-only

import type { Outcome } from '@lockless/checker';
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { GFP_ATOMIC, NULL, readOnce, writeOnce } from '@lockless/cpu';
import { AddressSpace, Page } from '@lockless/mm-types';
import { pageCacheGetSpeculative, pageFreezeRefs, pageUnfreezeRefs, putPage, unlockPage } from '@lockless/page';
import {
  addToPageCacheLocked,
  findGetPage,
  findGetPages,
  findGetPagesContig,
  type Generation,
  lockTreeIrq,
  removeMapping,
  unlockTreeIrq,
} from '@lockless/pagecache';
import { radixTreeDerefSlot, radixTreeLookupSlot, radixTreeReplaceSlot } from '@lockless/radix-tree';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import {
  assertCount,
  assertIdentity,
  assertUnlocked,
  bootIsolatedPage,
  mapping,
  newPage,
  reclaim,
} from './tiny-cache.js';

/* find_get_page() against remove_mapping(): the proof in pagecache's lookup-*.ts, for each generation. */

const FIRST = 'the lookup is first, and the page stays';
const SECOND = 'the removal is first, and the lookup finds nothing';

/** A lookup that keeps its reference. */
export function* lookUp(): Op<Ptr<Page> | Null> {
  const page = yield* findGetPage(mapping, 0);
  if (page !== NULL) yield* assertIdentity(page);
  return page;
}

/** One of the two was first; nothing in between. */
export function* oneWasFirst(page: Ptr<Page>, { results, reach }: Outcome): Op<void> {
  const found = results.lookup !== NULL;
  const removed = results.reclaim === true;
  assertThat(!(found && removed), 'I2: a page that a lookup holds is not removed');
  assertThat(found || removed, 'I5: a page that is in the cache all the time is found');
  yield* assertCount(page, (found ? 1 : 0) + (removed ? 0 : 1));
  yield* assertUnlocked(page);
  reach(found ? FIRST : SECOND);
}

function lookupVersusReclaim(
  generation: Generation,
  declared: Pick<Scenario, 'name' | 'facts' | 'source'>,
  guards: readonly GuardClaim[],
): Scenario {
  return scenario({
    ...declared,
    summary: `a lookup of a page that reclaim takes out of the cache and frees; generation ${generation}`,
    properties: ['I1', 'I2', 'I3', 'I4', 'I5', 'I7', 'I8'],
    setup: () => bootIsolatedPage(generation),
    threads: { lookup: lookUp, reclaim },
    finally: oneWasFirst,
    mustReach: [FIRST, SECOND],
    guards,
  });
}

/** Steps 1 to 3 of the lookup, once. Tells how far it came. */
function* attempt(): Op<string> {
  yield* rcuReadLock();
  const slot = yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), 0);
  const page = slot === NULL ? NULL : ((yield* radixTreeDerefSlot(slot)) as Ptr<Page> | Null); // 1.
  let came = 'no page in 1';
  if (slot !== NULL && page !== NULL) {
    came = 'count 0 in 2';
    if (yield* pageCacheGetSpeculative(page)) {
      came = 'found'; // 2.
      if ((yield* readOnce(slot)) !== page) {
        came = 'moved in 3'; // 3.
        yield* putPage(page);
      }
    }
  }
  yield* rcuReadUnlock();
  return came;
}

/** As {@link attempt}, on a page in which somebody counts how often it was inserted: the counts before 2 and after 3, or null. */
function* insertionsSeen(page: Ptr<Page>): Op<readonly [number, number] | null> {
  yield* rcuReadLock();
  const slot = yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), 0);
  let seen: readonly [number, number] | null = null;
  if (slot !== NULL && (yield* radixTreeDerefSlot(slot)) === page) {
    const before = yield* readOnce(Page.private(page));
    if (yield* pageCacheGetSpeculative(page)) {
      if ((yield* readOnce(slot)) === page) seen = [before, yield* readOnce(Page.private(page))];
      yield* putPage(page);
    }
  }
  yield* rcuReadUnlock();
  return seen;
}

/** Another frame takes the page's place in the tree; the old one is freed and used again. */
function* replace(page: Ptr<Page>): Op<boolean> {
  const other = yield* newPage();
  yield* writeOnce(Page.index(other), 0);
  yield* writeOnce(Page.mapping(other), mapping);
  yield* lockTreeIrq(mapping);
  const slot = (yield* radixTreeLookupSlot(AddressSpace.pageTree(mapping), 0)) as Ref<number>;
  const frozen = yield* pageFreezeRefs(page, 2);
  if (frozen) {
    yield* radixTreeReplaceSlot(slot, other);
    yield* writeOnce(Page.mapping(page), NULL);
    yield* pageUnfreezeRefs(page, 1);
  }
  yield* unlockTreeIrq(mapping);
  yield* unlockPage(page);
  yield* putPage(page);
  if (frozen) yield* writeOnce(Page.index(yield* newPage()), 7);
  return frozen;
}

export const lookupVersusRemovalScenarios: readonly Scenario[] = [
  lookupVersusReclaim(
    'freeze-refs',
    {
      name: 'lookup-vs-reclaim',
      facts: ['A7', 'A11', 'seed 2'],
      source: 'e286781d5f "mm: speculative page references", a60637c858 "mm: lockless pagecache" (2.6.27)',
    },
    [
      always('removeMapping.freezeRefs', 'assertion'),
      always('findGetPage.slotRecheck', 'assertion'),
      always('findGetPage.putOnRetry', 'assertion'),
      weakOnly('pageUnfreezeRefs.smp_store_release', 'assertion'),
      weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
      weakOnly('putPageTestzero.atomic_add_and_test', 'bad-page'),
      // Its order is for PG_dirty: dirty-vs-reclaim.
      notNeeded('pageFreezeRefs.atomic_cmpxchg'),
    ],
  ),
  lookupVersusReclaim(
    'tree-lock',
    {
      name: 'lookup-vs-reclaim-tree-lock',
      facts: ['seed 2'],
      source: 'mm/filemap.c, mm/vmscan.c, 2.6.26: lookups hold tree_lock for reading',
    },
    [],
  ),
  scenario({
    name: 'two-lookups-vs-reclaim',
    facts: ['seed 2'],
    summary: 'a lookup and a gang lookup of a page that reclaim takes out of the cache and frees',
    source: 'a60637c858 "mm: lockless pagecache" (2.6.27): find_get_page() and find_get_pages()',
    properties: ['I1', 'I2', 'I3', 'I4', 'I5', 'I7'],
    setup: () => bootIsolatedPage(),
    threads: { lookup: lookUp, gang: () => findGetPages(mapping, 0, 1), reclaim },
    *finally(page, { results, reach }) {
      const gang = results.gang as readonly Ptr<Page>[];
      const holders = (results.lookup === NULL ? 0 : 1) + gang.length;
      const removed = results.reclaim === true;
      assertThat(!(holders > 0 && removed), 'I2: a page that a lookup holds is not removed');
      assertThat(holders === 2 || removed, 'I5: a page that is in the cache all the time is found');
      yield* assertCount(page, holders + (removed ? 0 : 1));
      reach(removed ? 'removed' : 'kept');
    },
    mustReach: ['removed', 'kept'],
    guards: [
      always('findGetPage.slotRecheck', 'assertion'),
      weakOnly('pageUnfreezeRefs.smp_store_release', 'assertion'),
      weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
    ],
  }),
  scenario({
    name: 'critical-interleavings',
    facts: ['seed 2'],
    summary: 'the two interleavings that the comment on page_cache_get_speculative() calls critical can happen',
    source: 'e286781d5f "mm: speculative page references" (2.6.27), the comment in include/linux/pagemap.h',
    properties: ['I2', 'I3'],
    setup: () => bootIsolatedPage(),
    threads: { lookup: attempt, reclaim },
    *finally(page, { results, reach }) {
      const found = results.lookup === 'found';
      const removed = results.reclaim === true;
      assertThat(removed === !found, 'I2: who holds the page in the end is who was first');
      yield* assertCount(page, found ? 2 : 0);
      if (found) reach('2 before A: A sees the reference and gives up');
      else if (results.lookup === 'count 0 in 2') reach('A before 2: 2 sees the count 0');
      else reach(results.lookup === 'moved in 3' ? 'B before 3: 3 sees that the page is gone' : 'B before 1');
    },
    mustReach: [
      '2 before A: A sees the reference and gives up',
      'A before 2: 2 sees the count 0',
      'B before 3: 3 sees that the page is gone',
      'B before 1',
    ],
    guards: [],
  }),
  scenario({
    name: 'same-page-inserted-again',
    facts: ['A7', 'seed 1', 'seed 2'],
    summary: 'between 1 and 2 of a lookup the page is removed and inserted at the same place: the lookup may return it',
    source: 'e286781d5f "mm: speculative page references" (2.6.27), the comment in include/linux/pagemap.h',
    properties: ['I3', 'I5'],
    setup: () => bootIsolatedPage(),
    threads: {
      lookup: insertionsSeen,
      *reinsert(page) {
        const removed = yield* removeMapping(mapping, page);
        if (removed) {
          yield* writeOnce(Page.private(page), 1);
          assertThat((yield* addToPageCacheLocked(page, mapping, 0, GFP_ATOMIC)) === 0, 'the page is inserted again');
        }
        yield* unlockPage(page);
        yield* putPage(page);
        return removed;
      },
    },
    *finally(page, { results, reach }) {
      yield* assertCount(page, 1);
      const seen = results.lookup as readonly [number, number] | null;
      if (seen !== null && seen[0] !== seen[1]) reach('found before, accepted after the insertion');
    },
    mustReach: ['found before, accepted after the insertion'],
    guards: [],
  }),
  scenario({
    name: 'contiguous-lookup-vs-replacement',
    facts: ['A16'],
    summary:
      'a lookup of a run of pages while another frame takes the place of the page, which becomes a page of somebody else',
    source: '9cbb4cb21b19 "mm: find_get_pages_contig fixlet" (2.6.38)',
    properties: ['I5'],
    setup: () => bootIsolatedPage(),
    threads: {
      lookup: () => findGetPagesContig(mapping, 0, 1),
      replace,
    },
    *finally(page, { results, reach }) {
      const found = results.lookup as readonly Ptr<Page>[];
      assertThat(
        found.length === 1,
        'I5: the run begins with the page at its first index, which is in the cache all the time',
      );
      if (results.replace === true) reach(found[0] === page ? 'old' : 'new');
    },
    mustReach: ['new'],
    guards: [always('findGetPagesContig.checkAfterReference', 'assertion')],
  }),
  scenario({
    name: 'lookup-vs-reuse',
    facts: ['A7'],
    summary: 'between 1 and 2 of a lookup the frame is freed and becomes the page of somebody else, who frees it later',
    source: 'the review of the patch that became e286781d5f (2006-09-25); its comment in include/linux/pagemap.h',
    properties: ['I1', 'I3', 'I4', 'I5'],
    setup: () => bootIsolatedPage(),
    threads: {
      lookup: lookUp,
      *reclaim(page) {
        if (!(yield* reclaim(page))) return null;
        const other = yield* newPage();
        yield* writeOnce(Page.index(other), 7);
        return other;
      },
    },
    *finally(page, { results, reach }) {
      const other = results.reclaim as Ptr<Page> | null;
      assertThat((results.lookup !== NULL) === (other === null), 'I2: a page that a lookup holds is not removed');
      if (other === null) return;
      yield* assertCount(other, 1);
      yield* putPage(other);
      if (other === page) reach('the frame is used again');
    },
    mustReach: ['the frame is used again'],
    guards: [
      always('findGetPage.slotRecheck', 'assertion'),
      always('findGetPage.putOnRetry', 'assertion'),
      always('removeMapping.freezeRefs', 'assertion'),
    ],
  }),
];
