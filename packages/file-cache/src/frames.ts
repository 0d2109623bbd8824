// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek, poke, type Ref, smpLoadAcquire, smpRmb, smpWmb, words, writeOnce } from '@lockless/cpu/native';
import { PAGE_SIZE, Page } from '@lockless/mm-types/native';
import { pageLocked, pageToPfn, pageUptodate, pageWriteback } from '@lockless/page/native';

/*
 * The bytes of the frames, which struct page only stands for: a second shared buffer, frame by frame. Of struct page two fields have no use natively,
 * as they stand for bytes: contentVersion is a sequence number of the bytes, odd while they change; contentIdentity is who reads or writes the frame
 * asynchronously (CPU + 1), for whoever finds that thread dead.
 */

let frames: SharedArrayBuffer | undefined;
let views: Uint8Array[] = [];

/** Tells this thread of the buffer. */
export function attachFrames(buffer: SharedArrayBuffer): void {
  frames = buffer;
  views = [];
}

/** The bytes of a page, as long as the caller has a reference to it. */
export function bytesOf(page: Ptr<Page>): Uint8Array {
  const pfn = pageToPfn(page);
  return (views[pfn] ??= new Uint8Array(frames as SharedArrayBuffer, pfn * PAGE_SIZE, PAGE_SIZE));
}

const sequence = (page: Ptr<Page>): Ref<number> => Page.contentVersion(page);

/**
 * The bytes are about to change. *Context*: page locked. *Ordering*: the odd number before the bytes; pairs with {@link bytesChanged}.
 * *Source*: `write_seqcount_begin`, include/linux/seqlock.h, 2.6.27.
 */
export function beginBytes(page: Ptr<Page>): void {
  writeOnce(sequence(page), (peek(sequence(page)) | 1) as number);
  smpWmb();
}

/** The bytes are complete. *Ordering*: they come before the even number. *Source*: `write_seqcount_end`. */
export function endBytes(page: Ptr<Page>): void {
  smpWmb();
  writeOnce(sequence(page), (((peek(sequence(page)) | 1) as number) + 1) | 0);
}

/** The sequence number of bytes that do not change at the moment, or -1. *Ordering*: before the bytes that are then read. */
export function stableBytes(page: Ptr<Page>): number {
  const now = smpLoadAcquire(sequence(page));
  return (now & 1) === 0 ? now : -1;
}

/** Whether the bytes that were read since {@link stableBytes} were other ones in between. *Ordering*: the bytes come before the second look. */
export function bytesChanged(page: Ptr<Page>, before: number): boolean {
  smpRmb();
  return smpLoadAcquire(sequence(page)) !== before;
}

/** In the word that says who transfers a frame: what the read brings is out of date by now. The page stays not uptodate, and who wants it reads it again. */
const STALE = 1 << 16;

/** Who transfers the frame asynchronously. 0: nobody. */
export function transferrer(page: Ptr<Page>): number {
  const word = peek(Page.contentIdentity(page));
  return word > 0 ? word & ~STALE : word;
}
export const setTransferrer = (page: Ptr<Page>, cpu: number): void => poke(Page.contentIdentity(page), cpu);

/** Whether a thread reads the page from the storage: it is locked, not uptodate and not dirty until that is over. */
export const isBeingRead = (page: Ptr<Page>): boolean =>
  transferrer(page) > 0 && pageLocked(page) && !pageUptodate(page) && !pageWriteback(page);

/**
 * What a read that is going on brings is not to be used: the storage has something else by now. Whoever reads, and whenever it ends. *Returns* false when nobody reads the page, any more.
 * *Ordering*: an atomic instruction; pairs with the one in {@link endTransfer}, which comes before the page may be uptodate.
 */
export function discardRead(page: Ptr<Page>): boolean {
  const word = peek(Page.contentIdentity(page));
  return isBeingRead(page) && Atomics.compareExchange(words, Page.contentIdentity(page), word, word | STALE) === word;
}

/** Nobody transfers the frame any more. *Returns* whether what was read is to be discarded. */
export const endTransfer = (page: Ptr<Page>): boolean =>
  (Atomics.exchange(words, Page.contentIdentity(page), 0) & STALE) !== 0;

/** Copies bytes of a page; few of them one by one, which is quicker than to make a view. */
export function copyBytes(page: Ptr<Page>, from: number, target: Uint8Array, at: number, count: number): void {
  const bytes = bytesOf(page);
  if (count === PAGE_SIZE) target.set(bytes, at);
  else if (count > 48) target.set(bytes.subarray(from, from + count), at);
  else for (let i = 0; i < count; i++) target[at + i] = bytes[from + i];
}
