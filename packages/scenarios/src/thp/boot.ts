// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { atomicSet, GFP_COMP, GFP_KERNEL, kmemCacheAlloc, load, NULL, store } from '@lockless/cpu';
import {
  configureHugePages,
  doHugePmdAnonymousPage,
  hugePagesInit,
  nthPage,
  type TailDesign,
} from '@lockless/huge-memory';
import {
  type MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  allocPages,
  freeAreaInit,
  modZonePageState,
  NR_ANON_TRANSPARENT_HUGEPAGES,
  pageCount,
  pfnToPage,
} from '@lockless/page';
import { bootRcuEvents } from '@lockless/rcu';
import { findVmaPrepare, mmAlloc, type Pte, pmdAlloc, ptePfn, vmAreaCachep, vmaLink } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { given } from '../given.js';

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

/** A process with one area of two pages, which a huge page fills. */
export interface HugeArea {
  readonly mm: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  readonly pmd: Ref<Pte>;
  /** Mapped once, and in a pagevec. */
  readonly head: Ptr<Page>;
}

/** The same, with nothing mapped yet. All of it real. */
export function* bootAreaForHugePage(tails: TailDesign = 'tail-mapcount'): Op<Omit<HugeArea, 'head'>> {
  bootRcuEvents();
  yield* freeAreaInit({ pages: 16, nrCpus: 4, minFreeKbytes: 0 });
  hugePagesInit({ mode: 'always', order: 1, tails });
  const mm = given(yield* mmAlloc());
  const vma = given(yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL));
  yield* store(VmAreaStruct.vmMm(vma), mm);
  yield* store(VmAreaStruct.vmEnd(vma), 2);
  yield* store(VmAreaStruct.vmFlags(vma), VM_READ | VM_WRITE | VM_MAYWRITE);
  yield* vmaLink(mm, vma, yield* findVmaPrepare(mm, 0));
  return { mm, vma, pmd: given(yield* pmdAlloc(mm, 0)) };
}

/** {@link HugeArea}. */
export function* bootHugeArea(tails: TailDesign = 'tail-mapcount'): Op<HugeArea> {
  const area = yield* bootAreaForHugePage(tails);
  assertThat(
    (yield* doHugePmdAnonymousPage(area.mm, area.vma, 0, area.pmd)) === 'done',
    'there is memory for a huge page',
  );
  return { ...area, head: pfnToPage(ptePfn(yield* load(area.pmd))) };
}
