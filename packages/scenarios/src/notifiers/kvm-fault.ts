// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { NULL, omitGuards, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import { enterGuest, exitGuest, sptepOf } from '@lockless/kvm';
import { adoptMm, ERA_MM, mmOptionsInit } from '@lockless/mm';
import { Page } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { pageCount, pfnToPage, putPage } from '@lockless/page';
import {
  PTE_NONE,
  pageRemoveRmap,
  pteLockptr,
  pteNone,
  ptePfn,
  ptepClearFlushNotify,
  readPte,
  zapPageRange,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded, whereStoresWait } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { ADDRESS } from './boot.js';
import { assertNoFreePage, bootGuest, faultOnce, type Guest } from './guest.js';

/* A guest's fault against an invalidation of its page. The shadow entry holds no reference: all depends on the two numbers. */

const SOURCE = 'e930bffe95 "KVM: Synchronize guest physical memory map to host virtual memory map" (2.6.27)';

/** try_to_unmap_one() and do_wp_page(): one entry, its lock held, and then the reference. */
function* invalidateOnePage({ mm, ptep, page }: Guest): Op<void> {
  yield* spinLock(pteLockptr(mm, ptep));
  yield* ptepClearFlushNotify(mm, ADDRESS, ptep);
  yield* pageRemoveRmap(page, ptep);
  yield* spinUnlock(pteLockptr(mm, ptep));
  yield* putPage(page);
}

const invalidateRange = ({ vma }: Guest): Op<unknown> => zapPageRange(vma, ADDRESS, ADDRESS + 1);

const faultAgainst = (
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source'> & { readonly guards: readonly GuardClaim[] },
  invalidate: (guest: Guest) => Op<unknown>,
  setup: () => Op<Guest> = () => bootGuest(true),
): Scenario =>
  scenario<Guest>({
    ...declared,
    properties: ['I12'],
    setup,
    threads: { invalidate, fault: faultOnce },
    *finally(guest, { results, reach }) {
      assertThat((yield* pageCount(guest.page)) === 0, 'the page is free');
      assertNoFreePage(guest);
      reach(results.fault === true ? 'installed' : 'retry, or no page, or taken away at once');
    },
    mustReach: ['installed', 'retry, or no page, or taken away at once'],
  });

/** The barrier between seq and the look-up. */
const RMB = 'tdpPageFault.smp_rmb';

const onePage: Scenario = faultAgainst(
  {
    name: 'guest-fault-vs-invalidate-page',
    facts: ['E4', 'seed 2'],
    summary: 'a guest installs a shadow entry for a page that reclaim takes from the process at the same time',
    source: SOURCE,
    guards: [
      always('mmuNotifierRetry.seq', 'assertion'),
      always('kvmMmuNotifier.seqUnderLock', 'assertion'),
      always('tdpPageFault.retryUnderLock', 'assertion'),
      // invalidate_page has no beginning and no end.
      notNeeded('mmuNotifierRetry.count'),
      // Each way to look the page up orders by itself, under a lock, by a full barrier or both: see retry-test-outside-lock for what it is for.
      notNeeded(RMB),
    ],
  },
  invalidateOnePage,
);

const range: Scenario = faultAgainst(
  {
    name: 'guest-fault-vs-invalidate-range',
    facts: ['E4', 'seed 2'],
    summary: 'a guest installs a shadow entry for a page that madvise() takes from the process at the same time',
    source: SOURCE,
    guards: [
      always('mmuNotifierRetry.count', 'assertion'),
      always('mmuNotifierRetry.seq', 'assertion'),
      always('kvmMmuNotifier.seqUnderLock', 'assertion'),
      always('tdpPageFault.retryUnderLock', 'assertion'),
      notNeeded(RMB),
    ],
  },
  invalidateRange,
);

/** get_user_pages_fast() of a build where a flush sends no interrupts: nothing of it is a barrier until it has the reference. */
function* bootSpeculative(): Op<Guest> {
  const guest = yield* bootGuest(true);
  omitGuards(['getUserPagesFast.irqsOff']);
  yield* mmOptionsInit({ ...ERA_MM, gupSpeculative: 1 });
  return guest;
}

const speculative: Scenario = faultAgainst(
  {
    name: 'guest-fault-by-speculative-walk',
    facts: ['E4'],
    summary:
      'as guest-fault-vs-invalidate-page, where the process’s entry is looked at without lock, barrier or interrupts off',
    source: `${SOURCE}; arch/powerpc/mm/gup.c`,
    guards: [
      always('mmuNotifierRetry.seq', 'assertion'),
      // The reference is taken by a full barrier, and the entry looked at again after it.
      notNeeded(RMB),
    ],
  },
  invalidateOnePage,
  bootSpeculative,
);

/** *Returns* the count of the page that the guest has, as it uses it; null when it has none. *Context*: in the guest. */
function* useShadowEntry({ kvm }: Guest): Op<number | null> {
  const sptep = yield* sptepOf(kvm, 0);
  const spte = sptep === NULL ? PTE_NONE : yield* readPte(sptep);
  return pteNone(spte) ? null : yield* readOnce(Page._count(pfnToPage(ptePfn(spte))));
}

const flushedUnderLock: Scenario = scenario<Guest>({
  name: 'guest-access-vs-two-invalidations',
  facts: ['E4'],
  summary:
    'a CPU is in the guest and uses a page while one invalidation takes the shadow entry away and another, which finds none, frees the page',
  source: 'Takuya Yoshikawa, "KVM: mmu_notifier: Flush TLBs before releasing mmu_lock" (3.4)',
  properties: ['I12'],
  *setup() {
    const guest = yield* bootGuest(true);
    yield* faultOnce(guest);
    return guest;
  },
  threads: {
    *protect({ mm }) {
      yield* mmuNotifierInvalidateRangeStart(mm, ADDRESS, ADDRESS + 1);
      yield* mmuNotifierInvalidateRangeEnd(mm, ADDRESS, ADDRESS + 1);
    },
    reclaim: invalidateOnePage,
    *guest(guest) {
      yield* adoptMm(guest.mm);
      yield* enterGuest(guest.vcpu);
      const used = yield* useShadowEntry(guest);
      yield* exitGuest(guest.vcpu);
      return used;
    },
  },
  *finally({ page }, { results, reach }) {
    assertThat((yield* pageCount(page)) === 0, 'the page is free');
    assertThat(results.guest !== 0, 'a page that the guest uses is not free');
    reach(results.guest === null ? 'came late' : 'used');
  },
  mustReach: ['came late', 'used'],
  guards: [always('kvmMmuNotifier.flushUnderLock', 'assertion'), whereStoresWait('enterGuest.smp_mb', 'assertion')],
});

export const kvmFaultScenarios: readonly Scenario[] = [onePage, range, speculative, flushedUnderLock];
