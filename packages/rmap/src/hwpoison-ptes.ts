// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr, type Ref } from '@lockless/cpu';
import { type MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { PTE_NONE, type Pte } from './pte.js';
import { readPte, setPteAt } from './pte-access.js';
import { inUse } from './reverse-mapping.js';
import { makeHwpoisonEntry, migrationEntryOf, migrationEntryToPage, swpEntryToPte } from './swapops.js';

/**
 * A page whose memory has failed was mapped where try_to_unmap() has left migration entries. With `poison` its content is lost, and whoever comes
 * there is to get a signal; without, the next fault reads it from its file again.
 *
 * *Context*: as removeMigrationPtes(). *Returns* the address spaces that it was in.
 * *Source*: the part of try_to_unmap_one() for PageHWPoison, mm/rmap.c, 2.6.32. *Differs*: in two steps, because whether the content is lost is
 * known for sure only when no entry can make the page dirty any more.
 */
export function* poisonMigrationPtes(page: Ptr<Page>, poison: boolean): Op<Ptr<MmStruct>[]> {
  const mms: Ptr<MmStruct>[] = [];
  const visit = function* (vma: Ptr<VmAreaStruct>, address: number, ptep: Ref<Pte>): Op<void> {
    const entry = migrationEntryOf(yield* readPte(ptep));
    if (entry === NULL || migrationEntryToPage(entry) !== page) return;
    const mm = yield* load(VmAreaStruct.vmMm(vma));
    yield* setPteAt(mm, address, ptep, poison ? swpEntryToPte(makeHwpoisonEntry(page)) : PTE_NONE);
    if (!mms.includes(mm)) mms.push(mm);
  };
  const walk = inUse().rmapWalk;
  if (walk !== null) yield* walk(page, visit);
  return mms;
}
