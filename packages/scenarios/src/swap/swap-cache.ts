// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL, poke, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import { doFoundSwapPage } from '@lockless/mm';
import type { Page } from '@lockless/mm-types';
import { freeHotColdPage, getPage, lockPage, pageCount, pageSwapCache, putPage, unlockPage } from '@lockless/page';
import {
  addToSwap,
  getSwapPage,
  lockSwapCachePage,
  lookupSwapCache,
  pageSwapEntry,
  removeExclusiveSwapPage,
  removeFromSwapCacheFrozen,
  swapDuplicate,
  swapFree,
  swapUsers,
  tryToFreeSwap,
} from '@lockless/pagecache';
import {
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  pteLockptr,
  pteSame,
  type SwpEntry,
  setPteAt,
  swpEntryToPte,
  swpOffset,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import {
  ADDRESS,
  bootMemory,
  mappedPage,
  newArea,
  newPage,
  newProcess,
  newSwappedPage,
  type Process,
  type ProcessWithArea,
  SWAP_PLACES,
  type SwappedPage,
} from './boot.js';
import { type FoundPage, lookUpSwapPage, zapPte } from './do-swap-page.js';

const WRITABLE = (PTE_PRESENT | PTE_USER | PTE_RW) as Pgprot;

/** A process whose page is swapped out. `entries` others have the same page. */
function* bootSwapped(entries: number): Op<Process & SwappedPage> {
  yield* bootMemory();
  const swapped = yield* newSwappedPage(1, 1 + entries);
  // A neighbour, so that the node of the tree stays when the page goes.
  yield* newSwappedPage(3, 0);
  const process = yield* newProcess();
  poke(process.ptep, swpEntryToPte(swapped.entry));
  return { ...process, ...swapped };
}

function* takeAndFree(): Op<SwpEntry> {
  const entry = yield* getSwapPage();
  if (entry === NULL) throw new RangeError('the swap area is full');
  yield* swapFree(entry);
  return entry;
}

/** Reclaim looks at a page of the LRU that is in the swap cache. */
function* reclaim(page: Ptr<Page>): Op<boolean> {
  yield* getPage(page);
  yield* lockPage(page);
  const removed = yield* removeFromSwapCacheFrozen(page);
  yield* unlockPage(page);
  if (removed) yield* freeHotColdPage(page, true);
  else yield* putPage(page);
  return removed;
}

/** What the second thread of the child, the parent and reclaim do meanwhile, in the one order that matters. */
interface Family extends ProcessWithArea, SwappedPage {
  /** What the child's second thread copies to. */
  readonly copy: Ptr<Page>;
  /** The child's first thread has found the page; it waits for the lock, or is about to take it. */
  readonly found: FoundPage;
}

function* bootFamily(): Op<Family> {
  yield* bootMemory();
  const swapped = yield* newSwappedPage(1, 2);
  // A neighbour, so that the node of the tree stays when the page goes.
  yield* newSwappedPage(3, 0);
  const process = yield* newArea(swapped.entry);
  // The search for free places has come to the end of the area: the next place that is given out is the first that is free.
  for (let at = 0; at < SWAP_PLACES; at = swpOffset(yield* takeAndFree()));
  const found = yield* lookUpSwapPage(process);
  yield* getPage(swapped.page); // The other threads', for the same reason.
  if (found === NULL) throw new RangeError('the page is not in the swap cache');
  return { ...process, ...swapped, found, copy: yield* newPage(2) };
}

/**
 * The child's second thread writes: the page is the parent's too, so it gets a copy. Then the parent maps the page, is now its only user,
 * and writes to it: the page needs its place no more. Both have the page locked; here it stays so in between.
 * *Returns* true: the page is locked. False: the first thread has mapped it already.
 */
function* writeBoth({ mm, ptep, page, entry, copy }: Family): Op<boolean> {
  yield* lockPage(page);
  yield* spinLock(pteLockptr(mm, ptep));
  const same = pteSame(yield* readOnce(ptep), swpEntryToPte(entry));
  if (same) yield* setPteAt(mm, ADDRESS, ptep, mkPte(copy, WRITABLE));
  yield* spinUnlock(pteLockptr(mm, ptep));
  if (same) {
    yield* swapFree(entry); // The child's.
    yield* swapFree(entry); // The parent's.
    yield* tryToFreeSwap(page);
  } else {
    yield* unlockPage(page);
  }
  return same;
}

/** Reclaim swaps the child's copy out. The first place that is free is the one that the page had. */
function* swapCopyOut({ mm, ptep, copy }: Family): Op<void> {
  yield* lockPage(copy);
  yield* addToSwap(copy, GFP_KERNEL);
  const entry: SwpEntry = yield* pageSwapEntry(copy);
  yield* spinLock(pteLockptr(mm, ptep));
  yield* swapDuplicate(entry);
  yield* setPteAt(mm, ADDRESS, ptep, swpEntryToPte(entry));
  yield* spinUnlock(pteLockptr(mm, ptep));
  yield* unlockPage(copy);
}

function swapInIdentity(
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'guards'>,
  others: (family: Family) => Op<boolean>,
): Scenario {
  return scenario<Family>({
    ...declared,
    properties: ['I1', 'I5', 'I12'],
    setup: bootFamily,
    threads: {
      fault: ({ mm, vma, ptep, entry, found }) =>
        doFoundSwapPage({ mm, vma, address: ADDRESS, write: false, pte: ptep, origPte: found.orig }, entry, found.page),
      others,
    },
    *finally({ ptep, page }, { results, reach }) {
      const mapped = mappedPage(ptep) === page;
      assertThat(!(results.others === true && mapped), 'a fault after the write maps the page that was written');
      reach(mapped ? 'fault first' : 'fault repeated');
    },
    mustReach: ['fault first', 'fault repeated'],
  });
}

export const swapCacheScenarios: readonly Scenario[] = [
  scenario<Process & SwappedPage>({
    name: 'swap-free-under-lookup',
    facts: ['A17', 'seed 1'],
    summary:
      'the last entry of a swapped page is zapped, and the page with it, while a lookup holds a passing reference',
    source: 'Peter Zijlstra, 2006-09-25, Re: [patch 3/9] mm: speculative get page; answered by Nick Piggin',
    properties: ['I3', 'I4', 'I8'],
    setup: () => bootSwapped(0),
    threads: {
      zap: zapPte,
      *lookup({ entry }) {
        const found = yield* lookupSwapCache(entry);
        if (found !== NULL) yield* putPage(found);
        return found !== NULL;
      },
    },
    *finally({ page, entry }, { results, reach }) {
      if (yield* pageSwapCache(page)) {
        assertThat((yield* swapUsers(entry)) === 1, 'the cache is the only user of the place');
        reach('kept until reclaim');
        assertThat(yield* reclaim(page), 'reclaim takes a page that was left in the swap cache');
      } else {
        reach(results.lookup === true ? 'found, freed at once' : 'freed at once');
      }
      assertThat((yield* swapUsers(entry)) === 0, 'the place is free');
      assertThat((yield* pageCount(page)) === 0, 'the page is free');
    },
    mustReach: ['freed at once', 'found, freed at once', 'kept until reclaim'],
    // A heuristic: without it no page is kept that could be freed at once, and nothing breaks.
    guards: [
      always('freeSwapAndCache.countTest', 'unreached'),
      weakOnly('putPageTestzero.atomic_add_and_test', 'bad-page'),
    ],
  }),
  scenario<Process & SwappedPage>({
    name: 'exclusive-removal-under-lookup',
    facts: ['A17', 'seed 1'],
    summary:
      'a page leaves the swap cache because its count says that nobody else has it, and a lookup has it right after',
    source: 'remove_exclusive_swap_page(), mm/swapfile.c, 2.6.27, which tests page_count() and does not freeze it',
    properties: ['I3', 'I5'],
    *setup() {
      const swapped = yield* bootSwapped(0);
      // Who removes it has mapped it, and so used the entry up.
      yield* swapFree(swapped.entry);
      yield* getPage(swapped.page);
      yield* lockPage(swapped.page);
      return swapped;
    },
    threads: {
      *remove({ page }) {
        const removed = yield* removeExclusiveSwapPage(page);
        yield* unlockPage(page);
        return removed;
      },
      *lookup({ entry }) {
        const page = yield* lookupSwapCache(entry);
        if (page === NULL) return 'not found';
        const accepted = yield* lockSwapCachePage(page, entry);
        if (accepted) {
          assertThat(yield* pageSwapCache(page), 'a page that is accepted is in the swap cache');
          yield* unlockPage(page);
        }
        yield* putPage(page);
        return accepted ? 'accepted' : 'refused';
      },
    },
    *finally({ page, entry }, { results, reach }) {
      const removed = results.remove === true;
      assertThat((yield* pageCount(page)) === (removed ? 1 : 2), 'no reference is lost, none is left');
      assertThat((yield* swapUsers(entry)) === (removed ? 0 : 1), 'the place is free when the page has left it');
      reach(`${removed ? 'removed' : 'kept'}, ${results.lookup}`);
    },
    mustReach: ['removed, not found', 'removed, refused', 'kept, accepted'],
    guards: [always('doSwapPage.swapCacheRecheck', 'assertion')],
  }),
  swapInIdentity(
    {
      name: 'swap-in-of-removed-page',
      facts: ['A18', 'A17'],
      summary:
        'a fault waits for the lock of a page that leaves the swap cache meanwhile; its place goes to another page of the same address',
      source: '4969c1192d15 "mm: fix swapin race condition" (2.6.36)',
      guards: [
        always('doSwapPage.swapCacheRecheck', 'assertion'),
        whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
        notNeeded('doSwapPage.entryRecheck'),
      ],
    },
    function* (family) {
      if (!(yield* writeBoth(family))) return false;
      yield* unlockPage(family.page);
      yield* swapCopyOut(family);
      return true;
    },
  ),
  swapInIdentity(
    {
      name: 'swap-in-of-moved-page',
      facts: ['A18'],
      summary: 'as swap-in-of-removed-page, but the page is in the swap cache again, under another entry',
      source: 'Hugh Dickins, 2010-09, on 4969c1192d15: compare page_private(page) with the entry',
      guards: [
        always('doSwapPage.swapCacheRecheck', 'assertion'),
        whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
        always('doSwapPage.entryRecheck', 'assertion'),
      ],
    },
    function* (family) {
      if (!(yield* writeBoth(family))) return false;
      yield* swapCopyOut(family);
      // Reclaim begins to swap the page out too; the first place is taken now.
      yield* addToSwap(family.page, GFP_KERNEL);
      yield* unlockPage(family.page);
      return true;
    },
  ),
];
