// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { GFP_ATOMIC, NULL } from '@lockless/cpu';
import { hwpoisonInject, memoryFailure, unpoisonMemory } from '@lockless/memory-failure';
import type { Page } from '@lockless/mm-types';
import {
  allocPage,
  drainLocalPages,
  lruAddDrain,
  lruCacheAdd,
  pageCount,
  pageHwpoison,
  pageToPfn,
  putPage,
} from '@lockless/page';
import { doMigrateRange, findGetPage } from '@lockless/pagecache';
import { synchronizeRcu } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import {
  assertCount,
  bootCachedPage,
  bootEmptyCache,
  bootIsolatedPage,
  cached,
  mapping,
  newPage,
  reclaim,
} from '../pagecache/tiny-cache.js';
import { type Scenario, scenario } from '../scenario.js';

/* Callers that name a page by the number of its frame: nothing is known of it, so they are excused from being RCU readers. */

const SOURCE = 'mm/memory-failure.c, mm/hwpoison-inject.c, 3.1';

/** Page 0 in the cache and on the LRU. */
function* bootListedPage(): Op<Ptr<Page>> {
  const page = yield* bootCachedPage();
  yield* lruCacheAdd(page);
  yield* lruAddDrain();
  return page;
}

/** A page on the LRU that has been truncated: only its owner has it. */
function* bootOrphan(): Op<Ptr<Page>> {
  yield* bootEmptyCache();
  const page = yield* newPage();
  yield* lruCacheAdd(page);
  yield* lruAddDrain();
  return page;
}

/** A page that its owner is going to free. */
function* bootOwnedPage(): Op<Ptr<Page>> {
  yield* bootEmptyCache();
  const page = yield* newPage();
  yield* drainLocalPages();
  return page;
}

/** The owner frees the page, and takes what the allocator gives, to the last frame. */
function* freeAndAllocate(page: Ptr<Page>): Op<Ptr<Page> | Null> {
  yield* putPage(page);
  return yield* allocPage(GFP_ATOMIC);
}

export const memoryFailureScenarios: readonly Scenario[] = [
  scenario({
    name: 'memory-failure-vs-lookup',
    facts: ['seed 3'],
    summary: 'the memory of a cached page fails while a lookup takes a reference to it',
    source: SOURCE,
    properties: ['I1', 'I3', 'I4'],
    setup: bootListedPage,
    threads: {
      *fails(page) {
        return yield* memoryFailure(pageToPfn(page));
      },
      *lookup() {
        const found = yield* findGetPage(mapping, 0);
        if (found !== NULL) yield* putPage(found);
        return found !== NULL;
      },
    },
    *finally(page, { results, reach }) {
      assertThat((yield* cached()) === NULL, 'the page has left the cache');
      yield* assertCount(page, 1);
      reach(results.fails !== 0 ? 'somebody still has it' : results.lookup === true ? 'found first' : 'found no more');
    },
    mustReach: ['somebody still has it', 'found first', 'found no more'],
    guards: [],
  }),
  scenario({
    name: 'memory-failure-vs-free',
    facts: ['seed 3'],
    summary:
      'the memory of a page fails while its owner frees it and allocates another; a plain store to the flags can wipe out the mark',
    source: `${SOURCE}; check_new_page(), mm/page_alloc.c, 2.6.32`,
    properties: ['I4'],
    setup: bootOwnedPage,
    threads: {
      *fails(page) {
        return yield* memoryFailure(pageToPfn(page));
      },
      owner: freeAndAllocate,
    },
    *finally(page, { results, reach }) {
      const own = results.owner as Ptr<Page> | Null;
      const marked = yield* pageHwpoison(page);
      // The allocator clears all flags of a new page by a plain store.
      if (own === page) return reach(marked ? 'allocated before it was marked' : 'the mark is lost');
      assertThat(marked, 'the frame is marked');
      assertThat((yield* allocPage(GFP_ATOMIC)) !== page, 'I4: a frame whose memory has failed is not handed out');
      reach('left out');
    },
    mustReach: ['allocated before it was marked', 'left out', 'the mark is lost'],
    guards: [always('prepNewPage.skipPoisoned', 'assertion')],
  }),
  scenario({
    name: 'unpoison-vs-memory-failure',
    facts: ['seed 3'],
    summary: 'a frame is put back into use while it is being taken out',
    source: SOURCE,
    properties: ['I3', 'I4', 'I8'],
    setup: bootOrphan,
    threads: {
      *inject(page) {
        return yield* hwpoisonInject(pageToPfn(page));
      },
      *unpoison(page) {
        return yield* unpoisonMemory(pageToPfn(page));
      },
    },
    *finally(page, { reach }) {
      const marked = yield* pageHwpoison(page);
      yield* assertCount(page, marked ? 2 : 1);
      reach(marked ? 'poisoned' : 'unpoisoned');
    },
    mustReach: ['poisoned', 'unpoisoned'],
    guards: [always('memoryFailure.leaveReference', 'bad-page')],
  }),
  scenario({
    name: 'exempt-caller-and-stable-count',
    facts: ['F1', 'seed 3'],
    summary:
      'a frame is looked at by number while it is used again: its owner cannot know its count, grace period or not',
    source: 'Michel Lespinasse, 2011-08-19: exempted "because I haven\'t been able to figure out what to do"',
    properties: ['I3'],
    setup: () => bootIsolatedPage(),
    threads: {
      *hotplug(page) {
        return yield* doMigrateRange(pageToPfn(page), 1);
      },
      *owner(page) {
        if (!(yield* reclaim(page))) return null;
        const own = yield* newPage();
        yield* synchronizeRcu();
        return yield* pageCount(own);
      },
    },
    *finally(_, { results, reach }) {
      if (results.owner === 2) reach('one reference too many after a grace period');
      else if (results.owner === 1) reach('exact');
    },
    mustReach: ['one reference too many after a grace period', 'exact'],
    guards: [],
  }),
];
