// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Null, type Op, type Ptr, type Ref, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import { moveHugePmd } from '@lockless/huge-memory';
import { AddressSpace, MmStruct, type VmAreaStruct } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import {
  nextPteRange,
  type OnHugePage,
  type Pte,
  pageMoveRmap,
  pteAllocMap,
  pteNone,
  ptePresent,
  ptepClearFlush,
  setPteAt,
  vmaMapping,
  vmNormalPage,
} from '@lockless/rmap';
import { canMove, makePageExclusive } from './mremap-exclusive.js';

/** Entries to move; addresses in pages. */
export interface Move {
  readonly from: number;
  /** Pages that exist at the old place and go along. */
  readonly kept: number;
  readonly to: number;
}

/**
 * move_page_tables(): moves entries, without touching the pages or their counts.
 *
 * *Context*: mmap_sem for writing. Takes i_mmap_lock of a file, so that truncation, which walks area by area, cannot pass the new place
 * before an entry arrives there and the old one after it left.
 * *Returns* how many pages from the start were dealt with: less than `kept` when memory for a table was short.
 * *Source*: `move_page_tables`, `move_ptes`, mm/mremap.c, 2.6.27.
 */
export function* movePageTables(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, move: Move): Op<number> {
  yield* mmuNotifierInvalidateRangeStart(mm, move.from, move.from + move.kept);
  const moved = yield* moveEntries(mm, vma, move);
  yield* mmuNotifierInvalidateRangeEnd(mm, move.from, move.from + move.kept);
  return moved;
}

function* moveEntries(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, { from, kept, to }: Move): Op<number> {
  const mapping = yield* vmaMapping(vma);
  const onHuge: OnHugePage = function* (address, pmd, whole) {
    return whole && (yield* moveHugePmd(mm, vma, pmd, to + (address - from)));
  };
  let range = yield* nextPteRange(mm, from, from + kept, onHuge);
  for (; range !== NULL; range = yield* nextPteRange(mm, range.end, from + kept, onHuge)) {
    for (let address = range.address; address < range.end; address++) {
      const source = (range.ptes + (address - range.address)) as Ref<Pte>;
      if (pteNone(yield* readOnce(source))) continue;
      const target = yield* pteAllocMap(mm, to + (address - from));
      if (target === NULL) return address - from;
      const place = { address: to + (address - from), pte: target };
      while (!(yield* movePte(mm, mapping, { address, pte: source }, place))) {
        if (!(yield* makePageExclusive(vma, address))) return address - from;
      }
    }
  }
  return kept;
}

/** The place of an entry. */
interface Place {
  readonly address: number;
  readonly pte: Ref<Pte>;
}

/**
 * Flushed under the page-table lock: nobody may find the page at the new place, and free it, while a CPU uses it at the old one.
 * *Returns* false when the entry has to stay until its page is exclusive, see {@link canMove}.
 */
function* movePte(mm: Ptr<MmStruct>, mapping: Ptr<AddressSpace> | Null, from: Place, to: Place): Op<boolean> {
  if (mapping !== NULL) yield* spinLock(AddressSpace.iMmapLock(mapping));
  yield* spinLock(MmStruct.pageTableLock(mm));
  const movable = yield* canMove(from.address, from.pte);
  if (movable) yield* moveEntry(mm, from, to);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (mapping !== NULL) yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  return movable;
}

/** *Context*: page-table lock. */
function* moveEntry(mm: Ptr<MmStruct>, from: Place, to: Place): Op<void> {
  // Reclaim or truncation may have been here since we looked.
  const entry = yield* ptepClearFlush(mm, from.address, from.pte);
  if (!pteNone(entry)) yield* setPteAt(mm, to.address, to.pte, entry);
  const page = ptePresent(entry) ? vmNormalPage(NULL, from.address, entry) : NULL;
  if (page !== NULL) yield* pageMoveRmap(page, from.pte, to.pte, to.address);
}
