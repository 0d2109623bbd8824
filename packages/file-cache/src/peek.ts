// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, peek, poke, type Ref, smpLoadAcquire, thisCpu } from '@lockless/cpu/native';
import { AddressSpace, Page, PG_ACTIVE, PG_READAHEAD, PG_REFERENCED, PG_UPTODATE } from '@lockless/mm-types/native';
import { RADIX_TREE_RETRY, radixTreeDerefSlot, radixTreeLookupSlot } from '@lockless/radix-tree/native';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu/native';
import { bytesChanged, copyBytes, stableBytes } from './frames.js';
import { peekHits, peekRetries } from './shared-words.js';

/*
 * Reading a hot page without a reference. find_get_page() writes to page->_count, and a page that all threads read has them all wait for one cache line; this
 * writes to no word that another thread reads.
 *
 *   1. find the page in the radix tree, under RCU: the node of the slot is not freed while we look
 *   2. read the sequence number of its bytes; odd: somebody changes them
 *   3. is the page still in that slot, and, looked at after that, uptodate?
 *   4. copy the bytes
 *   5. is the sequence number the same?
 *
 * Why the copy is of what the file had at that index between 2 and 5. Whoever changes the bytes of a frame makes the number odd before and even, and higher, after:
 * a write, and the read that fills a frame for whatever it is used for next. With the number the same at 2 and 5, nothing began or ended in between, so the bytes are
 * those of one content. Of which? At 3 the page was in the slot, and then uptodate: a page gets PG_uptodate after its bytes changed since it was allocated, so
 * the bytes were filled for this index, before 2. (Slot first: the flag may be one of another use of the frame, which came into the slot after that and is not
 * filled yet.) After 3 the frame may leave the slot, be freed, even be given to another file: its bytes stay until that file's read begins to fill it, and that
 * changes the number. A frame is never given back to the system, so reading it does no harm whoever has it.
 *
 * Only pages that are active and referenced: the first uses of a page go the long way, which tells reclaim of them (mark_page_accessed()). Nor a page that
 * carries the read-ahead mark.
 */

const HOT = (1 << PG_UPTODATE) | (1 << PG_ACTIVE) | (1 << PG_REFERENCED);
const HOT_OR_MARK = HOT | (1 << PG_READAHEAD);

/** Copies bytes of a page of the cache. False: not that page, not now; take a reference. *Context*: any; the mapping is kept by an open file. */
export function peekCopy(
  mapping: Ptr<AddressSpace>,
  index: number,
  from: number,
  target: Uint8Array,
  at: number,
  count: number,
): boolean {
  rcuReadLock();
  const copied = copyHot(mapping, index, from, target, at, count);
  rcuReadUnlock();
  const tally = copied ? hits : misses;
  poke(tally, (peek(tally) + 1) | 0);
  return copied;
}

/** This thread's own counters. */
let hits: Ref<number> = 0 as Ref<number>;
let misses: Ref<number> = 0 as Ref<number>;

/** Tells this thread which counters are its own. */
export function attachPeeks(): void {
  hits = peekHits(thisCpu.id);
  misses = peekRetries(thisCpu.id);
}

function copyHot(
  mapping: Ptr<AddressSpace>,
  index: number,
  from: number,
  target: Uint8Array,
  at: number,
  count: number,
): boolean {
  const slot = radixTreeLookupSlot(AddressSpace.pageTree(mapping), index);
  if (slot === NULL) return false;
  const item = radixTreeDerefSlot(slot); // 1.
  if (item === NULL || item === RADIX_TREE_RETRY) return false;
  const page = item as Ptr<Page>;
  const before = stableBytes(page); // 2.
  if (before === -1) return false;
  if (smpLoadAcquire(slot) !== page || (smpLoadAcquire(Page.flags(page)) & HOT_OR_MARK) !== HOT) return false; // 3.
  copyBytes(page, from, target, at, count); // 4.
  return !bytesChanged(page, before); // 5.
}
