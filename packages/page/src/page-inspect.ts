// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { containerOf, ListHead, NR_CPUS, peek } from '@lockless/cpu';
import {
  Page,
  PG_ACTIVE,
  PG_BUDDY,
  PG_HEAD,
  PG_HWPOISON,
  PG_LRU,
  PG_RESERVED,
  PG_SWAPBACKED,
  PG_TAIL,
} from '@lockless/mm-types';
import { orderOf } from './compound-page.js';
import {
  FreeArea,
  freeArea,
  LRU_ACTIVE,
  LRU_FILE,
  lruList,
  lruStat,
  MAX_ORDER,
  memMapPages,
  NR_LRU_LISTS,
  PerCpuPages,
  pageToPfn,
  perCpuPages,
  pfnToPage,
} from './mmzone.js';
import { mapcountOf } from './page-mapcount.js';
import { lruAddPagevec, Pagevec, rotatePagevec } from './pagevec.js';
import { deactivatePagevec } from './swap-deactivate.js';
import { zonePageState } from './vmstat.js';

/*
 * The frames, looked at from outside the machine. Each check says what is wrong, or null; exact when no CPU is inside the allocator or the
 * LRU lists at the moment.
 */

/** What a frame is used for. 'allocated' with PG_lru clear is in a pagevec, isolated, or not meant for the lists. */
export type FrameState = 'buddy' | 'pcp' | 'allocated' | 'reserved';

/** Elements of a list; stops after `limit`, so that a broken list ends too. */
function* pagesOn(head: Ptr<ListHead>, limit: number): Generator<Ptr<Page>> {
  let at = peek(ListHead.next(head));
  for (let i = 0; at !== head; i++) {
    if (i > limit) throw new Error(`list at word ${head} does not come back to its head`);
    yield containerOf(at, Page, 'lru');
    at = peek(ListHead.next(at));
  }
}

const flag = (page: Ptr<Page>, bit: number): boolean => (peek(Page.flags(page)) & (1 << bit)) !== 0;

/** Notes states; a frame that already has one has been found in two places. */
class Frames {
  readonly states: (FrameState | undefined)[] = new Array(memMapPages());
  complaint: string | null = null;

  claim(pfn: number, count: number, state: FrameState): void {
    for (let frame = pfn; frame < pfn + count; frame++) {
      if (this.states[frame] !== undefined)
        this.complaint ??= `frame ${frame} is ${this.states[frame]} and ${state} at the same time`;
      this.states[frame] = state;
    }
  }
}

function claimBuddyBlocks(frames: Frames): void {
  for (let order = 0; order < MAX_ORDER; order++) {
    let blocks = 0;
    for (const page of pagesOn(FreeArea.freeList(freeArea(order)), frames.states.length)) {
      const pfn = pageToPfn(page);
      if (!flag(page, PG_BUDDY) || peek(Page.private(page)) !== order)
        frames.complaint ??= `frame ${pfn} is on the free list of order ${order}; PG_buddy and private disagree`;
      frames.claim(pfn, 1 << order, 'buddy');
      blocks++;
    }
    const nrFree = peek(FreeArea.nrFree(freeArea(order)));
    if (blocks !== nrFree)
      frames.complaint ??= `free list of order ${order} has ${blocks} blocks, nr_free says ${nrFree}`;
  }
}

function claimPcpPages(frames: Frames): void {
  for (let cpu = 0; cpu < NR_CPUS; cpu++) {
    const pcp = perCpuPages(cpu);
    let count = 0;
    for (const page of pagesOn(PerCpuPages.list(pcp), frames.states.length)) {
      frames.claim(pageToPfn(page), 1, 'pcp');
      count++;
    }
    const said = peek(PerCpuPages.count(pcp));
    if (count !== said) frames.complaint ??= `CPU ${cpu} has ${count} free pages, its count says ${said}`;
  }
}

function classify(): Frames {
  const frames = new Frames();
  claimBuddyBlocks(frames);
  claimPcpPages(frames);
  for (let pfn = 0; pfn < frames.states.length; pfn++) {
    if (frames.states[pfn] === undefined)
      frames.states[pfn] = flag(pfnToPage(pfn), PG_RESERVED) ? 'reserved' : 'allocated';
  }
  return frames;
}

/** What each frame is used for, by frame number. */
export const frameStates = (): FrameState[] => classify().states as FrameState[];

function wrongFreePage(page: Ptr<Page>): string | null {
  const count = peek(Page._count(page));
  if (count !== 0) return `page_count is ${count}`;
  if (mapcountOf(page) !== 0) return `page_mapcount is ${mapcountOf(page)}`;
  if (peek(Page.mapping(page)) !== 0) return `page->mapping is ${peek(Page.mapping(page))}`;
  return flag(page, PG_LRU) ? 'PG_lru is set' : null;
}

/**
 * Each frame is in one place; free ones have no references, no mappings and are on no LRU list; a frame in use has a reference (a frozen
 * one is being removed by somebody, which does not happen at quiescence), unless its memory has failed.
 */
export function frameInvariant(): string | null {
  const { states, complaint } = classify();
  if (complaint !== null) return complaint;
  for (let pfn = 0; pfn < states.length; pfn++) {
    const page = pfnToPage(pfn);
    if (states[pfn] === 'buddy' || states[pfn] === 'pcp') {
      const wrong = wrongFreePage(page);
      if (wrong !== null) return `free frame ${pfn} (${states[pfn]}): ${wrong}`;
    } else if (!flag(page, PG_TAIL) && peek(Page._count(page)) < 1 && !flag(page, PG_HWPOISON)) {
      return `frame ${pfn} is lost: in no free list, page_count ${peek(Page._count(page))}`;
    }
  }
  return null;
}

/** The LRU lists hold pages in use, each on the list that its flags name, and all pages that have PG_lru. */
export function lruInvariant(): string | null {
  const states = frameStates();
  const listed = new Set<number>();
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
    for (const page of pagesOn(lruList(lru), states.length)) {
      const pfn = pageToPfn(page);
      const wrong = wrongOnList(page, lru, states[pfn]);
      if (wrong !== null) return `frame ${pfn} on LRU list ${lru}: ${wrong}`;
      if (listed.has(pfn)) return `frame ${pfn} is on two LRU lists`;
      listed.add(pfn);
    }
  }
  for (let pfn = 0; pfn < states.length; pfn++) {
    if (flag(pfnToPage(pfn), PG_LRU) && !listed.has(pfn)) return `frame ${pfn} has PG_lru and is on no list`;
  }
  return null;
}

function wrongOnList(page: Ptr<Page>, lru: number, state: FrameState): string | null {
  if (state !== 'allocated') return `it is ${state}`;
  if (!flag(page, PG_LRU)) return 'PG_lru is clear';
  if (flag(page, PG_ACTIVE) !== ((lru & LRU_ACTIVE) !== 0)) return 'PG_active disagrees';
  return flag(page, PG_SWAPBACKED) === (lru & LRU_FILE) > 0 ? 'PG_swapbacked disagrees' : null;
}

/** {@link hpageNrPages}, looked at from outside. */
const pagesCountedWith = (page: Ptr<Page>): number => (flag(page, PG_HEAD) ? 1 << peek(orderOf(page)) : 1);

/** Counters of the zone are the lengths of its lists. */
export function zoneCounterInvariant(): string | null {
  const counters = zonePageState();
  const names = Object.keys(counters) as (keyof typeof counters)[];
  const free = frameStates().filter((state) => state === 'buddy').length;
  if (counters.nr_free_pages !== free) return `nr_free_pages is ${counters.nr_free_pages}, free pages ${free}`;
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
    const length = [...pagesOn(lruList(lru), memMapPages())].reduce((sum, page) => sum + pagesCountedWith(page), 0);
    const name = names[lruStat(lru)];
    if (counters[name] !== length) return `${name} is ${counters[name]}, the list has ${length} pages`;
  }
  return null;
}

/** Frames that pagevecs hold a reference to, one entry for each: for tools that account for references. */
export function framesInPagevecs(): number[] {
  const pagevecs = Array.from({ length: NR_CPUS }, (_, cpu) => [
    rotatePagevec(cpu),
    deactivatePagevec(cpu),
    ...Array.from({ length: NR_LRU_LISTS }, (__, lru) => lruAddPagevec(cpu, lru)),
  ]).flat();
  return pagevecs.flatMap((pagevec) =>
    Array.from({ length: peek(Pagevec.nr(pagevec)) }, (_, i) => pageToPfn(peek(Pagevec.pages(pagevec, i)))),
  );
}
