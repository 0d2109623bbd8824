// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Ptr, Ref } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import {
  AddressSpace,
  Anonhd,
  Anonmm,
  AnonVma,
  File,
  MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  VM_NONLINEAR,
  VmAreaStruct,
} from '@lockless/mm-types';
import { chainedEntries, headOf, mapcountOf, memMapPages, pageToPfn, pfnToPage, pteUnionInUse } from '@lockless/page';
import type { Pte } from './pte.js';
import { ptePresent } from './pte.js';
import { vmNormalPage } from './pte-access.js';
import { showsSpecialPages } from './special-mapping.js';
import { anonVmaInUse } from './vma.js';
import { areasOf, listOf, treeOf, walkMm } from './walk-mm.js';

/*
 * What must hold of all address spaces of a machine at rest: no CPU is inside a fault, a fork, an unmapping or reclaim. Each check
 * returns what is wrong in words, null when nothing is. `mms` must be all of them.
 */

/** A named check. */
export interface RmapInvariant {
  readonly name: string;
  readonly check: (mms: readonly Ptr<MmStruct>[]) => string | null;
}

/** Areas: sorted and disjoint in the list, the same in the tree, the tree red-black, map_count right. */
export function checkAreas(mm: Ptr<MmStruct>): string | null {
  const areas = areasOf(mm);
  let end = 0;
  for (const area of areas) {
    if (area.start < end) return `area at page ${area.start} overlaps the one before, which ends at ${end}`;
    if (area.end <= area.start) return `area at page ${area.start} is empty`;
    if (peek(VmAreaStruct.vmMm(area.vma)) !== mm) return `area at page ${area.start} belongs to another mm`;
    end = area.end;
  }
  const tree = treeOf(mm);
  if (tree.broken !== null) return `mm_rb: ${tree.broken}`;
  if (tree.vmas.length !== areas.length || tree.vmas.some((vma, i) => vma !== areas[i]?.vma)) {
    return `the list has ${areas.length} areas, the tree ${tree.vmas.length}, and they are not the same`;
  }
  const count = peek(MmStruct.mapCount(mm));
  return count === areas.length ? null : `map_count is ${count}, areas are ${areas.length}`;
}

/** Counters: file_rss and anon_rss are the present entries, nr_ptes the pte tables; and no entry is outside every area. */
export function checkCounters(mm: Ptr<MmStruct>): string | null {
  const seen = { file: 0, anon: 0 };
  let stray: string | null = null;
  const tables = walkMm(mm, (vpage, pte, vma) => {
    if (vma === NULL) stray ??= `an entry at page ${vpage}, where there is no area`;
    const page = mappedPage(pte);
    if (page !== NULL) seen[isAnon(page) ? 'anon' : 'file']++;
  });
  if (stray !== null) return stray;
  const fileRss = peek(MmStruct.fileRss(mm));
  const anonRss = peek(MmStruct.anonRss(mm));
  const nrPtes = peek(MmStruct.nrPtes(mm));
  if (fileRss !== seen.file) return `file_rss is ${fileRss}, mapped file pages are ${seen.file}`;
  if (anonRss !== seen.anon) return `anon_rss is ${anonRss}, mapped anonymous pages are ${seen.anon}`;
  return nrPtes === tables ? null : `nr_ptes is ${nrPtes}, pte tables are ${tables}`;
}

/** I9, first half: the mapcount of each page is the number of entries that map it. */
export function checkMapcounts(mms: readonly Ptr<MmStruct>[]): string | null {
  const entries = new Map<number, number>();
  for (const mm of mms) {
    walkMm(mm, (_vpage, pte) => {
      const page = mappedPage(pte);
      if (page !== NULL) entries.set(page, (entries.get(page) ?? 0) + 1);
    });
  }
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    const mapcount = mapcountOf(page);
    const mapped = entries.get(page) ?? 0;
    if (mapcount !== mapped) return `page ${pfn}: mapcount is ${mapcount}, entries are ${mapped}`;
    const count = peek(Page._count(headOf(page)));
    if (mapped > count) return `page ${pfn}: ${mapped} entries, but _count is ${count}`;
  }
  return null;
}

/**
 * I9, second half: every entry is found: that of a page with a chain in it, else that of an anonymous page through its anon_vma or its family of
 * address spaces, every other one through i_mmap of its mapping.
 */
export function checkRmapComplete(mms: readonly Ptr<MmStruct>[]): string | null {
  for (const mm of mms) {
    let missed: string | null = null;
    walkMm(mm, (vpage, pte, vma, ptep) => {
      const page = mappedPage(pte);
      if (missed !== null || page === NULL || vma === NULL) return;
      const chained = pteUnionInUse() ? chainedEntries(page) : null;
      const why = chained === null ? whyNotFound(page, vma, vpage) : whyNotChained(chained, ptep);
      if (why !== null)
        missed = `page ${pageToPfn(page)} at page ${vpage} of process ${peek(MmStruct.ownerPid(mm))}: ${why}`;
    });
    if (missed !== null) return missed;
  }
  return null;
}

/** With {@link checkMapcounts}, which counts the chain, this says that it lists the entries and nothing else. */
const whyNotChained = (chained: readonly number[], ptep: Ref<Pte>): string | null =>
  chained.includes(ptep) ? null : `not among the ${chained.length} entries of its chain`;

/** Its address and its family lead to the entry. */
function whyNotInFamily(page: Ptr<Page>, mm: Ptr<MmStruct>, vpage: number): string | null {
  if (peek(Page.index(page)) !== vpage) return `page->index says page ${peek(Page.index(page))}`;
  const anonmm = peek(MmStruct.anonmm(mm));
  const family = peek(Page.mapping(page)) - PAGE_MAPPING_ANON;
  if (anonmm === NULL || peek(Anonmm.head(anonmm)) !== family) return 'its address space is of another family';
  const found = listOf(Anonhd.mms(family as Ptr<Anonhd>), Anonmm.$offset.list ?? 0).includes(anonmm);
  return found ? null : 'its address space is not on the list of its family';
}

function whyNotFound(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, vpage: number): string | null {
  if (isAnon(page) && !anonVmaInUse()) return whyNotInFamily(page, peek(VmAreaStruct.vmMm(vma)), vpage);
  // Nobody ever looks for who maps those.
  if (showsSpecialPages(vma) && peek(Page.mapping(page)) === NULL) return null;
  const head = headOf(page);
  const nonlinear = (peek(VmAreaStruct.vmFlags(vma)) & VM_NONLINEAR) !== 0;
  const index = peek(Page.index(head)) + (pageToPfn(page) - pageToPfn(head));
  const expected = peek(VmAreaStruct.vmStart(vma)) + index - peek(VmAreaStruct.vmPgoff(vma));
  if (!nonlinear && expected !== vpage) return `page->index leads to page ${expected}`;
  const mapping = peek(Page.mapping(head));
  if (isAnon(page)) {
    const anonVma = (mapping - PAGE_MAPPING_ANON) as Ptr<AnonVma>;
    const found = listOf(AnonVma.head(anonVma), VmAreaStruct.$offset.anonVmaNode ?? 0).includes(vma);
    return found ? null : 'its area is not on the list of its anon_vma';
  }
  const file = peek(VmAreaStruct.vmFile(vma));
  if (mapping === NULL) return 'mapped, but no mapping: truncated or invalidated under the entry';
  if (file === NULL || peek(File.mapping(file)) !== mapping) return 'its area maps another file';
  if (nonlinear && expected !== vpage && !anonVmaInUse()) return 'counted, but not at its linear place';
  const list = AddressSpace[nonlinear ? 'iMmapNonlinear' : 'iMmap'](mapping as Ptr<AddressSpace>);
  const found = listOf(list, VmAreaStruct.$offset.shared ?? 0).includes(vma);
  return found ? null : `its area is not on ${nonlinear ? 'i_mmap_nonlinear' : 'i_mmap'} of its file`;
}

/** The areas on the list of an anon_vma are exactly those that name it. */
export function checkAnonVmaLists(mms: readonly Ptr<MmStruct>[]): string | null {
  const members = new Map<Ptr<AnonVma>, Ptr<VmAreaStruct>[]>();
  for (const { vma } of mms.flatMap(areasOf)) {
    const anonVma = peek(VmAreaStruct.anonVma(vma));
    if (anonVma !== NULL) members.set(anonVma, [...(members.get(anonVma) ?? []), vma]);
  }
  for (const [anonVma, vmas] of members) {
    const listed = listOf(AnonVma.head(anonVma), VmAreaStruct.$offset.anonVmaNode ?? 0);
    if (listed.length !== vmas.length || vmas.some((vma) => !listed.includes(vma))) {
      return `an anon_vma lists ${listed.length} areas, ${vmas.length} name it`;
    }
  }
  return null;
}

const mappedPage = (pte: Pte): Ptr<Page> | Null => (ptePresent(pte) ? vmNormalPage(NULL, 0, pte) : NULL);
const isAnon = (page: Ptr<Page>): boolean => (peek(Page.mapping(headOf(page))) & PAGE_MAPPING_ANON) !== 0;

const ofEach =
  (check: (mm: Ptr<MmStruct>) => string | null) =>
  (mms: readonly Ptr<MmStruct>[]): string | null => {
    for (const mm of mms) {
      const wrong = check(mm);
      if (wrong !== null) return `process ${peek(MmStruct.ownerPid(mm))}: ${wrong}`;
    }
    return null;
  };

/** All of them, for a tool to run one after the other. */
export const rmapInvariants: readonly RmapInvariant[] = [
  { name: 'areas-consistent', check: ofEach(checkAreas) },
  { name: 'rss-equals-entries', check: ofEach(checkCounters) },
  { name: 'mapcount-equals-entries', check: checkMapcounts },
  { name: 'rmap-finds-every-entry', check: checkRmapComplete },
  { name: 'anon-vma-lists-its-areas', check: checkAnonVmaLists },
];
