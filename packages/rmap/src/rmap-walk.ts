// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { containerOf, defineGuard, ListHead, load, NULL, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { AddressSpace, AnonVma, VmAreaStruct } from '@lockless/mm-types';
import { pageAnon, pageIndex, pageMapping, pageToPfn } from '@lockless/page';
import { eachFileVma, eachVmaOn } from './i-mmap.js';
import { lockAnonVmaOfUnmapped, pageLockAnonVma, pageUnlockAnonVma } from './page-lock-anon-vma.js';
import { pteLockptr, pteOffsetMap, pteOffsetMapLock, pteUnmapUnlock } from './pgtable.js';
import type { Pte } from './pte.js';
import { ptePfn, ptePresent } from './pte.js';
import { readPte } from './pte-access.js';

/** -EFAULT of vma_address(): the page is not in this area. */
export const NOT_IN_VMA = -14;

/**
 * vma_address(): at which page number an area maps a page, if it maps it at all.
 *
 * *Context*: a lock that keeps the area's bounds: i_mmap_lock, anon_vma->lock or mmap_sem. *Returns* {@link NOT_IN_VMA} outside.
 * *Source*: vma_address(), mm/rmap.c, 2.6.27.
 */
export function* vmaAddress(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<number> {
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const address = start + ((yield* pageIndex(page)) - (yield* load(VmAreaStruct.vmPgoff(vma))));
  return address >= start && address < (yield* load(VmAreaStruct.vmEnd(vma))) ? address : NOT_IN_VMA;
}

/** linear_page_index(): the inverse: the index in file or anon_vma of a page number in an area. */
export function* linearPageIndex(vma: Ptr<VmAreaStruct>, address: number): Op<number> {
  return address - (yield* load(VmAreaStruct.vmStart(vma))) + (yield* load(VmAreaStruct.vmPgoff(vma)));
}

/**
 * page_check_address(): the entry at `address`, if it maps the page; then its lock is held.
 *
 * Without `sync` an entry that is not present at first sight is left alone: enough where missing one is no error. page_mkclean must not
 * miss one that is only being changed (C10; Linux 479db0bf40), so it looks under the lock.
 *
 * *Context*: a lock of the reverse mapping, under which the area was found: it keeps the page tables.
 * *Returns* NULL, and no lock, when the page is not mapped there.
 * *Source*: page_check_address(), mm/rmap.c, 2.6.27.
 */
export function* pageCheckAddress(
  page: Ptr<Page>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  sync: boolean,
): Op<Ref<Pte> | Null> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const ptep = yield* pteOffsetMap(mm, address);
  if (ptep === NULL) return NULL;
  if (!sync && !ptePresent(yield* readOnce(ptep))) return NULL;
  const lock = pteLockptr(mm, ptep);
  yield* spinLock(lock);
  const pte = yield* readPte(ptep);
  if (ptePresent(pte) && ptePfn(pte) === pageToPfn(page)) return ptep;
  yield* spinUnlock(lock);
  return NULL;
}

/** What a walk does at an area that may map the page. *Returns* true to end the walk. */
export type RmapVisit = (vma: Ptr<VmAreaStruct>) => Op<boolean>;

/** Walks the areas that may map an anonymous page, under anon_vma->lock and RCU. */
export function* walkAnonVmas(page: Ptr<Page>, visit: RmapVisit): Op<void> {
  yield* walkLocked(yield* pageLockAnonVma(page), visit);
}

function* walkLocked(anonVma: Ptr<AnonVma> | Null, visit: RmapVisit): Op<void> {
  if (anonVma === NULL) return;
  const head = AnonVma.head(anonVma);
  for (let at = yield* load(ListHead.next(head)); at !== head; at = yield* load(ListHead.next(at))) {
    if (yield* visit(containerOf<VmAreaStruct>(at, VmAreaStruct, 'anonVmaNode'))) break;
  }
  yield* pageUnlockAnonVma(anonVma);
}

/**
 * Walks the areas that map a file, under i_mmap_lock. *Context*: the page is locked, so `mapping` stays its mapping.
 *
 * *Differs*: areas that are not linear too, at the end, where 2.6.27 leaves them out. A visitor looks at the linear place alone; what else they
 * show is for tryToUnmapNonlinear(). A migration entry may stand there that was left when the area was linear (7e09e738afd2, 3.14).
 */
export function* walkFileVmas(mapping: Ptr<AddressSpace>, visit: RmapVisit, nonlinear = true): Op<void> {
  yield* spinLock(AddressSpace.iMmapLock(mapping));
  if (nonlinear) yield* eachFileVma(mapping, visit);
  else yield* eachVmaOn(AddressSpace.iMmap(mapping), visit);
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
}

const nonlinearToo = defineGuard(
  'rmapWalk.nonlinearToo',
  'migration looks for the entries that it has left in linear areas only (before 7e09e738afd2): remap_file_pages() may have made one nonlinear meanwhile',
);

/** Called for each entry that may be of a page. *Context*: the entry's lock is held. */
export type EntryVisit = (vma: Ptr<VmAreaStruct>, address: number, ptep: Ref<Pte>) => Op<void>;

/**
 * rmap_walk(): the places where a page was mapped before its entries became migration entries.
 *
 * *Context*: page locked, and not mapped; for an anonymous page an RCU read-side section that began before it was unmapped.
 * *Source*: remove_anon_migration_ptes(), remove_file_migration_ptes(), mm/migrate.c, 2.6.27; as rmap_walk() since 2.6.33.
 */
export function* rmapWalk(page: Ptr<Page>, visit: EntryVisit): Op<void> {
  const visitArea: RmapVisit = function* (vma) {
    const address = yield* vmaAddress(page, vma);
    if (address !== NOT_IN_VMA) yield* visitLocked(vma, address, visit);
    return false;
  };
  const mapping = yield* pageMapping(page);
  if (yield* pageAnon(page)) yield* walkLocked(yield* lockAnonVmaOfUnmapped(page), visitArea);
  else if (mapping !== NULL) yield* walkFileVmas(mapping, visitArea, nonlinearToo());
}

function* visitLocked(vma: Ptr<VmAreaStruct>, address: number, visit: EntryVisit): Op<void> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const ptep = yield* pteOffsetMapLock(mm, address);
  if (ptep === NULL) return;
  yield* visit(vma, address, ptep);
  yield* pteUnmapUnlock(mm, ptep);
}
