// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { atomicAdd, configureKernel, GFP_KERNEL, kmemCacheAlloc, omitGuards, poke } from '@lockless/cpu';
import { nthPage, splitHugePageRefcount } from '@lockless/huge-memory';
import { installOrRetry, KvmVcpu, MMU_PAGE_CACHE, mmuPageCachep, sptesAgree } from '@lockless/kvm';
import { Page } from '@lockless/mm-types';
import { mmAllLocksInit, mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { disableVmEventCounters, getPageFoll, lruAddDrain, putPage } from '@lockless/page';
import { pmdpSplittingFlushNotify, zapPageRange } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, alwaysAt, notNeeded } from '../claims.js';
import { given } from '../given.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { assertCounts, bootHugeArea, type HugeArea } from '../thp/boot.js';
import { tails } from '../thp/tail-counts.js';
import { assertNoFreePage, bootGuestOf, faultOn, type InProcess, shadowed } from './guest.js';

/*
 * A guest's fault on the tail of a huge page of two pages, which gets an entry for both, against who splits the huge page, or takes it away. The reference of
 * the look-up is one to the tail, and becomes one to the head.
 */

const SERIES =
  'transparent_hugepage_adjust(), arch/x86/kvm/mmu.c, 3.1; Michel Lespinasse, "kvm: use get_page instead of get_page_unless_zero" (patch 5 of 9, 2011-08-19)';
/** The guest page that is the tail. */
const TAIL = 1;

interface HugeGuest extends HugeArea, InProcess {}

function* bootHugeGuest(): Op<HugeGuest> {
  configureKernel({ proveRcu: true });
  const area = yield* bootHugeArea(tails());
  disableVmEventCounters();
  yield* mmAllLocksInit();
  // On its list: its only reference is the process's.
  yield* lruAddDrain();
  return { ...area, ...(yield* bootGuestOf(area.mm, 0, 2, true)) };
}

const onTail = (guest: HugeGuest): Op<string> => faultOn(guest, TAIL);

/** {@link bootHugeGuest}, and the fault has looked its page up already: what is after that is what races. */
function* bootLookedUp(): Op<HugeGuest> {
  const guest = yield* bootHugeGuest();
  yield* getPageFoll(nthPage(guest.head, TAIL));
  for (let i = 0; i < MMU_PAGE_CACHE; i++)
    poke(KvmVcpu.mmuPageCache(guest.vcpu, i), given(yield* kmemCacheAlloc(mmuPageCachep, GFP_KERNEL)));
  return guest;
}

/** The fault, from there on. *Returns* what the guest has then. */
function* goOn({ head, kvm, vcpu }: HugeGuest): Op<string> {
  yield* installOrRetry(vcpu, { gfn: TAIL, page: nthPage(head, TAIL), huge: false }, 0, false);
  return yield* shadowed(kvm, TAIL);
}

/** The guest's entries are of pages that the process has at the same place. */
function assertAgrees(guest: HugeGuest): void {
  assertNoFreePage(guest);
  assertThat(sptesAgree(guest.kvm, true) === null, 'the guest has what the process has');
}

/** What a guest may notice of a split: not the page tables. *Context*: the reference on the head is the process's. */
function* split({ mm, pmd, head }: HugeGuest): Op<void> {
  yield* pmdpSplittingFlushNotify(mm, 0, pmd);
  yield* splitHugePageRefcount(head);
}

const splits: Scenario = scenario<HugeGuest>({
  name: 'guest-huge-fault-vs-split',
  facts: ['F2', 'seed 3'],
  summary:
    'a guest installs an entry for a huge page that is split at the same time: all its pages stay where they are, and the put of the tail knows of splits',
  source: SERIES,
  properties: ['I3', 'I12'],
  setup: bootLookedUp,
  threads: {
    split,
    fault: goOn,
  },
  *finally(guest, { results, reach }) {
    const { head } = guest;
    yield* assertCounts({ head, tail: nthPage(head, 1) }, 1, 1);
    assertAgrees(guest);
    reach(results.fault as string);
  },
  mustReach: ['huge'],
  guards: [
    alwaysAt('transparentHugepageAdjust.getPage', 'no-rcu-reader', 'getHead'),
    // The compound lock, and what is asked under it, is what keeps the reference apart from the split.
    always('putCompoundPage.tailRecheck', 'bad-page'),
    notNeeded('mmuNotifierRetry.seq'),
    notNeeded('mmuNotifierRetry.count'),
    notNeeded('pmdpSplittingFlush.notify'),
    notNeeded('tdpPageFault.adjustAfterRetry'),
    notNeeded('transparentHugepageAdjust.headFirst'),
    notNeeded('tailPins.mapcount'),
  ],
});

const zapWhole = ({ vma }: HugeGuest): Op<unknown> => zapPageRange(vma, 0, 2);

/** And what of madvise() of the first page. */
function* zapHead(guest: HugeGuest): Op<void> {
  const { mm, head } = guest;
  yield* mmuNotifierInvalidateRangeStart(mm, 0, 1);
  yield* split(guest);
  yield* atomicAdd(-1, Page._mapcount(head));
  yield* mmuNotifierInvalidateRangeEnd(mm, 0, 1);
  yield* putPage(head);
}

const zapAgainst = (
  declared: Pick<Scenario, 'name' | 'summary' | 'source'> & {
    readonly guards: readonly GuardClaim[];
    readonly mustReach: readonly string[];
  },
  zap: (guest: HugeGuest) => Op<unknown>,
  setup: () => Op<HugeGuest> = bootHugeGuest,
  fault: (guest: HugeGuest) => Op<string> = onTail,
): Scenario =>
  scenario<HugeGuest>({
    ...declared,
    facts: ['E4', 'seed 3'],
    properties: ['I3', 'I12'],
    setup,
    threads: { zap, fault },
    *finally(guest, { results, reach }) {
      assertNoFreePage(guest);
      reach(results.fault as string);
    },
  });

const whole: Scenario = zapAgainst(
  {
    name: 'guest-huge-fault-vs-zap',
    summary: 'a guest installs an entry for a huge page that madvise() takes from the process at the same time',
    source: SERIES,
    mustReach: ['huge', 'none'],
    guards: [
      always('mmuNotifierRetry.count', 'assertion'),
      always('mmuNotifierRetry.seq', 'assertion'),
      always('kvmHandleHva.hugeEntries', 'assertion'),
      // The reference to the tail keeps the head as well, as long as nobody splits them.
      notNeeded('tdpPageFault.adjustAfterRetry'),
      notNeeded('tdpPageFault.adjustUnderLock'),
      notNeeded('transparentHugepageAdjust.headFirst'),
    ],
  },
  zapWhole,
);

/** 3.1: the tail goes first, and nobody asks about RCU. */
function* bootAsIn31(): Op<HugeGuest> {
  const guest = yield* bootHugeGuest();
  configureKernel({ proveRcu: false });
  omitGuards(['transparentHugepageAdjust.headFirst', 'transparentHugepageAdjust.getPage']);
  return guest;
}

const asIn31: Scenario = zapAgainst(
  {
    name: 'guest-huge-fault-of-3.1',
    summary:
      'as guest-huge-fault-vs-zap, where the tail’s reference is given back before get_page_unless_zero() asks for one to the head',
    source: 'transparent_hugepage_adjust(), arch/x86/kvm/mmu.c, 3.1',
    mustReach: ['huge', 'none'],
    guards: [always('tdpPageFault.adjustAfterRetry', 'BUG'), always('tdpPageFault.adjustUnderLock', 'BUG')],
  },
  zapWhole,
  bootAsIn31,
);

const part: Scenario = zapAgainst(
  {
    name: 'guest-huge-fault-vs-zap-of-part',
    summary:
      'a guest installs an entry for a huge page of which madvise() takes the head from the process: it is split, and its head is free',
    source: SERIES,
    mustReach: ['huge', 'none'],
    guards: [
      always('mmuNotifierRetry.count', 'assertion'),
      always('kvmHandleHva.hugeEntries', 'assertion'),
      // Under mmu_lock the head is not freed: whoever does takes the lock between the mapping and its reference.
      notNeeded('tdpPageFault.adjustAfterRetry'),
      always('tdpPageFault.adjustUnderLock', 'VM_BUG'),
      notNeeded('transparentHugepageAdjust.headFirst'),
      notNeeded('pmdpSplittingFlush.notify'),
      // The page that was looked up is the process's still, and a huge page no more.
      notNeeded('mmuNotifierRetry.seq'),
    ],
  },
  zapHead,
  bootLookedUp,
  goOn,
);

export const hugeFaultScenarios: readonly Scenario[] = [splits, whole, asIn31, part];
