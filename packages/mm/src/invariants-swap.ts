// SPDX-License-Identifier: GPL-2.0-only
import { ListHead, type Ptr, peek } from '@lockless/cpu';
import { AddressSpace, MmStruct, Page, PG_LOCKED, PG_SWAPCACHE, PG_WRITEBACK } from '@lockless/mm-types';
import { pageToPfn } from '@lockless/page';
import { cachedPages, swapAreas, swapPlaces, swapperSpace } from '@lockless/pagecache';
import { isSwapPte, nonSwapEntry, pteToSwpEntry, type SwpEntry, swpOffset, swpType, walkMm } from '@lockless/rmap';
import { shmemSwapped } from './shmem-unuse.js';

/* What must hold of swap on a machine at rest. Each function says what is wrong, or null. */

const place = (entry: SwpEntry): string => `place ${swpOffset(entry)} of swap area ${swpType(entry)}`;

/** Places that the page tables name, and how often; and what is wrong with an mm's own account of them. */
function entriesOf(mms: readonly Ptr<MmStruct>[]): { entries: Map<SwpEntry, number>; wrong: string | null } {
  const entries = new Map<SwpEntry, number>();
  let wrong: string | null = null;
  for (const mm of mms) {
    let own = 0;
    walkMm(mm, (_vpage, pte) => {
      if (!isSwapPte(pte) || nonSwapEntry(pteToSwpEntry(pte))) return;
      const entry = pteToSwpEntry(pte);
      entries.set(entry, (entries.get(entry) ?? 0) + 1);
      own++;
    });
    const who = `process ${peek(MmStruct.ownerPid(mm))}`;
    const counted = peek(MmStruct.swapents(mm));
    const node = MmStruct.mmlist(mm);
    if (counted !== own) wrong ??= `${who}: swapents is ${counted}, swap entries are ${own}`;
    if (own > 0 && peek(ListHead.next(node)) === node)
      wrong ??= `${who} has swap entries, and swapoff would not find it`;
  }
  return { entries, wrong };
}

/** Each place has as many users as page-table entries and files in memory name it, and one for the swap cache; and the account of free places is right. */
export function swapMapAgrees(mms: readonly Ptr<MmStruct>[]): string | null {
  const { entries, wrong } = entriesOf(mms);
  if (wrong !== null) return wrong;
  for (const { entry } of shmemSwapped()) entries.set(entry, (entries.get(entry) ?? 0) + 1);
  for (const { index } of cachedPages(swapperSpace))
    entries.set(index as SwpEntry, (entries.get(index as SwpEntry) ?? 0) + 1);
  const areas = swapAreas();
  const users = new Map(areas.flatMap((area) => [...area.users]));
  for (const entry of new Set([...entries.keys(), ...users.keys()])) {
    const counted = users.get(entry) ?? 0;
    const named = entries.get(entry) ?? 0;
    if (counted !== named) return `${place(entry)}: swap_map is ${counted}, entries and cache are ${named}`;
  }
  const active = areas.filter((area) => area.active);
  const free = active.reduce((sum, area) => sum + area.places - area.users.size, 0);
  return swapPlaces().free === free ? null : `nr_swap_pages is ${swapPlaces().free}, free places are ${free}`;
}

/** Pages of the swap cache know where they are, and are at rest. */
export function swapCacheIsTidy(): string | null {
  const pages = cachedPages(swapperSpace);
  const nrpages = peek(AddressSpace.nrpages(swapperSpace));
  if (pages.length !== nrpages) return `swapper_space: nrpages is ${nrpages}, pages in the tree ${pages.length}`;
  for (const { index, page } of pages) {
    const flags = peek(Page.flags(page));
    const flag = (bit: number): boolean => (flags & (1 << bit)) !== 0;
    const who = `page ${pageToPfn(page)} at ${place(index as SwpEntry)}`;
    if (!flag(PG_SWAPCACHE)) return `${who} does not say that it is in the swap cache`;
    if (peek(Page.private(page)) !== index) return `${who}: page_private is ${peek(Page.private(page))}`;
    if (peek(Page._count(page)) < 1) return `${who} is left frozen`;
    if (flag(PG_LOCKED)) return `${who} is left locked`;
    if (flag(PG_WRITEBACK)) return `${who} is left under writeback`;
  }
  return null;
}
