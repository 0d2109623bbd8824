// SPDX-License-Identifier: GPL-2.0-only
import { enterIdle, type Ptr, words } from '@lockless/cpu/native';
import { Page } from '@lockless/mm-types/native';
import type { NativeMachine } from '@lockless/native';
import { FileCacheError } from './errors.js';
import { isBeingRead } from './frames.js';
import type { WordWait } from './waiting.js';

/*
 * Waiting while a word has a value, for exclusion.ts. Whoever changes it wakes; and lest somebody died in between, it is looked at from time to time.
 *
 * And what a blocking operation does whose thread is at something asynchronously as well: those for whom it waits may be blocked, too, waiting for that; so it waits for a limited time, and is
 * refused then. Reads and writes of a page that another thread is reading have a way round, and do not wait long for it.
 */

/** Nobody notifies it. Made when it is needed: a page that is not cross-origin isolated may import this package, to be told what it lacks. */
let never: Int32Array | undefined;
const LOOK_MS = 100;
/** A word that stays so long is an error. */
const STUCK_MS = 60_000;
/** So long a blocking operation waits for others although they may wait for something that this thread is at asynchronously: then it is taken for a deadlock. */
const DEADLOCK_MS = 5000;

/** The same, for a page that another thread is reading. */
const PAGE_MS = 100;

const stuck = ({ value }: WordWait): FileCacheError =>
  new FileCacheError(
    'ERR_FILE_CACHE_STUCK',
    `a file is being written to or truncated for ${STUCK_MS / 1000} seconds (${value > 0 ? `word ${value}` : 'half done'}): the thread is stuck, or died where nobody watched it`,
  );

const deadlock = (): FileCacheError =>
  new FileCacheError(
    'EDEADLK',
    'a blocking operation waits for another thread, which may be blocked itself and wait for what this thread is at asynchronously',
  );

/** Puts the thread to sleep. */
export function sleepBlocking(milliseconds: number): void {
  never ??= new Int32Array(new SharedArrayBuffer(4));
  enterIdle();
  Atomics.wait(never, 0, 0, milliseconds);
}

/** Waits; the event loop goes on meanwhile. */
export async function waitWhile(machine: NativeMachine, wait: WordWait): Promise<void> {
  const { word, value } = wait;
  for (const begin = Date.now(); Atomics.load(words, word) === value; ) {
    if (Date.now() - begin > STUCK_MS) throw stuck(wait);
    await machine.sleepOnWord(word, value, LOOK_MS);
  }
}

/** Waits asleep. `busy`: this thread is at something asynchronously, which goes on only after this. */
export function waitWhileBlocking(wait: WordWait, busy: boolean): void {
  const { word, value, ours } = wait;
  if (ours)
    throw new FileCacheError(
      'EDEADLK',
      'a blocking operation needs a file that this thread itself truncates or writes to asynchronously, which could end only after it',
    );
  enterIdle();
  for (const begin = Date.now(); Atomics.wait(words, word, value, LOOK_MS) === 'timed-out'; ) {
    if (Date.now() - begin > STUCK_MS) throw stuck(wait);
    if (busy && Date.now() - begin > DEADLOCK_MS) throw deadlock();
  }
}

/** Waits, in a thread that is at something asynchronously, until a bit of page->flags may be clear. Nobody wakes it: the task of a thread that is not to wait for long is on no queue. */
export function waitOnPageFor(page: Ptr<Page>, bit: number): void {
  for (const begin = Date.now(); (Atomics.load(words, Page.flags(page)) & (1 << bit)) !== 0; ) {
    if (Date.now() - begin > (isBeingRead(page) ? PAGE_MS : DEADLOCK_MS)) throw deadlock();
    sleepBlocking(0.2);
  }
}
