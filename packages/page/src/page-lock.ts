// SPDX-License-Identifier: GPL-2.0-only
import type { Layout, Op, Ptr, Ref } from '@lockless/cpu';
import {
  bugOn,
  defineWord,
  finishWait,
  ListHead,
  mightSleep,
  peek,
  poke,
  prepareToWait,
  schedule,
  smpMbAfterAtomic,
  smpMbBeforeAtomic,
  TASK_UNINTERRUPTIBLE,
  testAndClearBit,
  testAndSetBit,
  testBit,
  WaitQueueHead,
  waitqueueActive,
  wakeUpKey,
} from '@lockless/cpu';
import { Page, PG_LOCKED, PG_WRITEBACK } from '@lockless/mm-types';
import { pageLocked, pageWriteback } from './page-flags.js';

/*
 * Bits that tasks wait for, PG_locked and PG_writeback, share a hash table of wait queues: a wait queue in each struct page would cost
 * too much. A waiter's key says for which page and bit it waits, so a wake-up passes by those who wait for another.
 */
const PAGES_PER_WAITQUEUE = 256;
const waitTable: Ref<Ptr<WaitQueueHead>> = defineWord('zone_wait_table');
/** log2 of the number of queues. */
const waitTableBits: Ref<number> = defineWord('zone_wait_table_bits');

/** zone_wait_table_init(): 4 to 4096 queues. Boot. *Source*: mm/page_alloc.c, 2.6.27. */
export function initWaitTable(pages: number, bootReserve: (words: number, element: Layout) => number): void {
  const entries = Math.min(4096, Math.max(4, Math.ceil(pages / PAGES_PER_WAITQUEUE)));
  const bits = Math.ceil(Math.log2(entries));
  const table = bootReserve(WaitQueueHead.$size << bits, WaitQueueHead) as Ptr<WaitQueueHead>;
  for (let i = 0; i < 1 << bits; i++) {
    const list = WaitQueueHead.taskList((table + i * WaitQueueHead.$size) as Ptr<WaitQueueHead>);
    poke(ListHead.next(list), list);
    poke(ListHead.prev(list), list);
  }
  poke(waitTable, table);
  poke(waitTableBits, bits);
}

/** page_waitqueue(): by the hash of the page's address, so it needs no reference to the page. *Source*: mm/filemap.c, 2.6.27. */
export function pageWaitqueue(page: Ptr<Page>): Ptr<WaitQueueHead> {
  const hash = Math.imul(page / Page.$size, 0x9e370001) >>> (32 - peek(waitTableBits));
  return (peek(waitTable) + hash * WaitQueueHead.$size) as Ptr<WaitQueueHead>;
}

/** All queues of the table: for who looks at them from outside. */
export function* pageWaitqueues(): Generator<Ptr<WaitQueueHead>> {
  for (let i = 0; i < 1 << peek(waitTableBits); i++)
    yield (peek(waitTable) + i * WaitQueueHead.$size) as Ptr<WaitQueueHead>;
}

/** Struct pages are 16 words apart and the bits waited for are below 16, so this names one bit of one page; never 0. */
const waitKey = (page: Ptr<Page>, bit: number): number => page + bit;

/**
 * wait_on_page_bit(): sleeps until the bit is clear. *Context*: reference held, may sleep.
 * *Ordering*: on the queue, full barrier, then the bit is looked at. Pairs with {@link wakeUpPage}.
 * *Source*: mm/filemap.c, 2.6.27. *Differs*: no sync_page(): requests are never held back.
 */
export function* waitOnPageBit(page: Ptr<Page>, bit: number): Op<void> {
  mightSleep();
  if (!(yield* testBit(bit, Page.flags(page)))) return;
  while (yield* prepareToWaitOnPageBit(page, bit)) yield* schedule();
  yield* finishWait(pageWaitqueue(page));
}

/**
 * One turn of {@link waitOnPageBit}: true when the bit is set still and the task is on the queue, to be woken when it is cleared. For who sleeps in another way
 * than schedule(), and calls finishWait() in the end. *Ordering*: as there.
 */
export function* prepareToWaitOnPageBit(page: Ptr<Page>, bit: number): Op<boolean> {
  yield* prepareToWait(pageWaitqueue(page), TASK_UNINTERRUPTIBLE, waitKey(page, bit));
  return yield* testBit(bit, Page.flags(page));
}

/**
 * wake_up_page(): wakes who waits for that bit of that page, of lockers one. The page may be gone already: only its address is used.
 * *Context*: any. *Ordering*: the caller has a full barrier between clearing the bit and this. Pairs with {@link waitOnPageBit}.
 * *Source*: `__wake_up_bit`, kernel/wait.c, 2.6.27.
 */
export function* wakeUpPage(page: Ptr<Page>, bit: number): Op<void> {
  const queue = pageWaitqueue(page);
  if (yield* waitqueueActive(queue)) yield* wakeUpKey(queue, waitKey(page, bit), 1);
}

/** trylock_page(): true when taken. *Ordering*: full. *Source*: include/linux/pagemap.h, 2.6.27. */
export function* trylockPage(page: Ptr<Page>): Op<boolean> {
  return !(yield* testAndSetBit(PG_LOCKED, Page.flags(page)));
}

/**
 * lock_page(): sleeps until the page lock is taken. *Context*: reference held, may sleep. Lock order: inside mmap_sem, outside i_mmap_lock.
 * *Ordering*: full. *Source*: mm/filemap.c, 2.6.27.
 */
export function* lockPage(page: Ptr<Page>): Op<void> {
  mightSleep();
  if (yield* trylockPage(page)) return;
  const queue = pageWaitqueue(page);
  do {
    yield* prepareToWait(queue, TASK_UNINTERRUPTIBLE, waitKey(page, PG_LOCKED), true);
    if (yield* pageLocked(page)) yield* schedule();
  } while (!(yield* trylockPage(page)));
  yield* finishWait(queue);
}

/**
 * unlock_page(). *Context*: any; the caller took the lock or was given it (a read that completes unlocks).
 * *Ordering*: the barrier before keeps what was done under the lock before the release of it; the one after keeps the look at the wait
 * queue behind it and pairs with the barrier in prepare_to_wait(), so either the waiter sees the bit clear or we see the waiter. Around
 * a test_and_clear_bit, itself a full barrier, both are for the reader of the code.
 * *Source*: mm/filemap.c, 2.6.27.
 */
export function* unlockPage(page: Ptr<Page>): Op<void> {
  yield* smpMbBeforeAtomic();
  bugOn(!(yield* testAndClearBit(PG_LOCKED, Page.flags(page))), 'unlock_page: !PageLocked(page)');
  yield* smpMbAfterAtomic();
  yield* wakeUpPage(page, PG_LOCKED);
}

/** wait_on_page_locked(): sleeps until nobody holds the lock; somebody may take it right after. *Context*: reference held. */
export const waitOnPageLocked = (page: Ptr<Page>): Op<void> => waitOnPageBit(page, PG_LOCKED);

/** wait_on_page_writeback(): sleeps until the disk is done. *Context*: page locked, or a reference held and new writeback tolerable. */
export function* waitOnPageWriteback(page: Ptr<Page>): Op<void> {
  if (yield* pageWriteback(page)) yield* waitOnPageBit(page, PG_WRITEBACK);
}
