// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr, Ref } from '@lockless/cpu/native';
import type { Page } from '@lockless/mm-types/native';
import type { Transfer } from './device.js';

/*
 * Operations of files are written once, as generators that yield where the thread must wait, and run in two ways: asynchronously, where the event loop goes on
 * meanwhile, or blocking. Between two yields they are inside kernel code (kernel-section.ts) and hold spin locks at most for moments; across a yield they hold
 * nothing but recorded references (pins.ts). Page locks are held across a yield by transfers alone.
 */

/** Until a bit of page->flags, PG_locked or PG_writeback, may be clear. The page is pinned. */
interface PageWait {
  readonly kind: 'page';
  readonly page: Ptr<Page>;
  readonly bit: number;
}
/** Until a transfer that this thread has begun is over. */
interface TransferWait {
  readonly kind: 'transfer';
  readonly transfer: Transfer;
}
/** For a while: nobody tells when memory is to be had again. */
interface Pause {
  readonly kind: 'pause';
  readonly milliseconds: number;
}
/** For the storage; what it gives, or throws, is what the yield evaluates to. */
interface StorageWait {
  readonly kind: 'storage';
  readonly later: () => Promise<unknown>;
  readonly now: () => unknown;
}
/** While a word has a value. */
export interface WordWait {
  readonly kind: 'word';
  readonly word: Ref<number>;
  readonly value: number;
  /** Another operation of this very thread is to change it. */
  readonly ours: boolean;
}
/** Not at all: whether the operation blocks the thread is what the yield evaluates to. */
interface FormAsked {
  readonly kind: 'form';
}
export type Wait = PageWait | TransferWait | Pause | StorageWait | WordWait | FormAsked;

/** An operation. */
export type Steps<T> = Generator<Wait, T, unknown>;

/** Waits until a bit of page->flags may be clear. */
export function* waitOnPage(page: Ptr<Page>, bit: number): Steps<void> {
  yield { kind: 'page', page, bit };
}

/** Waits for a transfer of this thread; its error, if it failed. */
export function* waitForTransfer(transfer: Transfer): Steps<unknown> {
  yield { kind: 'transfer', transfer };
  return transfer.error;
}

export function* pause(milliseconds: number): Steps<void> {
  yield { kind: 'pause', milliseconds };
}

/** Asks the storage, in the way that fits how the operation runs. Throws what it throws. */
export function* fromStorage<T>(later: () => Promise<T>, now: () => T): Steps<T> {
  return (yield { kind: 'storage', later, now }) as T;
}

/** Waits while a word has a value, and maybe not so long. `ours`: another operation of this thread is to change it; a blocking one is refused then. */
export function* waitOnWord(word: Ref<number>, value: number, ours: boolean): Steps<void> {
  yield { kind: 'word', word, value, ours };
}

/** Whether the operation blocks the thread: then no other operation of this thread goes on meanwhile. */
export function* isBlocking(): Steps<boolean> {
  return (yield { kind: 'form' }) as boolean;
}
