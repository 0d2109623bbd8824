// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, peek, poke, thisCpu } from '@lockless/cpu/native';
import type { Page } from '@lockless/mm-types/native';
import { putPage } from '@lockless/page/native';
import { FileCacheError } from './errors.js';
import { entryOf, maxPins, pinTable } from './shared-words.js';

/*
 * References that a thread keeps while it is not inside kernel code: of views, and of operations that wait. Each is in an entry of a table in shared
 * memory, so that it is given back should the thread die.
 */

/** A reference, by the number of its entry. */
export interface Pin {
  readonly page: Ptr<Page>;
  readonly entry: number;
}

/** Entries of this thread that are free; the others are in use. */
let free: number[] = [];

/** All entries are free. */
export function initPins(): void {
  const entries = peek(maxPins);
  free = Array.from({ length: entries }, (_, i) => entries - 1 - i);
}

/** How many references this thread keeps. */
export const pinsHeld = (): number => peek(maxPins) - free.length;

/** Records a reference that the caller took. *Context*: inside kernel code. Throws, with the reference given back, when the table is full. */
export function recordPin(page: Ptr<Page>): Pin {
  const entry = free.pop();
  if (entry === undefined) {
    putPage(page);
    throw new FileCacheError('ERR_FILE_CACHE_TOO_MANY_VIEWS', `this thread holds ${peek(maxPins)} views: release some`);
  }
  poke(entryOf(peek(pinTable), peek(maxPins), thisCpu.id, entry), page);
  return { page, entry };
}

/** Gives a reference back; the last one frees the page. *Context*: inside kernel code. */
export function unpin({ page, entry }: Pin): void {
  poke(entryOf(peek(pinTable), peek(maxPins), thisCpu.id, entry), NULL);
  free.push(entry);
  putPage(page);
}
