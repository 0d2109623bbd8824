// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL, poke, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { freeHotColdPage, getPage, lockPage, pageCount, pageSwapCache, putPage, unlockPage } from '@lockless/page';
import {
  addToSwap,
  lockSwapCachePage,
  pageSwapEntry,
  removeFromSwapCacheFrozen,
  type SwpEntry,
  swapDuplicate,
  swapFree,
  swapUsers,
  swpEntryToPte,
  tryToFreeSwap,
} from '@lockless/pagecache';
import {
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  pteLockptr,
  ptePresent,
  pteSame,
  setPteAt,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMemory, newPage, newProcess, newSwappedPage, type Process, type SwappedPage } from './boot.js';
import { doSwapPage, zapPte } from './do-swap-page.js';

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
interface Family extends Process, SwappedPage {
  /** What the child's second thread copies to. */
  readonly copy: Ptr<Page>;
}

function* bootFamily(): Op<Family> {
  const swapped = yield* bootSwapped(1);
  return { ...swapped, copy: yield* newPage(2) };
}

/** The child's second thread writes: the page is the parent's too, so it gets a copy. Returns false when it came too late for that. */
function* copyOnWrite({ mm, ptep, page, entry, copy }: Family): Op<boolean> {
  yield* getPage(page);
  if (!(yield* lockSwapCachePage(page, entry))) return false;
  yield* spinLock(pteLockptr(mm, ptep));
  const same = pteSame(yield* readOnce(ptep), swpEntryToPte(entry));
  if (same) {
    yield* setPteAt(mm, ADDRESS, ptep, mkPte(copy, WRITABLE));
    yield* swapFree(entry);
  }
  yield* spinUnlock(pteLockptr(mm, ptep));
  yield* unlockPage(page);
  yield* putPage(page);
  return same;
}

/** The parent maps the page, is now its only user, and writes to it: the page needs its place no more. */
function* reuseByParent({ page, entry }: Family): Op<void> {
  yield* getPage(page);
  yield* lockPage(page);
  yield* swapFree(entry);
  yield* tryToFreeSwap(page);
  yield* unlockPage(page);
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

/** Reclaim begins to swap the page out, to another place. */
function* swapPageOut({ page }: Family): Op<void> {
  yield* lockPage(page);
  yield* addToSwap(page, GFP_KERNEL);
  yield* unlockPage(page);
}

function swapInIdentity(
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'guards'>,
  others: (family: Family) => Op<boolean>,
): Scenario {
  return scenario<Family>({
    ...declared,
    properties: ['I1', 'I5', 'I12'],
    setup: bootFamily,
    threads: { fault: doSwapPage, others },
    *finally({ page, copy }, { results, reach }) {
      assertThat(
        !(results.others === true && results.fault === page),
        'a fault after the write maps the page that was written',
      );
      if (results.others === false) reach('fault first');
      if (results.fault === copy) reach('fault last');
    },
    mustReach: ['fault first', 'fault last'],
  });
}

export const swapCacheScenarios: readonly Scenario[] = [
  scenario<Process & SwappedPage>({
    name: 'swap-free-under-lookup',
    facts: ['A17', 'seed 1'],
    summary: 'the last entry of a swapped page is zapped while a fault on the same entry looks the page up',
    source: 'Peter Zijlstra, 2006-09-25, Re: [patch 3/9] mm: speculative get page; answered by Nick Piggin',
    properties: ['I3', 'I4', 'I8'],
    setup: () => bootSwapped(0),
    threads: { zap: zapPte, fault: doSwapPage },
    *finally({ page, ptep, entry }, { results, reach }) {
      assertThat(!ptePresent(yield* readOnce(ptep)), 'nothing is mapped where memory was given up');
      if (yield* pageSwapCache(page)) {
        assertThat((yield* swapUsers(entry)) === 1, 'the cache is the only user of the place');
        if (results.fault === NULL) reach('kept until reclaim');
        assertThat(yield* reclaim(page), 'reclaim takes a page that was left in the swap cache');
      } else {
        reach('freed at once');
      }
      assertThat((yield* swapUsers(entry)) === 0, 'the place is free');
      assertThat((yield* pageCount(page)) === 0, 'the page is free');
    },
    mustReach: ['freed at once', 'kept until reclaim'],
    guards: [
      { name: 'freeSwapAndCache.countTest', without: { sc: 'holds', tso: 'holds', lkmm: 'holds' } },
      { name: 'doSwapPage.swapCacheRecheck', without: { sc: 'holds', tso: 'holds', lkmm: 'holds' } },
    ],
  }),
  swapInIdentity(
    {
      name: 'swap-in-of-removed-page',
      facts: ['A18', 'A17'],
      summary:
        'a fault waits for the lock of a page that leaves the swap cache meanwhile; its place goes to another page of the same address',
      source: '4969c1192d15 "mm: fix swapin race condition" (2.6.36)',
      guards: [
        {
          name: 'doSwapPage.swapCacheRecheck',
          without: { sc: { kind: 'assertion' }, tso: { kind: 'assertion' }, lkmm: { kind: 'assertion' } },
        },
        { name: 'doSwapPage.entryRecheck', without: { sc: 'holds', tso: 'holds', lkmm: 'holds' } },
      ],
    },
    function* (family) {
      if (!(yield* copyOnWrite(family))) return false;
      yield* reuseByParent(family);
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
        {
          name: 'doSwapPage.swapCacheRecheck',
          without: { sc: { kind: 'assertion' }, tso: { kind: 'assertion' }, lkmm: { kind: 'assertion' } },
        },
        {
          name: 'doSwapPage.entryRecheck',
          without: { sc: { kind: 'assertion' }, tso: { kind: 'assertion' }, lkmm: { kind: 'assertion' } },
        },
      ],
    },
    function* (family) {
      if (!(yield* copyOnWrite(family))) return false;
      yield* reuseByParent(family);
      yield* swapCopyOut(family);
      yield* swapPageOut(family);
      return true;
    },
  ),
];
