// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr, type Ref, store } from '@lockless/cpu';
import { MmStruct, type Page, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import { getPage, pageAnon } from '@lockless/page';
import { type Pte, pteMkold, pteMkwrite, vmGetPageProt } from './pte.js';
import { mkPte, readPte, setPteAt } from './pte-access.js';
import { inUse, NO_SPARE, pageAddAnonRmap, pageAddFileRmap } from './reverse-mapping.js';
import { isWriteMigrationEntry, migrationEntryOf, migrationEntryToPage } from './swapops.js';

/** Whether try_to_unmap() can leave migration entries: else a page that migrates needs a place in swap, if it is anonymous. */
export const leavesMigrationEntries = (): boolean => inUse().rmapWalk !== null;

/**
 * remove_migration_ptes(): what was mapped before the migration is mapped again: `page`, in the places where migration entries stand for `old`.
 *
 * *Context*: as {@link rmapWalk}. When the page has not moved, `page` is `old`.
 * *Source*: remove_migration_ptes(), remove_migration_pte(), mm/migrate.c, 2.6.27.
 */
export function* removeMigrationPtes(old: Ptr<Page>, page: Ptr<Page>): Op<void> {
  const walk = inUse().rmapWalk;
  if (walk !== null) yield* walk(page, (vma, address, ptep) => removeMigrationPte(vma, address, ptep, old, page));
}

function* removeMigrationPte(
  vma: Ptr<VmAreaStruct>,
  address: number,
  ptep: Ref<Pte>,
  old: Ptr<Page>,
  page: Ptr<Page>,
): Op<void> {
  const entry = migrationEntryOf(yield* readPte(ptep));
  if (entry === NULL || migrationEntryToPage(entry) !== old) return;
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const anon = yield* pageAnon(page);
  const rss = anon ? MmStruct.anonRss(mm) : MmStruct.fileRss(mm);
  yield* getPage(page);
  yield* store(rss, (yield* load(rss)) + 1);
  const pte = pteMkold(mkPte(page, vmGetPageProt((yield* load(VmAreaStruct.vmFlags(vma))) & ~VM_SHARED)));
  // The count and the place first, as in 2.6.27: who finds the entry finds a page that is mapped.
  yield* anon ? pageAddAnonRmap(page, vma, address, ptep, NO_SPARE) : pageAddFileRmap(page, ptep, NO_SPARE);
  yield* setPteAt(mm, address, ptep, isWriteMigrationEntry(entry) ? pteMkwrite(pte) : pte);
}
