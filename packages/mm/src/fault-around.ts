// SPDX-License-Identifier: GPL-2.0-only
import { load, type Op, type Ref, readOnce, spinLock, spinUnlock, store } from '@lockless/cpu';
import { MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { getPage } from '@lockless/page';
import { filemapMapPages } from '@lockless/pagecache';
import {
  mkPte,
  type Pte,
  pageAddFileRmap,
  pteNone,
  ptePresent,
  pteTableEntries,
  rmapPrepare,
  rmapRefill,
  rmapRelease,
  setPteAt,
} from '@lockless/rmap';
import { mmOption } from './mm-options.js';
import { vmaPageProt } from './page-prot.js';
import type { Fault } from './vm-fault.js';

/** Pages that one read fault maps: from `first` to before `end`, in one page table and in the area. */
interface Window {
  readonly first: number;
  readonly end: number;
  /** Index in the file of page `first`. */
  readonly pgoff: number;
}

/**
 * do_fault_around(): a read fault on a file maps the pages around it as well, those that are in the cache, uptodate and not locked.
 * Starts no I/O.
 *
 * *Context*: mmap_sem for reading; holds the page-table lock meanwhile, so pages are only tried, never waited for.
 * *Returns* whether the faulting page is mapped now.
 * *Source*: `do_fault_around`, mm/memory.c, 3.15 (8c6e50b0290c). The window begins at the faulting page rounded down, not below the
 * area, and has fault_around_bytes from there (looked at on 6.18), but ends with the area and with the page table.
 * *Differs*: page by page, where 6.x maps the part of a large folio that is in the window at once.
 */
export function* mapCachedAround(fault: Fault): Op<boolean> {
  const { mm, vma, address, pte } = fault;
  const { first, end, pgoff } = yield* faultAroundWindow(fault);
  const prot = yield* vmaPageProt(vma);
  const spare = yield* rmapPrepare();
  if (spare === null) return false;
  yield* spinLock(MmStruct.pageTableLock(mm));
  yield* filemapMapPages(vma, pgoff, pgoff + (end - first) - 1, function* (page, index): Op<void> {
    const at = first + (index - pgoff);
    const entry = (pte + (at - address)) as Ref<Pte>;
    if (!pteNone(yield* readOnce(entry)) || !(yield* rmapRefill(spare))) return;
    yield* getPage(page);
    yield* store(MmStruct.fileRss(mm), (yield* load(MmStruct.fileRss(mm))) + 1);
    yield* pageAddFileRmap(page, entry, spare);
    yield* setPteAt(mm, at, entry, mkPte(page, prot));
  });
  const mapped = ptePresent(yield* readOnce(pte));
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);
  return mapped;
}

function* faultAroundWindow({ vma, address }: Fault): Op<Window> {
  const pages = mmOption('faultAroundPages');
  const start = yield* load(VmAreaStruct.vmStart(vma));
  // The run of entries is one table's.
  const tableStart = address - (address % pteTableEntries());
  const first = Math.max(address - (address % pages), start, tableStart);
  const tableEnd = tableStart + pteTableEntries();
  const end = Math.min(first + pages, yield* load(VmAreaStruct.vmEnd(vma)), tableEnd);
  return { first, end, pgoff: first - start + (yield* load(VmAreaStruct.vmPgoff(vma))) };
}
