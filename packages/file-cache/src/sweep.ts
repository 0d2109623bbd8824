// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek, poke } from '@lockless/cpu/native';
import {
  AddressSpace,
  type Bio,
  PAGECACHE_TAG_DIRTY,
  PAGECACHE_TAG_WRITEBACK,
  Page,
  PG_ACTIVE,
  PG_DIRTY,
  PG_LOCKED,
  PG_LRU,
  PG_UPTODATE,
  PG_WRITEBACK,
} from '@lockless/mm-types/native';
import type { NativeMachine } from '@lockless/native';
import {
  drainLocalPages,
  frameStates,
  freeHotColdPage,
  lruAddPagevec,
  memMapPages,
  modZonePageState,
  NR_ACTIVE_FILE,
  NR_FILE_DIRTY,
  NR_FILE_PAGES,
  NR_FREE_PAGES,
  NR_INACTIVE_FILE,
  NR_LRU_LISTS,
  NR_WRITEBACK,
  Pagevec,
  pfnToPage,
  rotatePagevec,
  wakeUpPage,
  type ZoneStatItem,
  type ZoneStatName,
  zonePageState,
} from '@lockless/page/native';
import { bioCachep, bioFree, cachedPages } from '@lockless/pagecache/native';
import { radixTreeDelete, radixTreeTagClear, radixTreeTagSet } from '@lockless/radix-tree/native';
import { allCpus, allMappings, expectedReferences } from './account.js';
import { sweepBeyondSize } from './beyond-size.js';
import { usedRecords } from './file-table.js';
import { endBytes, setTransferrer, transferrer } from './frames.js';
import { rebuildLruLists, repairCpuPages } from './lock-repairs.js';
import { sweepFiles, sweepNodes } from './objects.js';
import { maxThreads, recordAt } from './shared-words.js';

/*
 * After a thread died: everything is counted again. *Context* of all here: the other threads are stopped, so what they hold is in their tables, and page locks and
 * writebacks that go on are marked with who transfers the page.
 */

/** In the place of a thread's mark on pages that it transferred when it died: another may have its number by now. */
const DEAD = -1;

const has = (page: Ptr<Page>, bit: number): boolean => (peek(Page.flags(page)) & (1 << bit)) !== 0;
const set = (page: Ptr<Page>, bit: number): void => poke(Page.flags(page), peek(Page.flags(page)) | (1 << bit));
const clear = (page: Ptr<Page>, bit: number): void => poke(Page.flags(page), peek(Page.flags(page)) & ~(1 << bit));

/**
 * Ends locks and transfers of the dead: a page that was being read is not uptodate, one that was being written, to or from, is dirty again.
 *
 * An odd number of its bytes says that they were about to change, or had changed: that of a write stays odd until the page is uptodate and dirty (write.ts). A page that
 * was not uptodate holds no page's bytes. One that was holds what it held before, written or not, with the new piece or without it, as a copy into the frame is not
 * interrupted: so it stays, and goes to the storage.
 */
function endTransfer(page: Ptr<Page>): void {
  if (transferrer(page) > 0) return;
  if (transferrer(page) === DEAD) {
    poke(Page.private(page), 0);
    setTransferrer(page, 0);
  }
  if ((peek(Page.contentVersion(page)) & 1) !== 0) {
    endBytes(page);
    if (has(page, PG_UPTODATE)) set(page, PG_DIRTY);
  }
  if (has(page, PG_WRITEBACK)) {
    clear(page, PG_WRITEBACK);
    set(page, PG_DIRTY);
    wakeUpPage(page, PG_WRITEBACK);
  }
  if (has(page, PG_LOCKED)) {
    clear(page, PG_LOCKED);
    wakeUpPage(page, PG_LOCKED);
  }
}

/**
 * Drops pages that nobody will fill; makes tags fit flags, and the number of pages fit the tree. But the tag of a dirty page comes first: who writes a page out clears PG_dirty
 * (clear_page_dirty_for_io()), then sets PG_writeback, and only then clears the tag. In between nothing else says that the page is not on the disk.
 */
function sweepMapping(mapping: Ptr<AddressSpace>): void {
  const tree = AddressSpace.pageTree(mapping);
  for (const { page, index, tags } of cachedPages(mapping)) {
    poke(Page.mapping(page), mapping);
    poke(Page.index(page), index);
    if (!has(page, PG_UPTODATE) && !has(page, PG_LOCKED)) {
      clear(page, PG_DIRTY);
      radixTreeDelete(tree, index);
      poke(Page.mapping(page), 0);
      continue;
    }
    if ((tags & (1 << PAGECACHE_TAG_DIRTY)) !== 0) set(page, PG_DIRTY);
    for (const [bit, tag] of TAGS) {
      if (has(page, bit)) radixTreeTagSet(tree, index, tag);
      else radixTreeTagClear(tree, index, tag);
    }
  }
  poke(AddressSpace.nrpages(mapping), cachedPages(mapping).length);
}

const TAGS = [
  [PG_DIRTY, PAGECACHE_TAG_DIRTY],
  [PG_WRITEBACK, PAGECACHE_TAG_WRITEBACK],
] as const;

/** Pages on their way to the lists go there now. */
function emptyPagevecs(): void {
  for (let cpu = 0; cpu < peek(maxThreads); cpu++) {
    poke(Pagevec.nr(rotatePagevec(cpu)), 0);
    for (let lru = 0; lru < NR_LRU_LISTS; lru++) poke(Pagevec.nr(lruAddPagevec(cpu, lru)), 0);
  }
}

/** Gives every frame the count that its references make, and frees those that have none. *Returns* how many were lost. */
function recount(): number {
  const expected = expectedReferences(allCpus(), false);
  const cached = new Set(allMappings().flatMap((mapping) => cachedPages(mapping).map(({ page }) => page)));
  const states = frameStates();
  const lost: Ptr<Page>[] = [];
  for (let pfn = 1; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    if (states[pfn] !== 'allocated') continue;
    poke(Page._count(page), expected[pfn]);
    if (cached.has(page)) set(page, PG_LRU);
    else {
      // On no list, so not on that of the active ones: who frees it looks.
      clear(page, PG_LRU);
      clear(page, PG_ACTIVE);
      if (expected[pfn] === 0) lost.push(page);
    }
  }
  rebuildLruLists();
  for (const page of lost) {
    poke(Page.flags(page), 0);
    poke(Page.mapping(page), 0);
    poke(Page.private(page), 0);
    freeHotColdPage(page, true);
  }
  drainLocalPages();
  return lost.length;
}

/** The zone's counters, exact. */
function recountZone(): void {
  const before = zonePageState();
  const states = frameStates();
  const pages = allMappings().flatMap((mapping) => cachedPages(mapping).map(({ page }) => page));
  const active = pages.filter((page) => has(page, PG_ACTIVE)).length;
  const exact: readonly (readonly [ZoneStatItem, ZoneStatName, number])[] = [
    [NR_FREE_PAGES, 'nr_free_pages', states.filter((state) => state === 'buddy').length],
    [NR_INACTIVE_FILE, 'nr_inactive_file', pages.length - active],
    [NR_ACTIVE_FILE, 'nr_active_file', active],
    [NR_FILE_PAGES, 'nr_file_pages', pages.length],
    [NR_FILE_DIRTY, 'nr_dirty', pages.filter((page) => has(page, PG_DIRTY)).length],
    [NR_WRITEBACK, 'nr_writeback', pages.filter((page) => has(page, PG_WRITEBACK)).length],
  ];
  for (const [item, name, value] of exact) modZonePageState(item, value - before[name]);
}

/** Requests of the dead, which it found or had not marked yet; those of the living are known by the pages that they transfer. */
function freeRequests(bios: Iterable<Ptr<Bio>>): void {
  const known = new Set<number>();
  for (let pfn = 1; pfn < memMapPages(); pfn++)
    if (transferrer(pfnToPage(pfn)) > 0) known.add(peek(Page.private(pfnToPage(pfn))));
  for (const bio of [...bios]) if (!known.has(bio)) bioFree(bio);
}

/** Puts the cache in order after deaths. *Returns* how many frames were lost, and are free again. */
export function sweep(machine: NativeMachine): number {
  sweepFiles(machine);
  for (let cpu = 0; cpu < peek(maxThreads); cpu++) repairCpuPages(cpu);
  for (let pfn = 1; pfn < memMapPages(); pfn++) endTransfer(pfnToPage(pfn));
  freeRequests(machine.objectsOf(bioCachep));
  for (const number of usedRecords()) sweepBeyondSize(recordAt(number));
  for (const mapping of allMappings()) sweepMapping(mapping);
  emptyPagevecs();
  // Now that nodes which became empty wait for their grace period.
  sweepNodes(machine);
  const lost = recount();
  recountZone();
  return lost;
}

/** Notes, before another thread gets its number, which pages a dead thread transferred. */
export function markDeadTransfers(cpu: number): void {
  for (let pfn = 1; pfn < memMapPages(); pfn++)
    if (transferrer(pfnToPage(pfn)) === cpu + 1) setTransferrer(pfnToPage(pfn), DEAD);
}
