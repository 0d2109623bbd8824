// SPDX-License-Identifier: GPL-2.0-only
import { enterIdle, peek, type Ref, thisCpu, words } from '@lockless/cpu/native';
import { FileCacheError } from './errors.js';
import { inKernel, stopWord } from './shared-words.js';

/*
 * A thread says when it is inside kernel code. Whoever repairs what a dead thread left sets stopWord and waits until no living thread is inside; then
 * every reference is where somebody can find it (in the tree, in a pin table) and nothing changes but bytes.
 *
 * Entering is Dekker's: store inKernel, full barrier, look at stopWord; the repairer stores stopWord, full barrier, looks at inKernel. One of the two
 * sees the other.
 */

let depth = 0;
let attached = false;
let own: Ref<number> = 0 as Ref<number>;
/** Work that came while it could not be done: references that were to be given back. */
const postponed: (() => void)[] = [];

/** From here on this thread may enter; or no more. */
export function attachSections(attach: boolean): void {
  attached = attach;
  depth = 0;
  postponed.length = 0;
  own = inKernel(thisCpu.id);
}

/** Enters kernel code unless a repair is going on. Nests. */
export function tryEnterKernel(): boolean {
  if (!attached)
    throw new FileCacheError('ERR_FILE_CACHE_CLOSED', 'this thread has no cache: it was closed, or never attached');
  if (depth > 0) {
    depth++;
    return true;
  }
  Atomics.store(words, own, 1);
  if (Atomics.load(words, stopWord) !== 0) {
    Atomics.store(words, own, 0);
    return false;
  }
  depth = 1;
  while (postponed.length > 0) postponed.pop()?.();
  return true;
}

/** Ends what {@link tryEnterKernel} began. */
export function leaveKernel(): void {
  if (--depth === 0) Atomics.store(words, own, 0);
}

/** Does something short inside, now or, while a repair is going on, when this thread enters next. */
export function insideOrLater(work: () => void): void {
  if (!tryEnterKernel()) {
    postponed.push(work);
    return;
  }
  try {
    work();
  } finally {
    leaveKernel();
  }
}

const REPAIR_MS = 100;

/** {@link tryEnterKernel}, waiting for the end of a repair without blocking: it takes milliseconds. */
export async function enterKernel(): Promise<void> {
  while (!tryEnterKernel()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** {@link tryEnterKernel}, asleep until the repair is over. */
export function enterKernelBlocking(): void {
  while (!tryEnterKernel()) {
    const stopped = peek(stopWord);
    enterIdle();
    if (stopped !== 0) Atomics.wait(words, stopWord, stopped, REPAIR_MS);
  }
}

/** For who has stopped all others: enters although they are stopped. *Context*: outside kernel code. */
export function enterStopped(): void {
  depth = 1;
}

/** Ends {@link enterStopped}. */
export function leaveStopped(): void {
  depth = 0;
}
