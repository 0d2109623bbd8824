// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicSet, GFP_COMP, GFP_KERNEL, NULL, store } from '@lockless/cpu';
import { configureHugePages, nthPage, type TailDesign } from '@lockless/huge-memory';
import { PAGE_MAPPING_ANON, Page } from '@lockless/mm-types';
import { allocPages, freeAreaInit, modZonePageState, NR_ANON_TRANSPARENT_HUGEPAGES, pageCount } from '@lockless/page';
import { bootRcuEvents } from '@lockless/rcu';
import { assertThat } from '../assertion.js';

/* Huge pages of two pages, a head and one tail. */

export interface HugePage {
  readonly head: Ptr<Page>;
  readonly tail: Ptr<Page>;
}

export function* bootHugePages(tails: TailDesign): Op<void> {
  bootRcuEvents(true);
  yield* freeAreaInit({ pages: 16, nrCpus: 4, minFreeKbytes: 0 });
  configureHugePages({ mode: 'always', order: 1, tails });
}

/** What a block is from its head's point of view when one address space maps it: mapped once, by one reference. */
export function* mapHugePage(head: Ptr<Page>): Op<void> {
  yield* atomicSet(Page._mapcount(head), 0);
  // Any anon_vma: none of these programs walks it.
  yield* store(Page.mapping(head), 0x100 + PAGE_MAPPING_ANON);
  yield* modZonePageState(NR_ANON_TRANSPARENT_HUGEPAGES, 1);
}

/** A huge page that is mapped once. */
export function* newHugePage(): Op<HugePage> {
  const head = yield* allocPages(GFP_KERNEL | GFP_COMP, 1);
  if (head === NULL) throw new RangeError('the scenario does not fit into its memory');
  yield* mapHugePage(head);
  return { head, tail: nthPage(head, 1) };
}

/** After a split: the head has the references of whoever maps it, the tail those and its pins. */
export function* assertCounts({ head, tail }: HugePage, ofHead: number, ofTail: number): Op<void> {
  const counts = `${yield* pageCount(head)} and ${yield* pageCount(tail)}`;
  assertThat(
    counts === `${ofHead} and ${ofTail}`,
    'head and tail count the references that there are, no more and no less',
  );
}
