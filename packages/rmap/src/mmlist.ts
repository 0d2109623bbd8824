// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref, SpinLock } from '@lockless/cpu';
import {
  atomicAddUnless,
  containerOf,
  defineStatic,
  defineWord,
  initListHead,
  ListHead,
  listAdd,
  listDelInit,
  listEmpty,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
} from '@lockless/cpu';
import { MmStruct } from '@lockless/mm-types';

/*
 * The address spaces that may have swap entries: swapoff looks through them. One joins with its first such entry and leaves with its last user.
 * mmlist_lock is taken inside the page table lock.
 */
const mmlistLock: Ref<SpinLock> = defineWord('mmlist_lock');
/** init_mm.mmlist. */
const initMmlist: Ptr<ListHead> = defineStatic(ListHead, 'init_mm.mmlist');

/** Boot. */
export const mmlistInit = (): Op<void> => initListHead(initMmlist);

/**
 * The address space is about to have a swap entry. *Context*: page table lock of `mm`. `after`: the parent in fork, so that a walk that has passed the
 * parent meets the child; NULL: the first.
 * *Source*: `try_to_unmap_one`, mm/rmap.c, and `copy_one_pte`, mm/memory.c, 2.6.27.
 */
export function* mmlistAdd(mm: Ptr<MmStruct>, after: Ptr<MmStruct> | Null = NULL): Op<void> {
  const node = MmStruct.mmlist(mm);
  if ((yield* readOnce(ListHead.next(node))) !== node) return;
  yield* spinLock(mmlistLock);
  if (yield* listEmpty(node)) yield* listAdd(node, after === NULL ? initMmlist : MmStruct.mmlist(after));
  yield* spinUnlock(mmlistLock);
}

/** The last user is gone, and the entries with it. *Source*: `mmput`, kernel/fork.c, 2.6.27. */
export function* mmlistDel(mm: Ptr<MmStruct>): Op<void> {
  const node = MmStruct.mmlist(mm);
  if ((yield* readOnce(ListHead.next(node))) === node) return;
  yield* spinLock(mmlistLock);
  yield* listDelInit(node);
  yield* spinUnlock(mmlistLock);
}

/**
 * The next address space of the list that has users, or NULL at its end. *Context*: `mm`, if given, has a user of the caller's: it stays
 * on the list. *Returns* it with a user more, for the caller's mmput().
 * *Source*: the walk in `try_to_unuse`, mm/swapfile.c, 2.6.27.
 */
export function* nextOnMmlist(mm: Ptr<MmStruct> | Null): Op<Ptr<MmStruct> | Null> {
  const start = mm === NULL ? initMmlist : MmStruct.mmlist(mm);
  let found: Ptr<MmStruct> | Null = NULL;
  yield* spinLock(mmlistLock);
  for (let at = yield* load(ListHead.next(start)); at !== initMmlist && found === NULL; ) {
    const next = containerOf<MmStruct>(at, MmStruct, 'mmlist');
    at = yield* load(ListHead.next(at));
    // One without users is on its way out, and takes its entries with it.
    if (yield* atomicAddUnless(MmStruct.mmUsers(next), 1, 0)) found = next;
  }
  yield* spinUnlock(mmlistLock);
  return found;
}
