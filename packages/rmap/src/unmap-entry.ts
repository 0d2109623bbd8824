// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, load, readOnce, store } from '@lockless/cpu';
import { MmStruct, Page } from '@lockless/mm-types';
import { pageAnon, pageSwapCache } from '@lockless/page';
import { mmlistAdd } from './mmlist.js';
import type { Pte } from './pte.js';
import { PTE_NONE, pteDirty, pteWrite } from './pte.js';
import { setPteAt } from './pte-access.js';
import { ptepClearFlushNotify } from './pte-notify.js';
import { dirtyPageOfPte } from './set-page-dirty.js';
import { duplicateSwapEntry } from './swap-hooks.js';
import { makeMigrationEntry, type SwpEntry, swpEntryToPte } from './swapops.js';

/**
 * Clears an entry of a page for good: its dirty mark goes to the page, and in its place comes what the next fault will need: the page's place
 * in the swap area; with `migration`, the page itself, as a migration entry; for a page of a file without migration, nothing: its index says
 * enough.
 *
 * The page's place in the reverse mapping, and the entry's reference, are the caller's.
 *
 * *Context*: page table lock; the page is locked. An anonymous page is in the swap cache, or migrates.
 * *Source*: the middle of try_to_unmap_one(), mm/rmap.c, 2.6.27. *Differs*: a migration entry is not in rss. 2.6.27 leaves it there, and does not
 * take it out when the entry is zapped before the page has moved (9f9f1acd713d, 3.3).
 */
export function* unmapEntry(
  page: Ptr<Page>,
  mm: Ptr<MmStruct>,
  address: number,
  ptep: Ref<Pte>,
  migration: boolean,
): Op<void> {
  const pte = yield* ptepClearFlushNotify(mm, address, ptep);
  // Before the count can drop to "not mapped": who then finds the page clean may throw it away.
  if (pteDirty(pte)) yield* dirtyPageOfPte(page);
  const anon = yield* pageAnon(page);
  const rss = anon ? MmStruct.anonRss(mm) : MmStruct.fileRss(mm);
  yield* store(rss, (yield* load(rss)) - 1);
  const standIn = yield* standInFor(page, mm, anon, pte, migration);
  if (standIn !== PTE_NONE) yield* setPteAt(mm, address, ptep, standIn);
}

function* standInFor(page: Ptr<Page>, mm: Ptr<MmStruct>, anon: boolean, pte: Pte, migration: boolean): Op<Pte> {
  if (anon && (yield* pageSwapCache(page))) {
    const entry = (yield* readOnce(Page.private(page))) as SwpEntry;
    bugOn(!(yield* duplicateSwapEntry(entry)), 'try_to_unmap of a page whose place is free');
    yield* mmlistAdd(mm);
    yield* store(MmStruct.swapents(mm), (yield* load(MmStruct.swapents(mm))) + 1);
    return swpEntryToPte(entry);
  }
  return migration ? swpEntryToPte(makeMigrationEntry(page, pteWrite(pte))) : PTE_NONE;
}

/** Whether a page's entries can be cleared: an anonymous page must have a place to go. *Context*: page locked. */
export function* canUnmap(page: Ptr<Page>, migration: boolean): Op<boolean> {
  return migration || !(yield* pageAnon(page)) || (yield* pageSwapCache(page));
}
