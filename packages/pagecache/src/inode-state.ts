// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, SpinLock } from '@lockless/cpu';
import {
  containerOf,
  defineStatic,
  defineWord,
  initListHead,
  ListHead,
  listAddTail,
  listDelInit,
  listEmpty,
  load,
  NULL,
  readOnce,
  smpMb,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { Inode } from '@lockless/mm-types';

/** inode_lock: protects Inode.state, the list of dirty inodes, and the last put of an inode. */
const inodeLock: Ref<SpinLock> = defineWord<SpinLock>('inode_lock');
/** Inodes with dirty pages, oldest first (2.6.27: one list for each super block, s_dirty). */
const dirtyInodes = defineStatic(ListHead, 's_dirty');

/** It has, or may have, dirty pages. */
export const I_DIRTY_PAGES = 4;
/** Somebody writes its pages at the moment. */
export const I_SYNC = 128;
/** Its last reference is gone. */
export const I_FREEING = 32;

/** Boot. */
export function* inodeStateInit(): Op<void> {
  yield* initListHead(dirtyInodes);
}

export const lockInodes = (): Op<void> => spinLock(inodeLock);
export const unlockInodes = (): Op<void> => spinUnlock(inodeLock);

/**
 * Notes that an inode has dirty pages, so that pdflush finds it. *Context*: any but interrupts; spin locks may be held, tree_lock not.
 * *Ordering*: full barrier between the page's dirty tag, set before, and the look at the state. Pairs with the lock in
 * {@link endInodeWriteback}: either it sees the tag or we see the state clean.
 * *Source*: `__mark_inode_dirty(inode, I_DIRTY_PAGES)`, fs/fs-writeback.c, 2.6.27.
 */
export function* markInodeDirty(inode: Ptr<Inode>): Op<void> {
  yield* smpMb();
  if (((yield* readOnce(Inode.state(inode))) & I_DIRTY_PAGES) !== 0) return;
  yield* lockInodes();
  const state = yield* load(Inode.state(inode));
  if ((state & (I_DIRTY_PAGES | I_FREEING)) === 0) {
    yield* store(Inode.state(inode), state | I_DIRTY_PAGES);
    if ((state & I_SYNC) === 0) yield* listAddTail(Inode.list(inode), dirtyInodes);
  }
  yield* unlockInodes();
}

/**
 * Takes the oldest dirty inode off the list to write it. *Returns* it, state I_SYNC and with a reference, or NULL.
 * *Source*: `sync_sb_inodes` and `__sync_single_inode`, fs/fs-writeback.c, 2.6.27.
 */
export function* beginInodeWriteback(): Op<Ptr<Inode> | 0> {
  yield* lockInodes();
  let inode: Ptr<Inode> | 0 = NULL;
  if (!(yield* listEmpty(dirtyInodes))) {
    inode = containerOf(yield* load(ListHead.next(dirtyInodes)), Inode, 'list');
    yield* listDelInit(Inode.list(inode));
    yield* store(Inode.count(inode), (yield* load(Inode.count(inode))) + 1);
    yield* store(Inode.state(inode), ((yield* load(Inode.state(inode))) & ~I_DIRTY_PAGES) | I_SYNC);
  }
  yield* unlockInodes();
  return inode;
}

/** The write of an inode is over; it goes back on the list when pages are dirty still or again. The caller puts its reference. */
export function* endInodeWriteback(inode: Ptr<Inode>, stillDirty: boolean): Op<void> {
  yield* lockInodes();
  let state = (yield* load(Inode.state(inode))) & ~I_SYNC;
  if (stillDirty) state |= I_DIRTY_PAGES;
  yield* store(Inode.state(inode), state);
  if ((state & I_DIRTY_PAGES) !== 0 && (state & I_FREEING) === 0) yield* listAddTail(Inode.list(inode), dirtyInodes);
  yield* unlockInodes();
}

/** The inode is going away. *Context*: inode_lock held, no reference left. */
export function* forgetInode(inode: Ptr<Inode>): Op<void> {
  yield* store(Inode.state(inode), (yield* load(Inode.state(inode))) | I_FREEING);
  yield* listDelInit(Inode.list(inode));
}
