// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { atomicAdd, GFP_KERNEL, poke } from '@lockless/cpu';
import { pageTransCompoundAnonSplit, splitHugePageRefcount } from '@lockless/huge-memory';
import { PAGE_MAPPING_ANON, Page } from '@lockless/mm-types';
import { allocPage, getPageFoll, pageCount, putPage } from '@lockless/page';
import { synchronizeRcu } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { bootHugePages, type HugePage, newHugePage } from './boot.js';

/*
 * [PATCH 3/9] of seed 3: who has a pin of a tail and goes from there to the head takes a reference to what may be another page by then. As an RCU reader
 * from one to the other he takes none that a grace period would not wait for. That is half of it: he must also be a reader until he has given it
 * back, or the page of the stranger has a count that is not his after the grace period, for which the series is.
 */

const SOURCE =
  'Michel Lespinasse, 2011-08-19, [PATCH 3/9]; giving the reference back under RCU, too: not there (derived)';

/** A huge page that one task maps and another has pinned a tail of. */
function* bootPinned(): Op<HugePage> {
  yield* bootHugePages('grace-period');
  const huge = yield* newHugePage();
  // An anonymous page of no anon_vma: who gets so far as to split it finds nobody who maps it.
  poke(Page.mapping(huge.head), PAGE_MAPPING_ANON);
  yield* getPageFoll(huge.tail);
  return huge;
}

/** Splits, unmaps, and gives the head away. Who gets its frame waits for a grace period, and looks at the count of his page. */
function* splitAndUseHead({ head }: HugePage): Op<number | null> {
  yield* splitHugePageRefcount(head);
  yield* atomicAdd(-1, Page._mapcount(head));
  yield* putPage(head);
  const own = yield* allocPage(GFP_KERNEL);
  yield* synchronizeRcu();
  return own === head ? yield* pageCount(head) : null;
}

const headReader = (
  name: string,
  summary: string,
  thread: (huge: HugePage) => Op<unknown>,
  guards: readonly GuardClaim[],
): Scenario =>
  scenario<HugePage>({
    name,
    facts: ['F2', 'seed 3'],
    summary,
    source: SOURCE,
    properties: ['I2', 'I3'],
    setup: bootPinned,
    threads: { reader: thread, owner: splitAndUseHead },
    *finally(_, { results, reach }): Op<void> {
      const count = results.owner as number | null;
      if (count === null) return reach('the frame is still in use');
      assertThat(count === 1, 'I3: after a grace period nobody but its owner refers to a new page');
      reach('used again');
    },
    mustReach: ['used again'],
    guards,
  });

export const tailReaderScenarios: readonly Scenario[] = [
  headReader(
    'thp-put-tail-is-reader',
    'the pin of a tail is given back while the head is split off, freed and used again; one grace period later its owner is the only one who refers to it',
    ({ tail }) => putPage(tail),
    [always('putCompoundPage.rcuReadLock', 'assertion'), always('putCompoundPage.dropUnderRcu', 'assertion')],
  ),
  headReader(
    'ksm-split-is-reader',
    'ksm wants to split the huge page of a tail that it has pinned, while the head is split off, freed and used again',
    ({ tail }) => pageTransCompoundAnonSplit(tail),
    [
      always('pageTransCompoundAnonSplit.rcuReadLock', 'assertion'),
      always('pageTransCompoundAnonSplit.recheckUnderRcu', 'assertion'),
    ],
  ),
];
