// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicAdd,
  defineGuard,
  defineWord,
  GFP_KERNEL,
  NULL,
  poke,
  rcuDereference,
  readOnce,
  writeOnce,
} from '@lockless/cpu';
import {
  nthPage,
  pageGetGpCookie,
  splitHugePageRefcount,
  splitsWaitForGp,
  type TailDesign,
  tailCountsStable,
} from '@lockless/huge-memory';
import { Page } from '@lockless/mm-types';
import {
  allocPage,
  allocPages,
  freeHotColdPage,
  getPage,
  getPageFoll,
  getPageUnlessZero,
  prepNewCompoundPage,
  putPage,
  putPageTestzero,
  setPageRefcounted,
} from '@lockless/page';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { always, notNeeded, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertCounts, bootHugePages, type HugePage, mapHugePage, newHugePage } from './boot.js';

/*
 * References to the tails of a huge page, and the split that hands them over to the tails. "Pin": what get_user_pages() takes, counted in the tail and
 * in the head.
 */

const inMapcount = defineGuard('tailPins.mapcount', 'pins are counted in page->_count of the tail, as in 3.1');
/** The design of 3.2, unless the guard is gone. */
export const tails = (): TailDesign => (inMapcount() ? 'tail-mapcount' : 'tail-count');

const series = 'Michel Lespinasse, 2011-08-19, "Use RCU to stabilize page counts", cover letter and [PATCH 9/9]';
const fix = '70b50f94f1 (3.2): "thp: tail page refcounting fix"';

/** Where the page cache had the page. */
const slot: Ref<Ptr<Page> | Null> = defineWord('radix_tree_slot');

const lookupReads = defineGuard('lookup.rcuReadLock', 'the lookup does not say that it reads');
const putsWhatItGot = defineGuard(
  'lookup.putsWhatItGot',
  'the lookup calls put_page(), which takes the reference of a tail from its head as well',
);

/** find_get_page(), and the end of the use of the page. */
const lookupBy = (put: (page: Ptr<Page>) => Op<void>) =>
  function* lookup(): Op<string> {
    if (lookupReads()) yield* rcuReadLock();
    const outcome = yield* lookupOnce(put);
    if (lookupReads()) yield* rcuReadUnlock();
    return outcome;
  };

function* lookupOnce(put: (page: Ptr<Page>) => Op<void>): Op<string> {
  const page = yield* rcuDereference(slot);
  if (page === NULL || !(yield* getPageUnlessZero(page))) return 'nothing';
  const found = (yield* readOnce(slot)) === page;
  yield* put(page);
  return found ? 'found' : 'gone';
}

const byPutPage = lookupBy(putPage);
const byWhatItGot = lookupBy(function* (page) {
  if (!putsWhatItGot()) yield* putPage(page);
  else if (yield* putPageTestzero(page)) yield* freeHotColdPage(page, false);
});

/** The page leaves the cache and is free; its frame becomes the tail of a huge page, which is mapped, pinned, and split. */
function* reuseAndSplit({ head, tail }: HugePage): Op<string> {
  yield* writeOnce(slot, NULL);
  if (!(yield* putPageTestzero(tail))) return 'not free';
  yield* prepNewCompoundPage(head, 1);
  yield* setPageRefcounted(head);
  yield* mapHugePage(head);
  if (splitsWaitForGp()) yield* pageGetGpCookie(head);
  yield* getPageFoll(tail);
  while (!(yield* tailCountsStable(head))) yield* synchronizeRcu();
  yield* splitHugePageRefcount(head);
  return 'split';
}

/** A page in the cache, with the cache's reference, and the free one before it. */
function* bootReuse(design: TailDesign): Op<HugePage> {
  yield* bootHugePages(design);
  const head = yield* allocPages(GFP_KERNEL, 1);
  if (head === NULL) throw new RangeError('the scenario does not fit into its memory');
  const tail = nthPage(head, 1);
  poke(Page._count(head), 0);
  poke(Page._count(tail), 1);
  poke(slot, tail);
  return { head, tail };
}

/** F1: the reference of a lookup that comes too late, on a page that is the tail of a huge page by now. */
const speculativeGet = (
  declared: Pick<Scenario, 'name' | 'summary' | 'source' | 'guards' | 'mustReach'>,
  design: () => TailDesign,
  lookup: () => Op<string>,
): Scenario =>
  scenario<HugePage>({
    ...declared,
    facts: ['F1'],
    properties: ['I3', 'I4'],
    setup: () => bootReuse(design()),
    threads: { lookup, reuse: reuseAndSplit },
    *finally(huge, { results, reach }) {
      // Mapped once each, and the tail is pinned.
      if (results.reuse === 'split') yield* assertCounts(huge, 1, 2);
      reach(`${results.lookup}, ${results.reuse}`);
    },
  });

const dropPin = (huge: HugePage): Op<void> => putPage(huge.tail);

/** Splits, unmaps and gives away the head: its frame is somebody else's page. */
function* splitAndReuseHead({ head }: HugePage): Op<boolean> {
  yield* splitHugePageRefcount(head);
  yield* atomicAdd(-1, Page._mapcount(head));
  yield* putPage(head);
  const other = yield* allocPage(GFP_KERNEL);
  return other === head;
}

export const tailCountScenarios: readonly Scenario[] = [
  speculativeGet(
    {
      name: 'thp-speculative-get',
      summary:
        'a lookup finds a page by an old pointer that has become the tail of a huge page, which is pinned and split',
      source: fix,
      guards: [always('tailPins.mapcount', 'BUG')],
      mustReach: ['nothing, split', 'found, split', 'found, not free'],
    },
    tails,
    byPutPage,
  ),
  speculativeGet(
    {
      name: 'thp-speculative-get-grace-period',
      summary:
        'as thp-speculative-get, with pins in the count of the tail and a split that waits for a grace period: enough for the split, not for put_page()',
      source: series,
      guards: [
        always('splitHugePage.gpCookie', 'BUG'),
        always('lookup.rcuReadLock', 'BUG'),
        always('lookup.putsWhatItGot', 'BUG'),
      ],
      mustReach: ['nothing, split', 'gone, split', 'found, not free'],
    },
    () => 'grace-period',
    byWhatItGot,
  ),
  scenario<HugePage>({
    name: 'thp-put-tail-under-split',
    facts: ['F2'],
    summary:
      'a pin of a tail is given back while the huge page is split, and its head freed and used for something else',
    source: 'put_compound_page(), mm/swap.c, 3.1',
    properties: ['I3', 'I4'],
    *setup() {
      yield* bootHugePages(tails());
      const huge = yield* newHugePage();
      yield* getPageFoll(huge.tail);
      return huge;
    },
    threads: { put: dropPin, split: splitAndReuseHead },
    *finally(huge, { results, reach }) {
      if (results.split !== true) return reach('elsewhere');
      yield* assertCounts(huge, 1, 1);
      reach('head reused');
    },
    mustReach: ['head reused'],
    guards: [
      always('putCompoundPage.tailRecheck', 'VM_BUG'),
      // The look at the tail under the lock does its work too, as long as the stranger has no compound lock of its own.
      notNeeded('putCompoundPage.headRecheck'),
      weakOnly('splitTail.smp_wmb', 'null-dereference'),
      weakOnly('headOfTail.smp_rmb', 'null-dereference'),
      weakOnly('putFormerTail.smp_rmb', 'VM_BUG'),
      weakOnly('splitTail.smp_mb', 'VM_BUG'),
      weakOnly('putPage.smp_rmb', 'VM_BUG'),
    ],
  }),
  scenario<HugePage>({
    name: 'thp-get-tail-under-split',
    facts: ['F1', 'F2'],
    summary: 'who has a pin of a tail takes another one while the huge page is split',
    source: fix,
    properties: ['I3'],
    *setup() {
      yield* bootHugePages(tails());
      const huge = yield* newHugePage();
      yield* getPageFoll(huge.tail);
      return huge;
    },
    threads: {
      get: (huge) => getPage(huge.tail),
      split: (huge) => splitHugePageRefcount(huge.head),
    },
    *finally(huge) {
      yield* assertCounts(huge, 1, 3);
    },
    guards: [
      always('tailPins.mapcount', 'VM_BUG'),
      weakOnly('getPage.smp_rmb', 'VM_BUG'),
      weakOnly('compoundTransHead.smp_rmb', 'null-dereference'),
    ],
  }),
];
