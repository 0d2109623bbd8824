// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, peek } from '@lockless/cpu/native';
import { type AddressSpace, type File, Page, PG_DIRTY } from '@lockless/mm-types/native';
import {
  frameInvariant,
  frameStates,
  framesInPagevecs,
  lruInvariant,
  memMapPages,
  pageToPfn,
  pfnToPage,
  zoneCounterInvariant,
} from '@lockless/page/native';
import { cachedPages, pageCacheIsTidy } from '@lockless/pagecache/native';
import { mappingOf, usedRecords } from './file-table.js';
import { entryOf, maxFiles, maxPins, maxThreads, openTable, pinTable, recordAt } from './shared-words.js';

/*
 * Who refers to which frame. Exact while all threads are stopped (stop-threads.ts): then a reference is the cache's, a pagevec's, or in a pin table.
 */

/** Mappings of all files that the cache knows. */
export const allMappings = (): Ptr<AddressSpace>[] => usedRecords().map((number) => mappingOf(recordAt(number)));

/** The pages that a thread has pinned, one entry for each pin. */
function pinnedBy(cpu: number): Ptr<Page>[] {
  const pages: Ptr<Page>[] = [];
  for (let entry = 0; entry < peek(maxPins); entry++) {
    const page = peek(entryOf(peek(pinTable), peek(maxPins), cpu, entry));
    if (page !== NULL) pages.push(page);
  }
  return pages;
}

/** The files that a thread has open. */
export function openedBy(cpu: number): Ptr<File>[] {
  const files: Ptr<File>[] = [];
  for (let entry = 0; entry < peek(maxFiles); entry++) {
    const file = peek(entryOf(peek(openTable), peek(maxFiles), cpu, entry));
    if (file !== NULL) files.push(file);
  }
  return files;
}

/** References that each frame should have, by frame number: of the page cache, of pagevecs unless they are left out, of pins. */
export function expectedReferences(cpus: Iterable<number>, pagevecs: boolean): Int32Array {
  const expected = new Int32Array(memMapPages());
  for (const mapping of allMappings()) for (const { page } of cachedPages(mapping)) expected[pageToPfn(page)]++;
  if (pagevecs) for (const pfn of framesInPagevecs()) expected[pfn]++;
  for (const cpu of cpus) for (const page of pinnedBy(cpu)) expected[pageToPfn(page)]++;
  return expected;
}

/** What the cache holds, and what is wrong with it. */
export interface Verification {
  /** Nothing when all is right. */
  readonly problems: readonly string[];
  /** Frames of the budget. */
  readonly frames: number;
  /** Frames that nobody uses. */
  readonly free: number;
  /** Pages of files. */
  readonly cached: number;
  readonly dirty: number;
  /** Pins of all threads: views, and pages that waiting operations hold. */
  readonly pins: number;
  /** Kernel objects in use, by their struct: `inode`, `file`, `bio`, `radix_tree_node`. */
  readonly objects: Readonly<Record<string, number>>;
}

/** Numbers that threads have, or may have. */
export const allCpus = (): number[] => Array.from({ length: peek(maxThreads) }, (_, cpu) => cpu);

function wrongCounts(): string[] {
  const expected = expectedReferences(allCpus(), true);
  const states = frameStates();
  const problems: string[] = [];
  for (let pfn = 1; pfn < expected.length; pfn++) {
    const count = peek(Page._count(pfnToPage(pfn)));
    if (count !== expected[pfn])
      problems.push(`frame ${pfn} (${states[pfn]}) has ${count} references, ${expected[pfn]} are known`);
  }
  return problems;
}

/** Counts everything. `lost`: what is wrong with kernel objects. *Context*: all other threads are stopped. */
export function verifyFrames(objects: Verification['objects'], lost: readonly string[]): Verification {
  const mappings = allMappings();
  const pages = mappings.flatMap((mapping) => cachedPages(mapping));
  const complaints = [frameInvariant(), lruInvariant(), zoneCounterInvariant(), pageCacheIsTidy(mappings)];
  return {
    problems: [...complaints.filter((complaint) => complaint !== null), ...wrongCounts(), ...lost],
    frames: memMapPages() - 1,
    free: frameStates().filter((state) => state === 'buddy' || state === 'pcp').length,
    cached: pages.length,
    dirty: pages.filter(({ page }) => (peek(Page.flags(page)) & (1 << PG_DIRTY)) !== 0).length,
    pins: allCpus().reduce((sum, cpu) => sum + pinnedBy(cpu).length, 0),
    objects,
  };
}
