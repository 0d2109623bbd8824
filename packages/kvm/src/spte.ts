// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { load, NULL, peek, poke, readOnce } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { pfnToPage, setPageReferenced } from '@lockless/page';
import { PTE_HUGE, type Pte, pmdTransHuge, ptePfn, ptepGetAndClear, pteYoung } from '@lockless/rmap';
import { Kvm, KvmMmuPage, kvmPagesPerHpage, offsetOf, slotOf } from './kvm-host.js';

/*
 * Shadow entries. A slot has a directory. An entry of it is empty; or the address of a table, with an entry for each guest page; or it maps a huge page:
 * then it has the bits of an entry of a table, and one more. A table's address has none of them.
 */

/** The entry of a directory that is for a guest page. */
export const directoryEntry = (directory: Ptr<KvmMmuPage>, offset: number): Ref<Pte> =>
  KvmMmuPage.spt(directory, Math.floor(offset / kvmPagesPerHpage()));
/** The entry of a table that is for a guest page. */
export const tableEntry = (table: number, offset: number): Ref<Pte> =>
  KvmMmuPage.spt(table as Ptr<KvmMmuPage>, offset % kvmPagesPerHpage());

/** The page that an entry maps for a guest page. */
export const sptePage = (spte: Pte, gfn: number): Ptr<Page> =>
  pfnToPage(ptePfn(spte) + ((spte & PTE_HUGE) === 0 ? 0 : gfn % kvmPagesPerHpage()));

/**
 * The shadow entry of a guest page, as the guest's MMU finds it: without a lock. NULL: there is no table. That of a huge page may be a table's address by
 * the time it is read: nothing that is present.
 */
export function* sptepOf(kvm: Ptr<Kvm>, gfn: number): Op<Ref<Pte> | Null> {
  const directory = (yield* readOnce(Kvm.root(kvm, slotOf(gfn)))) as Ptr<KvmMmuPage>;
  if (directory === NULL) return NULL;
  const place = directoryEntry(directory, offsetOf(gfn));
  const entry = yield* readOnce(place);
  if (entry === NULL || pmdTransHuge(entry)) return place;
  return tableEntry(entry, offsetOf(gfn));
}

/** Statistics: nothing depends on them, so they are no accesses. *Context*: mmu_lock. */
export const count = (word: Ref<number>): void => poke(word, peek(word) + 1);

/** drop_spte(): gives an entry up. *Context*: mmu_lock. The guest's CPUs must be flushed before the page can be freed. */
export function* dropSpte(kvm: Ptr<Kvm>, sptep: Ref<Pte>): Op<void> {
  const old = yield* ptepGetAndClear(yield* load(Kvm.mm(kvm)), 0, sptep);
  if (pteYoung(old)) yield* setPageReferenced(pfnToPage(ptePfn(old)));
  count(Kvm.unmapped(kvm));
}
