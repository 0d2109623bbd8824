// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, NULL, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import { doFoundSwapPage } from '@lockless/mm';
import type { Page } from '@lockless/mm-types';
import { getPage, lockPage, unlockPage } from '@lockless/page';
import { addToSwap, getSwapPage, pageSwapEntry, swapDuplicate, swapFree, tryToFreeSwap } from '@lockless/pagecache';
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
import { always, notNeeded, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import {
  ADDRESS,
  bootMemory,
  mappedPage,
  newArea,
  newPage,
  newSwappedPage,
  type ProcessWithArea,
  SWAP_PLACES,
  type SwappedPage,
} from './boot.js';
import { type FoundPage, lookUpSwapPage } from './do-swap-page.js';

/* A18: a fault finds its page in the swap cache, and by the time that it has the lock, the page is another's, or nobody's. */

const WRITABLE = (PTE_PRESENT | PTE_USER | PTE_RW) as Pgprot;

function* takeAndFree(): Op<SwpEntry> {
  const entry = yield* getSwapPage();
  if (entry === NULL) throw new RangeError('the swap area is full');
  yield* swapFree(entry);
  return entry;
}

/** What the second thread of the child, the parent and reclaim do meanwhile, in the one order that matters. */
interface Family extends ProcessWithArea, SwappedPage {
  /** What the child's second thread copies to. */
  readonly copy: Ptr<Page>;
}
interface FoundFamily extends Family {
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
  yield* getPage(swapped.page); // The other threads', who have found it.
  return { ...process, ...swapped, copy: yield* newPage(2) };
}

function* bootFoundFamily(): Op<FoundFamily> {
  const family = yield* bootFamily();
  const found = yield* lookUpSwapPage(family);
  if (found === NULL) throw new RangeError('the page is not in the swap cache');
  return { ...family, found };
}

/** The first thread's fault, when it has the page. */
const mapFound = ({ mm, vma, ptep, entry }: Family, { orig, page }: FoundPage): Op<number> =>
  doFoundSwapPage({ mm, vma, address: ADDRESS, write: false, pte: ptep, origPte: orig }, entry, page);

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
  return scenario<FoundFamily>({
    ...declared,
    properties: ['I1', 'I5', 'I12'],
    setup: bootFoundFamily,
    threads: { fault: (family) => mapFound(family, family.found), others },
    *finally({ ptep, page }, { results, reach }) {
      const mapped = mappedPage(ptep) === page;
      assertThat(!(results.others === true && mapped), 'a fault after the write maps the page that was written');
      reach(mapped ? 'fault first' : 'fault repeated');
    },
    mustReach: ['fault first', 'fault repeated'],
  });
}

/** The page has left the swap cache before the copy takes its place there. */
function* writeAndSwapOut(family: Family): Op<boolean> {
  if (!(yield* writeBoth(family))) return false;
  yield* unlockPage(family.page);
  yield* swapCopyOut(family);
  return true;
}

/** {@link swapInIdentity} from the lookup on, whose reference is a speculative one. What is not in the swap cache any more would be read: that is left out. */
const fromLookup: Scenario = scenario<Family>({
  name: 'swap-in-from-lookup',
  facts: ['A18', 'A17'],
  summary:
    'a fault looks a page up in the swap cache by its entry, while the page leaves it, and its place goes to another page of the same address',
  source: '4969c1192d15 "mm: fix swapin race condition" (2.6.36)',
  properties: ['I1', 'I3', 'I5', 'I12'],
  setup: bootFamily,
  threads: {
    *fault(family) {
      const found = yield* lookUpSwapPage(family);
      if (found === NULL) return 'not found';
      yield* mapFound(family, found);
      return found.page === family.page ? 'found' : 'found the copy';
    },
    others: writeAndSwapOut,
  },
  *finally({ ptep, page, copy }, { results, reach }) {
    const mapped = mappedPage(ptep);
    assertThat(!(results.others === true && mapped === page), 'a fault after the write maps the page that was written');
    reach(`${results.fault}, ${mapped === page ? 'mapped' : mapped === copy ? 'mapped the copy' : 'not mapped'}`);
  },
  mustReach: ['found, mapped', 'found, not mapped', 'not found, not mapped'],
  guards: [
    always('doSwapPage.swapCacheRecheck', 'assertion'),
    // The look at the page under its lock says more than the look at its slot.
    notNeeded('findGetPage.slotRecheck'),
    whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
  ],
});

export const swapInScenarios: readonly Scenario[] = [
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
    writeAndSwapOut,
  ),
  fromLookup,
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
