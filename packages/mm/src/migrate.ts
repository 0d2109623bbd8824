// SPDX-License-Identifier: GPL-2.0-only
import { downRead, NULL, type Null, type Op, type Ptr, type Ref, spinLock, spinUnlock, upRead } from '@lockless/cpu';
import { MmStruct, type Page } from '@lockless/mm-types';
import { lruAddDrain, pageMapcount } from '@lockless/page';
import { isolateLruPageForMigration, migratePages } from '@lockless/pagecache';
import { nextPteRange, type Pte, ptePresent, readPte, vmNormalPage } from '@lockless/rmap';
import { checkRange } from './unmapped-area.js';

/** What moving pages of an address space came to. */
export interface Moved {
  /** Pages that could be isolated. */
  readonly found: number;
  /** Of these, those that are in their old frames still. */
  readonly failed: number;
}

/**
 * move_pages(2), to any other frame: the pages that [start, start + pages) has mapped, those of other processes too if `all`.
 *
 * *Context*: any task; takes mmap_sem of `mm` for reading, over the whole: who faults meanwhile waits for the page only. Sleeps.
 * *Returns* what became of the pages; a range that is none, and pages that others map, without `all`, are passed over.
 * *Source*: `do_move_page_to_node_array`, mm/migrate.c, 2.6.27. *Differs*: a range, not a list; no nodes.
 */
export function* migrateRange(mm: Ptr<MmStruct>, start: number, pages: number, all = true): Op<Moved> {
  if (checkRange(start, pages) !== 0) return { found: 0, failed: 0 };
  const end = start + pages;
  // Fresh pages are on their way to the lists, where they cannot be isolated.
  yield* lruAddDrain();
  yield* downRead(MmStruct.mmapSem(mm));
  const isolated: Ptr<Page>[] = [];
  let range = yield* nextPteRange(mm, start, end);
  for (; range !== NULL; range = yield* nextPteRange(mm, range.end, end)) {
    yield* spinLock(MmStruct.pageTableLock(mm));
    for (let at = range.address; at < range.end; at++) {
      const page = yield* followPage(at, (range.ptes + (at - range.address)) as Ref<Pte>);
      if (page === NULL || (!all && (yield* pageMapcount(page)) > 1)) continue;
      if ((yield* isolateLruPageForMigration(page)) === 0) isolated.push(page);
    }
    yield* spinUnlock(MmStruct.pageTableLock(mm));
  }
  const failed = yield* migratePages(isolated);
  yield* upRead(MmStruct.mmapSem(mm));
  return { found: isolated.length, failed };
}

/** follow_page(). *Context*: page table lock, which keeps the page. */
function* followPage(address: number, ptep: Ref<Pte>): Op<Ptr<Page> | Null> {
  const pte = yield* readPte(ptep);
  return ptePresent(pte) ? vmNormalPage(NULL, address, pte) : NULL;
}
