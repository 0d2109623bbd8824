// SPDX-License-Identifier: GPL-2.0-only
import { ListHead, NR_CPUS, NULL, type Ptr, peek } from '@lockless/cpu';
import {
  type AddressSpace,
  File,
  Inode,
  MmStruct,
  PAGE_MAPPING_ANON,
  PAGE_SIZE,
  Page,
  PG_DIRTY,
  PG_HEAD,
  PG_PRIVATE,
  PG_RESERVED,
  PG_SWAPCACHE,
  VM_NONLINEAR,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  FreeArea,
  freeArea,
  headOf,
  MAX_ORDER,
  memMapPages,
  PerCpuPages,
  pageToPfn,
  perCpuPages,
  pfnToPage,
  zonePageState,
} from '@lockless/page';
import { accountsDirty, cachedPages, pageCacheIsTidy, pagesLeftBusy, swapperSpace } from '@lockless/pagecache';
import { areasOf, ptePfn, ptePresent, rmapInvariants, vmNormalPage, walkMm } from '@lockless/rmap';
import { swapCacheIsTidy, swapMapAgrees } from './invariants-swap.js';
import { specialPages } from './special-mapping.js';

/*
 * What must hold of a machine at rest: after `shutdown()`, with no task inside the kernel. Looked at from outside, without an access.
 */

/** Everything that can refer to a page frame. */
export interface Universe {
  /** All address spaces that exist. */
  readonly mms: readonly Ptr<MmStruct>[];
  /** All inodes that exist; those of files that an area maps may be left out. */
  readonly inodes: readonly Ptr<Inode>[];
  /** Frames that somebody outside holds, and how often: tests that keep a reference. */
  readonly held?: ReadonlyMap<Ptr<Page>, number>;
}

export interface MmInvariant {
  readonly name: string;
  /** What is wrong, or null. */
  readonly check: (universe: Universe) => string | null;
}

const PAGE_LRU_OFFSET = Page.$offset.lru ?? 0;

function* listPages(head: Ptr<ListHead>): Generator<Ptr<Page>> {
  for (let at = peek(ListHead.next(head)); at !== head; at = peek(ListHead.next(at)))
    yield (at - PAGE_LRU_OFFSET) as Ptr<Page>;
}

/** Frames that the allocator has: free blocks and the lists of CPUs. A frame that is there twice comes twice. */
export function freeFrames(): number[] {
  const frames: number[] = [];
  for (let order = 0; order < MAX_ORDER; order++) {
    for (const page of listPages(FreeArea.freeList(freeArea(order)))) {
      for (let i = 0; i < 1 << order; i++) frames.push(pageToPfn(page) + i);
    }
  }
  for (let cpu = 0; cpu < NR_CPUS; cpu++) {
    const list = PerCpuPages.list(perCpuPages(cpu));
    if ((peek(ListHead.next(list)) as number) === 0) continue;
    for (const page of listPages(list)) frames.push(pageToPfn(page));
  }
  return frames;
}

interface Holders {
  cache: number;
  entries: number;
  outside: number;
  /** The frame has a count of its own: it is no tail. */
  counted: boolean;
}
const nobody = (): Holders => ({ cache: 0, entries: 0, outside: 0, counted: true });

/** The mappings of all inodes, those that only an area knows included: shared anonymous memory, unlinked files. */
function mappingsOf({ inodes, mms }: Universe): Ptr<AddressSpace>[] {
  const mappings = new Set(inodes.map((inode) => Inode.data(inode)));
  for (const { vma } of mms.flatMap(areasOf)) {
    const file = peek(VmAreaStruct.vmFile(vma));
    if (file !== NULL) mappings.add(peek(File.mapping(file)));
  }
  return [...mappings];
}

function holdersOf(universe: Universe): Map<number, Holders> {
  const holders = new Map<number, Holders>();
  const of = (page: Ptr<Page>): Holders => {
    const found = holders.get(page) ?? nobody();
    holders.set(page, found);
    return found;
  };
  for (const mapping of [swapperSpace, ...mappingsOf(universe)])
    for (const { page } of cachedPages(mapping)) of(page).cache += 1;
  for (const mm of universe.mms) {
    walkMm(mm, (vpage, pte) => {
      if (!ptePresent(pte)) return;
      const page = vmNormalPage(0, vpage, pte);
      if (page === 0) return;
      of(page).entries += 1;
      // Its references are the head's.
      if (headOf(page) !== page) of(page).counted = false;
    });
  }
  for (const [page, count] of universe.held ?? []) of(page).outside += count;
  for (const page of specialPages()) of(page).outside += 1;
  return holders;
}

/** I3: each frame's count is the number of its holders: the cache, page table entries, private data, and nobody else. */
function referencesConserved(universe: Universe): string | null {
  const holders = holdersOf(universe);
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    const flags = peek(Page.flags(page));
    // Nobody counts those, but the pages of special mappings.
    if ((flags & (1 << PG_RESERVED)) !== 0 && !holders.has(page)) continue;
    const { cache, entries, outside, counted } = holders.get(page) ?? nobody();
    const own = (flags & (1 << PG_PRIVATE)) !== 0 && cache > 0 ? 1 : 0;
    const count = peek(Page._count(page));
    const expected = counted ? cache + entries + outside + own : 0;
    if (count !== expected) {
      return `page ${pfn}: _count is ${count}; holders are ${cache} cache, ${entries} entries, ${own} private, ${outside} outside`;
    }
  }
  return null;
}

/** I4 and "no page lost": each frame is free, once, or in use; never both, never neither. */
function noFrameLost(universe: Universe): string | null {
  const holders = holdersOf(universe);
  const free = new Set<number>();
  for (const pfn of freeFrames()) {
    if (free.has(pfn)) return `page ${pfn} is on the free lists twice`;
    free.add(pfn);
  }
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    if ((peek(Page.flags(page)) & (1 << PG_RESERVED)) !== 0) continue;
    const used = holders.has(page);
    if (used && free.has(pfn)) return `page ${pfn} is free and in use`;
    if (!used && !free.has(pfn))
      return `page ${pfn} is lost: not free, and nobody has it (_count ${peek(Page._count(page))})`;
  }
  return null;
}

/** Dirty, and neither in the swap cache nor of a file in memory. */
function isCountedDirty(page: Ptr<Page>): boolean {
  if ((peek(Page.flags(page)) & ((1 << PG_DIRTY) | (1 << PG_SWAPCACHE))) !== 1 << PG_DIRTY) return false;
  const mapping = peek(Page.mapping(page));
  return mapping === 0 || (mapping & PAGE_MAPPING_ANON) !== 0 || accountsDirty(mapping as Ptr<AddressSpace>);
}

/** The zone's counters of pages in use agree with the pages. */
function countersAgree(universe: Universe): string | null {
  const state = zonePageState();
  const counted = { nr_file_pages: 0, nr_anon_pages: 0, nr_anon_transparent_hugepages: 0, nr_mapped: 0, nr_dirty: 0 };
  for (const [address, { cache, entries, counted: single }] of holdersOf(universe)) {
    const page = address as Ptr<Page>;
    const anon = (peek(Page.mapping(headOf(page))) & PAGE_MAPPING_ANON) !== 0;
    counted.nr_file_pages += cache;
    if (entries > 0 && single) {
      const isHead = (peek(Page.flags(page)) & (1 << PG_HEAD)) !== 0;
      counted[isHead ? 'nr_anon_transparent_hugepages' : anon ? 'nr_anon_pages' : 'nr_mapped'] += 1;
    }
    if (cache > 0 && isCountedDirty(page)) counted.nr_dirty += 1;
  }
  for (const name of Object.keys(counted) as (keyof typeof counted)[]) {
    if (state[name] !== counted[name]) return `${name} is ${state[name]}, counted ${counted[name]}`;
  }
  return null;
}

/** C2: no entry, of a private copy either, shows a page beyond the end of its file. */
function nothingBeyondTheEnd({ mms }: Universe): string | null {
  for (const mm of mms) {
    let beyond: string | null = null;
    walkMm(mm, (vpage, pte, vma) => {
      const file = vma === NULL ? NULL : peek(VmAreaStruct.vmFile(vma));
      if (!ptePresent(pte) || vma === NULL || file === NULL) return;
      const linear = vpage - peek(VmAreaStruct.vmStart(vma)) + peek(VmAreaStruct.vmPgoff(vma));
      const nonlinear = (peek(VmAreaStruct.vmFlags(vma)) & VM_NONLINEAR) !== 0;
      const index = nonlinear ? peek(Page.index(pfnToPage(ptePfn(pte)))) : linear;
      const inode = peek(File.inode(file));
      if (index * PAGE_SIZE < peek(Inode.size(inode))) return;
      beyond ??= `process ${peek(MmStruct.ownerPid(mm))}: page ${vpage} shows page ${index} of inode ${peek(Inode.ino(inode))}, beyond its end`;
    });
    if (beyond !== null) return beyond;
  }
  return null;
}

/** No address space is without users, no lock of one is held, and total_vm is the size of its areas. */
function mmsAtRest({ mms }: Universe): string | null {
  for (const mm of mms) {
    const who = `process ${peek(MmStruct.ownerPid(mm))}`;
    if (peek(MmStruct.mmUsers(mm)) < 1) return `${who}: mm_users is ${peek(MmStruct.mmUsers(mm))}`;
    if (peek(MmStruct.pageTableLock(mm)) !== 0) return `${who}: page_table_lock is held`;
    const pages = areasOf(mm).reduce((sum, { start, end }) => sum + end - start, 0);
    if (peek(MmStruct.totalVm(mm)) !== pages)
      return `${who}: total_vm is ${peek(MmStruct.totalVm(mm))}, areas have ${pages} pages`;
  }
  return null;
}

/** All of them: of reference counts and frames, of the page cache, of the reverse mapping. */
export const mmInvariants: readonly MmInvariant[] = [
  { name: 'references-conserved', check: referencesConserved },
  { name: 'no-frame-lost', check: noFrameLost },
  { name: 'zone-counters-agree', check: countersAgree },
  { name: 'nothing-beyond-the-end', check: nothingBeyondTheEnd },
  { name: 'address-spaces-at-rest', check: mmsAtRest },
  { name: 'page-cache-tidy', check: (universe) => pageCacheIsTidy(mappingsOf(universe)) },
  { name: 'swap-map-agrees', check: ({ mms }) => swapMapAgrees(mms) },
  { name: 'swap-cache-tidy', check: () => swapCacheIsTidy() },
  { name: 'no-page-left-busy', check: (universe) => pagesLeftBusy(mappingsOf(universe)) },
  ...rmapInvariants.map(({ name, check }) => ({ name, check: ({ mms }: Universe) => check(mms) })),
];

/** The first broken one, as `name: what`; null when all hold. */
export function checkMmInvariants(universe: Universe): string | null {
  for (const { name, check } of mmInvariants) {
    const wrong = check(universe);
    if (wrong !== null) return `${name}: ${wrong}`;
  }
  return null;
}
