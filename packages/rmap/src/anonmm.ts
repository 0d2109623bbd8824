// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr } from '@lockless/cpu';
import {
  containerOf,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  listAddTail,
  listDelInit,
  listEmpty,
  load,
  NULL,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { Anonhd, Anonmm, ENOMEM, MmStruct } from '@lockless/mm-types';

/*
 * Families of address spaces. exec begins a family; fork adds to the parent's. Only members of one family can map the same anonymous page, and
 * as fork copies entries to the same address, they map it at the same one.
 *
 * anonhd->lock protects the list of members. It nests inside PG_chainlock of a page, and page_table_lock may be tried inside it.
 */

/** Reused while a migration may look for the family of a page that nobody maps any more: as with anon_vma. */
export const anonhdCachep: KmemCache<Anonhd> = kmemCacheCreate(Anonhd, { typesafeByRcu: true });
export const anonmmCachep: KmemCache<Anonmm> = kmemCacheCreate(Anonmm);

/**
 * exec_rmap(): a family of its own.
 *
 * *Context*: nobody else knows `mm`. May sleep. *Returns* 0, -ENOMEM.
 * *Source*: exec_rmap(), mm/rmap.c, "anobjrmap" on 2.6.5.
 */
export function* execRmap(mm: Ptr<MmStruct>): Op<number> {
  const head = yield* kmemCacheAlloc(anonhdCachep, GFP_KERNEL);
  if (head === NULL) return -ENOMEM;
  if ((yield* load(ListHead.next(Anonhd.mms(head)))) === NULL) yield* initListHead(Anonhd.mms(head));
  const error = yield* join(mm, head);
  if (error !== 0) yield* kmemCacheFree(anonhdCachep, head);
  return error;
}

/**
 * dup_rmap(): the parent's family. At the tail of its list: a walk that removes entries meets the parent before the child, so what fork copies
 * after the walk has passed the parent is gone already.
 *
 * *Context*: nobody else knows `mm`; the parent stays. May sleep. *Returns* 0, -ENOMEM.
 * *Source*: dup_rmap(), as {@link execRmap}.
 */
export function* dupRmap(mm: Ptr<MmStruct>, oldMm: Ptr<MmStruct>): Op<number> {
  const parent = yield* load(MmStruct.anonmm(oldMm));
  return parent === NULL ? yield* execRmap(mm) : yield* join(mm, yield* load(Anonmm.head(parent)));
}

function* join(mm: Ptr<MmStruct>, head: Ptr<Anonhd>): Op<number> {
  const anonmm = yield* kmemCacheAlloc(anonmmCachep, GFP_KERNEL);
  if (anonmm === NULL) return -ENOMEM;
  yield* store(Anonmm.mm(anonmm), mm);
  yield* store(Anonmm.head(anonmm), head);
  yield* store(MmStruct.anonmm(mm), anonmm);
  yield* spinLock(Anonhd.lock(head));
  yield* listAddTail(Anonmm.list(anonmm), Anonhd.mms(head));
  yield* spinUnlock(Anonhd.lock(head));
  return 0;
}

/**
 * exit_rmap(): leaves the family; the last one ends it.
 *
 * *Context*: nothing is mapped in `mm`, which is about to be freed. *Source*: exit_rmap(), as {@link execRmap}. *Differs*: there a page that once was
 * mapped in the family keeps it; here none that is mapped can be left.
 */
export function* exitRmap(mm: Ptr<MmStruct>): Op<void> {
  const anonmm = yield* load(MmStruct.anonmm(mm));
  if (anonmm === NULL) return;
  const head = yield* load(Anonmm.head(anonmm));
  yield* spinLock(Anonhd.lock(head));
  yield* listDelInit(Anonmm.list(anonmm));
  const last = yield* listEmpty(Anonhd.mms(head));
  yield* spinUnlock(Anonhd.lock(head));
  yield* kmemCacheFree(anonmmCachep, anonmm);
  if (last) yield* kmemCacheFree(anonhdCachep, head);
}

/** The family of an address space. */
export function* familyOf(mm: Ptr<MmStruct>): Op<Ptr<Anonhd> | Null> {
  const anonmm = yield* load(MmStruct.anonmm(mm));
  return anonmm === NULL ? NULL : yield* load(Anonmm.head(anonmm));
}

/** Calls `visit` for each member until it returns true. Takes anonhd->lock, under which each member stays. */
export function* eachMm(head: Ptr<Anonhd>, visit: (mm: Ptr<MmStruct>) => Op<boolean>): Op<void> {
  yield* spinLock(Anonhd.lock(head));
  const list = Anonhd.mms(head);
  for (let at = yield* load(ListHead.next(list)); at !== list; at = yield* load(ListHead.next(at))) {
    if (yield* visit(yield* load(Anonmm.mm(containerOf<Anonmm>(at, Anonmm, 'list'))))) break;
  }
  yield* spinUnlock(Anonhd.lock(head));
}
