// SPDX-License-Identifier: GPL-2.0-only

import type { Outcome } from '@lockless/checker';
import type { Op, Ptr } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import type { Generation } from '@lockless/pagecache';
import { always, weakOnly } from '../claims.js';
import { onOneCpu } from '../one-cpu.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { lookUp, oneWasFirst } from './lookup-vs-removal.js';
import { bootIsolatedPage, reclaim } from './tiny-cache.js';

/* The first protocol, PG_nonewrefs: each of its barriers, and preemption between setting and clearing the flag. */

/** Reclaim, and at any point at which it can be preempted the lookup, on the same CPU. */
function sharingCpu(
  generation: Generation,
  declared: Pick<Scenario, 'name' | 'summary' | 'source'>,
  guards: readonly GuardClaim[],
): Scenario {
  return scenario({
    ...declared,
    facts: ['A4'],
    properties: ['I2', 'I7'],
    setup: () => bootIsolatedPage(generation),
    threads: {
      cpu: (page: Ptr<Page>) => onOneCpu({ reclaim: () => reclaim(page), lookup: lookUp }),
    },
    *finally(page, { results, reach }): Op<void> {
      yield* oneWasFirst(page, { results: results.cpu as Outcome['results'], reach });
    },
    guards,
  });
}

export const noNewRefsScenarios: readonly Scenario[] = [
  scenario({
    name: 'nonewrefs-lookup-vs-reclaim',
    facts: ['A1', 'A2', 'A3', 'seed 0'],
    summary:
      'a lookup of a page that reclaim takes out of the cache while PG_nonewrefs makes lookups wait; generation nonewrefs',
    source: 'Nick Piggin, "speculative get page" (2006), the comment in include/linux/pagemap.h',
    properties: ['I1', 'I2', 'I3', 'I4', 'I5', 'I7'],
    setup: () => bootIsolatedPage('nonewrefs'),
    threads: { lookup: lookUp, reclaim },
    finally: oneWasFirst,
    mustReach: ['the lookup is first, and the page stays', 'the removal is first, and the lookup finds nothing'],
    guards: [
      weakOnly('setPageNoNewRefs.fullBarrier', 'assertion'),
      weakOnly('setPageNoNewRefs.smp_mb', 'assertion'),
      weakOnly('endPageNoNewRefs.smp_wmb', 'assertion'),
      weakOnly('getPageInSlot.smp_rmb', 'assertion'),
      weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
      weakOnly('putPageTestzero.atomic_add_and_test', 'bad-page'),
      always('findGetPage.slotRecheck', 'assertion'),
      always('findGetPage.putOnRetry', 'assertion'),
    ],
  }),
  sharingCpu(
    'nonewrefs',
    {
      name: 'nonewrefs-setter-preempted',
      summary: 'who has set PG_nonewrefs is preempted, on the same CPU, by a lookup that waits for it to be cleared',
      source: "Peter Zijlstra's patches for -rt (2006-11): set_page_no_new_refs() disables preemption",
    },
    [always('setPageNoNewRefs.preemptOff', 'livelock')],
  ),
  sharingCpu(
    'freeze-refs',
    {
      name: 'freezer-preempted',
      summary: 'who has frozen the count holds tree_lock, so no lookup of the same CPU can wait for it',
      source: 'e286781d5f "mm: speculative page references" (2.6.27)',
    },
    [],
  ),
];
