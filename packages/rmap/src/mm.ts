// SPDX-License-Identifier: GPL-2.0-only
import type { Access, KmemCache, Null, Op, Ptr, SpinLock } from '@lockless/cpu';
import {
  atomicDecAndTest,
  atomicInc,
  atomicSet,
  bugOn,
  GFP_KERNEL,
  initListHead,
  initRwsem,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  store,
} from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';
import { mmuNotifierMmDestroy, provideMmdrop } from '@lockless/mmu-notifier';
import type { Pgd } from './pgtable.js';
import { pgdAlloc, pgdFree } from './pgtable.js';
import { dupRmap, execRmap, exitRmap } from './reverse-mapping.js';

export const mmCachep: KmemCache<MmStruct> = kmemCacheCreate(MmStruct);

/**
 * mm_alloc(): a new, empty address space with one user; of fork, it will share pages with `parent`.
 *
 * *Returns* NULL when memory is short.
 * *Source*: mm_alloc(), kernel/fork.c, 2.6.27.
 */
export function* mmAlloc(parent: Ptr<MmStruct> | Null = NULL): Op<Ptr<MmStruct> | Null> {
  const fresh = yield* kmemCacheAlloc(mmCachep, GFP_KERNEL);
  const mm = fresh === NULL ? NULL : yield* mmInit(fresh);
  if (mm === NULL) return NULL;
  if (parent !== NULL) yield* store(MmStruct.memCgroup(mm), yield* load(MmStruct.memCgroup(parent)));
  if ((yield* parent === NULL ? execRmap(mm) : dupRmap(mm, parent)) === 0) return mm;
  yield* mmdrop(mm);
  return NULL;
}

/**
 * mm_init(): makes a zeroed mm_struct (or a copy of another, as fork has it) empty, with one user and a page directory.
 *
 * *Returns* the mm; NULL when memory is short, and then the struct is freed.
 * *Source*: mm_init(), kernel/fork.c, 2.6.27.
 */
export function* mmInit(mm: Ptr<MmStruct>): Op<Ptr<MmStruct> | Null> {
  yield* atomicSet(MmStruct.mmUsers(mm), 1);
  yield* atomicSet(MmStruct.mmCount(mm), 1);
  yield* initRwsem(MmStruct.mmapSem(mm));
  yield* store(MmStruct.pageTableLock(mm), 0 as SpinLock);
  yield* store(MmStruct.mmap(mm), NULL);
  yield* store(MmStruct.mmRb(mm), NULL);
  yield* store(MmStruct.mmapCache(mm), NULL);
  yield* store(MmStruct.mmuNotifierMm(mm), NULL);
  yield* store(MmStruct.anonmm(mm), NULL);
  yield* store(MmStruct.memCgroup(mm), 0);
  for (const field of [
    'mapCount',
    'fileRss',
    'anonRss',
    'swapents',
    'nrPtes',
    'totalVm',
    'lockedVm',
    'defFlags',
  ] as const) {
    yield* store(MmStruct[field](mm), 0);
  }
  yield* initListHead(MmStruct.mmlist(mm));
  const pgd = yield* pgdAlloc();
  if (pgd === NULL) {
    yield* kmemCacheFree(mmCachep, mm);
    return NULL;
  }
  yield* store(MmStruct.pgd(mm), pgd);
  return mm;
}

/** mmgrab(): keeps the struct, not the address space. *Source*: atomic_inc(&mm->mm_count) in 2.6.27; mmgrab() since 4.11. */
export const mmGrab = (mm: Ptr<MmStruct>): Access<void> => atomicInc(MmStruct.mmCount(mm));

/**
 * mmdrop(): drops a reference of {@link mmGrab}, or the one that all users share; the last frees the struct.
 *
 * *Ordering*: the decrement is a full barrier, so all uses are over when the struct is freed.
 * *Source*: mmdrop(), __mmdrop(), 2.6.27.
 */
export function* mmdrop(mm: Ptr<MmStruct>): Op<void> {
  if (!(yield* atomicDecAndTest(MmStruct.mmCount(mm)))) return;
  bugOn((yield* load(MmStruct.nrPtes(mm))) !== 0, 'mmdrop: page tables are left');
  yield* exitRmap(mm);
  yield* pgdFree((yield* load(MmStruct.pgd(mm))) as Ptr<Pgd>);
  yield* mmuNotifierMmDestroy(mm);
  yield* kmemCacheFree(mmCachep, mm);
}
provideMmdrop(mmdrop);
