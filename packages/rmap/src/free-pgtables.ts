// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { load, NULL, store, writeOnce } from '@lockless/cpu';
import { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { anonVmaUnlink } from './anon-vma.js';
import { unlinkFileVma } from './i-mmap.js';
import type { MmuGather } from './mmu-gather.js';
import { tlbRemoveTable } from './mmu-gather.js';
import { entryOf, entrySpan, PGD_LEVEL, TASK_SIZE } from './pgtable.js';

/**
 * free_pgtables(): frees the tables below a chain of unmapped areas, those that no neighbour uses.
 *
 * 1. The areas leave the reverse mapping, under its locks: from then on no rmap walk can enter these tables, and none is inside.
 * 2. Entries above are cleared; 3. the tables are freed after the TLB flush.
 *
 * *Context*: mmap_sem for write, or the last user of the mm; the areas are off the mm's list and tree, or stay because the mm goes away,
 * and nothing is mapped in them. `floor` and `ceiling` (0: none) are the end of the area before and the start of the one behind.
 * *Source*: free_pgtables(), mm/memory.c, 2.6.27.
 */
export function* freePgtables(tlb: MmuGather, vma: Ptr<VmAreaStruct> | Null, floor: number, ceiling: number): Op<void> {
  for (let at = vma; at !== NULL; ) {
    const next: Ptr<VmAreaStruct> | Null = yield* load(VmAreaStruct.vmNext(at));
    const start = yield* load(VmAreaStruct.vmStart(at));
    const end = yield* load(VmAreaStruct.vmEnd(at));
    yield* anonVmaUnlink(at);
    yield* unlinkFileVma(at);
    yield* freePgdRange(tlb, start, end, floor, next === NULL ? ceiling : yield* load(VmAreaStruct.vmStart(next)));
    at = next;
  }
}

/**
 * free_pgd_range(): frees the tables that cover pages of [start, end) and nothing outside [floor, ceiling).
 *
 * *Context*: as {@link freePgtables}.
 * *Source*: free_pgd_range(), mm/memory.c, 2.6.27. *Differs*: `ceiling` 0 is the end of the address space; one loop for all levels.
 */
export function* freePgdRange(tlb: MmuGather, start: number, end: number, floor: number, ceiling: number): Op<void> {
  const limit = ceiling === 0 ? TASK_SIZE : ceiling;
  yield* freeRange(tlb, yield* load(MmStruct.pgd(tlb.mm)), PGD_LEVEL, start, end, floor, limit);
}

function* freeRange(
  tlb: MmuGather,
  table: number,
  level: number,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): Op<void> {
  const span = entrySpan(level);
  for (let base = Math.floor(start / span) * span; base < end; base += span) {
    const slot = entryOf(table, level, base);
    const below = yield* load(slot);
    if (below === NULL) continue;
    if (level > 1) {
      yield* freeRange(tlb, below, level - 1, Math.max(start, base), Math.min(end, base + span), floor, ceiling);
    }
    if (base < floor || base + span > ceiling) continue;
    yield* writeOnce(slot, NULL);
    if (level === 1) yield* store(MmStruct.nrPtes(tlb.mm), (yield* load(MmStruct.nrPtes(tlb.mm))) - 1);
    yield* tlbRemoveTable(tlb, below, level - 1);
  }
}
