// SPDX-License-Identifier: GPL-2.0-only
import { AddressSpace, Page, RadixTreeNode, RadixTreeRoot } from '@lockless/mm-types';
import type { LookupAddresses } from './lookup-addresses.js';

/*
 * find_get_page() and put_page() as somebody would write them who has a typed array and no abstractions: the yardstick for the native build.
 * The same words, the same protocol (RCU reader with one full barrier, speculative reference, second look at the slot), the same number of Atomics
 * operations and the same event counters; no assertions, no guards, no generations, no compound pages. test/lookup.test.ts holds it to the kernel code.
 */

/** What a lookup is made of, however it is implemented. Mappings, pages: word addresses. */
export interface Lookup {
  /** The page at an index with a reference, or 0. */
  findGetPage(mapping: number, index: number): number;
  /** Gives the reference back. */
  putPage(page: number): void;
  /** What the page at an index holds, without a reference: read, and then the slot looked at again. 0: no page. */
  peekPage(mapping: number, index: number): number;
}

const PAGE_TREE = AddressSpace.$offset.pageTree;
const RNODE = PAGE_TREE + RadixTreeRoot.$offset.rnode;
const HEIGHT = RadixTreeNode.$offset.height;
const SLOTS = RadixTreeNode.$offset.slots;
const COUNT = Page.$offset._count;
const CONTENT = Page.$offset.contentIdentity;
const NEST_MASK = 0xffff;
const MAP_SHIFT = 6;
const MAP_MASK = 63;

/** `freePage`: what becomes of a page whose last reference is put. `quiet`: readers say nothing (urcu-qsbr). */
export function handWritten(
  words: Int32Array,
  at: LookupAddresses,
  freePage: (page: number) => void,
  { quiet = false }: { quiet?: boolean } = {},
): Lookup {
  const { gracePeriod, reader, lookups, refused, moved } = at;

  function readLock(): void {
    if (quiet) return;
    const own = words[reader];
    if ((own & NEST_MASK) !== 0) words[reader] = own + 1;
    else Atomics.exchange(words, reader, words[gracePeriod]); // a full barrier, so that the updater sees this reader or it sees the update
  }

  function readUnlock(): void {
    if (quiet) return;
    const own = words[reader];
    if ((own & NEST_MASK) <= 1) Atomics.store(words, reader, 0);
    else words[reader] = own - 1;
  }

  function slotOf(mapping: number, index: number): number {
    const rnode = words[mapping + RNODE];
    if ((rnode & 1) === 0) return rnode !== 0 && index === 0 ? mapping + RNODE : 0;
    let node = rnode & ~1;
    const height = words[node + HEIGHT];
    let shift = height * MAP_SHIFT;
    if (shift < 32 && index >>> shift !== 0) return 0;
    for (;;) {
      shift -= MAP_SHIFT;
      const slot = node + SLOTS + ((index >>> shift) & MAP_MASK);
      const entry = words[slot];
      if (entry === 0 || shift === 0) return entry === 0 ? 0 : slot;
      node = entry & ~1;
    }
  }

  function getUnlessZero(page: number): boolean {
    const count = page + COUNT;
    for (let seen = words[count]; seen !== 0; ) {
      const before = Atomics.compareExchange(words, count, seen, seen + 1);
      if (before === seen) return true;
      seen = before;
    }
    return false;
  }

  function putPage(page: number): void {
    if (Atomics.sub(words, page + COUNT, 1) === 1) freePage(page);
  }

  return {
    findGetPage(mapping, index) {
      words[lookups]++;
      readLock();
      for (;;) {
        const slot = slotOf(mapping, index);
        if (slot === 0) {
          readUnlock();
          return 0;
        }
        const page = words[slot]; // 1. find the page
        if (page === 0 || (page & 1) !== 0) continue;
        if (!getUnlessZero(page))
          words[refused]++; // 2. a reference, unless there is none
        else if (words[slot] === page) {
          // 3. it is still there
          readUnlock();
          return page;
        } else {
          words[moved]++;
          putPage(page);
        }
      }
    },
    putPage,
    peekPage(mapping, index) {
      readLock();
      for (;;) {
        const slot = slotOf(mapping, index);
        const page = slot === 0 ? 0 : words[slot];
        if (slot !== 0 && (page === 0 || (page & 1) !== 0)) continue;
        const content = slot === 0 ? 0 : words[page + CONTENT];
        if (slot !== 0 && words[slot] !== page) continue;
        readUnlock();
        return content;
      }
    },
  };
}
