// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op } from '@lockless/cpu';
import { defineGuard, load, NULL, smpWmb, writeOnce } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import {
  getPage,
  pageFreezeRefs,
  pageUnfreezeRefs,
  setPageLocked,
  setPageRefcounted,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { findGetPage, lockTreeIrq, unlockTreeIrq } from '@lockless/pagecache';
import { radixTreeDelete } from '@lockless/radix-tree';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootTree, insertPage, mapping, P, Q, tree } from './boot.js';

const INDEX = 1;
const OLD = 0;
const NEW = 2;

/** The page, and a neighbour, so that the node of the tree stays. */
const bootTwoPages = (): Op<void> =>
  bootTree([
    [INDEX, P],
    [2, Q],
  ]);

/** Takes the page out as reclaim does, gives it other content, and puts it in again at the same place. */
function* republish(): Op<boolean> {
  yield* lockTreeIrq(mapping);
  const frozen = yield* pageFreezeRefs(P, 1); // A.
  if (frozen) yield* radixTreeDelete(tree, INDEX); // B.
  yield* unlockTreeIrq(mapping);
  if (!frozen) return false;
  yield* writeOnce(Page.contentVersion(P), NEW);
  yield* pageUnfreezeRefs(P, 1);
  yield* getPage(P);
  yield* insertPage([INDEX, P]);
  return true;
}

/** Looks the page up, and reads what is in it. */
function* readPage(): Op<number | Null> {
  const page = yield* findGetPage(mapping, INDEX);
  return page === NULL ? NULL : 1 + (yield* load(Page.contentVersion(page)));
}

/**
 * Removes the page as reclaim does, and makes it somebody else's: what is left of freeing and allocating a frame where neither takes a lock (this
 * CPU's list has it) and reclaim does not unlock the page, which would be a full barrier, because nobody can wait for it (2.6.28).
 */
function* removeAndReuse(): Op<boolean> {
  yield* lockTreeIrq(mapping);
  const frozen = yield* pageFreezeRefs(P, 1); // A.
  if (frozen) yield* radixTreeDelete(tree, INDEX); // B.
  yield* unlockTreeIrq(mapping);
  if (!frozen) return false;
  yield* smpWmb();
  yield* setPageRefcounted(P); // C., and its next owner's first reference.
  return true;
}

/** As add_to_page_cache() after alloc_page(): locked before it is published, filled, and unlocked. */
function* reallocate(): Op<boolean> {
  if (!(yield* removeAndReuse())) return false;
  yield* setPageLocked(P);
  yield* writeOnce(Page.contentVersion(P), NEW);
  yield* getPage(P);
  yield* insertPage([INDEX, P]);
  yield* unlockPage(P);
  return true;
}

const underPageLock = defineGuard('readLockedPage.pageLock', 'a page that was looked up is read without its lock');

/** Looks the page up, and reads what is in it when nobody else has it locked. */
function* readLockedPage(): Op<number | Null> {
  const page = yield* findGetPage(mapping, INDEX);
  if (page === NULL) return NULL;
  if (!underPageLock()) return 1 + (yield* load(Page.contentVersion(page)));
  if (!(yield* trylockPage(page))) return NULL;
  const version = yield* load(Page.contentVersion(page));
  yield* unlockPage(page);
  return 1 + version;
}

export const republishScenarios: readonly Scenario[] = [
  scenario({
    name: 'same-page-again',
    facts: ['seed 1', 'A7'],
    summary: 'between a lookup and its reference the page is removed, changed, and inserted again at the same place',
    source:
      'page_cache_get_speculative(), include/linux/pagemap.h, e286781d5f: "It is possible that between 1 and 2 ..."',
    properties: ['I1', 'I5'],
    setup: bootTwoPages,
    threads: { lookup: readPage, republish },
    *finally(_shared, { results, reach }) {
      const version = results.lookup;
      assertThat(
        version === NULL || version === 1 + (results.republish ? NEW : OLD),
        'the page is read as it was published',
      );
      reach(version === NULL ? 'not found' : results.republish ? 'found again' : 'kept');
    },
    mustReach: ['not found', 'found again', 'kept'],
    guards: [
      weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
      weakOnly('pageUnfreezeRefs.smp_store_release', 'assertion'),
    ],
  }),
  scenario({
    name: 'reuse-before-removal-is-seen',
    facts: ['A7'],
    summary:
      'a removed page has its next owner at once: its count must not be seen to be more than 0 before its slot is seen to be empty',
    source:
      'derived from page_cache_get_speculative() and "mm: unlockless reclaim" (2.6.28): A, B and C are ordered by what happens to lie between',
    properties: ['I1', 'I5'],
    setup: bootTwoPages,
    threads: { lookup: () => findGetPage(mapping, INDEX), reclaim: removeAndReuse },
    *finally(_shared, { results, reach }) {
      assertThat(results.reclaim === (results.lookup === NULL), 'a page is found, or it is removed');
      reach(results.reclaim ? 'removed' : 'kept');
    },
    mustReach: ['removed', 'kept'],
    guards: [
      weakOnly('removeAndReuse.smp_wmb', 'assertion'),
      weakOnly('pageCacheGetSpeculative.atomic_add_unless', 'assertion'),
      always('findGetPage.slotRecheck', 'assertion'),
    ],
  }),
  scenario({
    name: 'reallocated-page-again',
    facts: ['seed 1', 'A7'],
    summary:
      'between a lookup and its reference the page is freed, allocated for the same place, filled and inserted: that its slot holds it again says nothing of what is in it',
    source:
      'derived from page_cache_get_speculative() and add_to_page_cache(): the address of the page comes from the first look at the slot, and the second, READ_ONCE(), orders no later load',
    properties: ['I1', 'I5'],
    setup: bootTwoPages,
    threads: { lookup: readLockedPage, reallocate },
    *finally(_shared, { results, reach }) {
      const version = results.lookup;
      assertThat(
        version === NULL || version === 1 + (results.reallocate ? NEW : OLD),
        'the page is read as it was published',
      );
      reach(version === NULL ? 'not found' : results.reallocate ? 'found again' : 'kept');
    },
    mustReach: ['not found', 'found again', 'kept'],
    guards: [weakOnly('readLockedPage.pageLock', 'assertion')],
  }),
];
