// SPDX-License-Identifier: GPL-2.0-only
import { words } from '@lockless/cpu/native';
import { FileCacheError } from './errors.js';
import type { WordWait } from './waiting.js';

/*
 * Waiting while a word has a value, for exclusion.ts. Whoever changes it wakes; and lest somebody died in between, it is looked at from time to time.
 */

const LOOK_MS = 100;
/** A word that stays so long is an error. */
const STUCK_MS = 60_000;
/** So long a blocking operation waits for others although they may wait for something that this thread is at asynchronously: then it is taken for a deadlock. */
const DEADLOCK_MS = 5000;

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeout: number,
) => { readonly value: Promise<unknown> | string };

const stuck = ({ value }: WordWait): FileCacheError =>
  new FileCacheError(
    'ERR_FILE_CACHE_STUCK',
    `a file is being written to or truncated for ${STUCK_MS / 1000} seconds (${value > 0 ? `word ${value}` : 'half done'}): the thread is stuck, or died where nobody watched it`,
  );

/** Waits; the event loop goes on meanwhile. */
export async function waitWhile(wait: WordWait): Promise<void> {
  const { waitAsync } = Atomics as unknown as { readonly waitAsync?: WaitAsync };
  const { word, value } = wait;
  for (const begin = Date.now(); Atomics.load(words, word) === value; ) {
    if (Date.now() - begin > STUCK_MS) throw stuck(wait);
    if (waitAsync === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    else await waitAsync(words, word, value, LOOK_MS).value;
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
  for (const begin = Date.now(); Atomics.wait(words, word, value, LOOK_MS) === 'timed-out'; ) {
    if (Date.now() - begin > STUCK_MS) throw stuck(wait);
    if (busy && Date.now() - begin > DEADLOCK_MS)
      throw new FileCacheError(
        'EDEADLK',
        'a blocking operation waits for another thread that truncates the file or writes to it, which may wait for what this thread is at asynchronously',
      );
  }
}
