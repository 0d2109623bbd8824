// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  condResched,
  defineStatic,
  defineWord,
  initWaitqueueHead,
  NULL,
  readOnce,
  WaitQueueHead,
  waitEvent,
  wakeUp,
  writeOnce,
} from '@lockless/cpu';
import { AddressSpace, Inode, PAGECACHE_TAG_DIRTY } from '@lockless/mm-types';
import { globalPageState, NR_FILE_DIRTY } from '@lockless/page';
import { radixTreeTagged } from '@lockless/radix-tree';
import { backgroundThreshold, dirtyThreshold } from './config.js';
import { filemapWriteAndWait } from './filemap-sync.js';
import { inodePut } from './inode.js';
import { beginInodeWriteback, endInodeWriteback } from './inode-state.js';
import { type WritebackControl, writeCachePages } from './page-writeback.js';

/** Pages that pdflush writes of one inode before it looks at the next. */
const MAX_WRITEBACK_PAGES = 1024;
/** Pages that a writer over the limit must write. */
const THROTTLED_PAGES = 32;

const pdflushWait = defineStatic(WaitQueueHead, 'pdflush_wait');
/** Not 0 when there is work. */
const pdflushWork: Ref<number> = defineWord('pdflush_work');

/** Boot. */
export function* pdflushInit(): Op<void> {
  yield* initWaitqueueHead(pdflushWait);
}

/** Has dirty pages written soon. *Context*: any. *Source*: `wakeup_pdflush`, mm/page-writeback.c, 2.6.27. */
export function* wakeupPdflush(): Op<void> {
  yield* writeOnce(pdflushWork, 1);
  yield* wakeUp(pdflushWait);
}

const inBackground = (pages: number): WritebackControl => ({
  syncAll: false,
  nrToWrite: pages,
  start: 0,
  end: 0x7fffffff,
});

/**
 * Writes dirty pages of all inodes, oldest first, waiting for none. *Returns* how many writes it started.
 * *Source*: `writeback_inodes`, fs/fs-writeback.c, 2.6.27.
 */
export function* writebackInodes(maxPages: number): Op<number> {
  let written = 0;
  /** The first inode in a row that could not be helped: all its pages are being written, and are not waited for. */
  let stuck: Ptr<Inode> | Null = NULL;
  while (written < maxPages) {
    const inode = yield* beginInodeWriteback();
    if (inode === NULL) break;
    const around = inode === stuck;
    const wbc = inBackground(around ? 0 : Math.min(MAX_WRITEBACK_PAGES, maxPages - written));
    const budget = wbc.nrToWrite;
    yield* writeCachePages(Inode.data(inode), wbc);
    const stillDirty = yield* radixTreeTagged(AddressSpace.pageTree(Inode.data(inode)), PAGECACHE_TAG_DIRTY);
    yield* endInodeWriteback(inode, stillDirty);
    yield* inodePut(inode);
    if (around) break;
    written += budget - wbc.nrToWrite;
    if (wbc.nrToWrite < budget) stuck = NULL;
    else if (stillDirty && stuck === NULL) stuck = inode;
  }
  return written;
}

/**
 * Body of the task that writes dirty pages in the background; never returns. It works when writers are above the background threshold or
 * when {@link wakeupPdflush} is called, as a timer should every few seconds.
 * *Source*: `pdflush`, `background_writeout` and `wb_kupdate`, mm/pdflush.c and mm/page-writeback.c, 2.6.27. *Differs*: one task, no age.
 */
export function* pdflush(): Op<void> {
  for (;;) {
    yield* waitEvent(pdflushWait, function* () {
      return (yield* readOnce(pdflushWork)) !== 0;
    });
    yield* writeOnce(pdflushWork, 0);
    while ((yield* writebackInodes(MAX_WRITEBACK_PAGES)) > 0) yield* condResched();
  }
}

/**
 * Holds a writer to the rate of the disk. *Context*: may sleep; no page locked.
 * *Source*: `balance_dirty_pages_ratelimited`, mm/page-writeback.c, 2.6.27. *Differs*: simple: above the background threshold pdflush is
 * woken; above the limit the writer itself writes a batch of the file's pages and waits for its writeback.
 */
export function* balanceDirtyPages(mapping: Ptr<AddressSpace>): Op<void> {
  const dirty = yield* globalPageState(NR_FILE_DIRTY);
  if (dirty <= backgroundThreshold()) return;
  yield* wakeupPdflush();
  if (dirty <= dirtyThreshold()) return;
  yield* writeCachePages(mapping, inBackground(THROTTLED_PAGES));
}

/** fsync() of one inode: its data is on the disk. *Returns* 0 or -errno. *Source*: `write_inode_now`, `do_fsync`, 2.6.27. */
export function* inodeSync(inode: Ptr<Inode>): Op<number> {
  return yield* filemapWriteAndWait(Inode.data(inode));
}
