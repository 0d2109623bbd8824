// SPDX-License-Identifier: GPL-2.0-only
import { instantiate, type NativeMachine } from '@lockless/native';
import * as functions from './page-functions.js';
import * as translated from './page-functions.wasm.js';

/** Lookups in the page cache. */
export interface PageLookup extends Pick<typeof functions, 'findGetPage' | 'putPage' | 'peekPage'> {
  /** Whether they are WebAssembly. */
  readonly inWebAssembly: boolean;
}

/**
 * find_get_page() and what goes with it, for this thread: in WebAssembly if the machine's words lie in a memory of that, else in JavaScript. Both do the same to every
 * word, and may be mixed, also one inside an RCU reader of the other. Not to be called after the machine is detached.
 */
export function pageLookup({ words }: NativeMachine): PageLookup {
  const found = instantiate(words, translated, functions);
  const { findGetPage, putPage, peekPage } = found ?? functions;
  return { findGetPage, putPage, peekPage, inWebAssembly: found !== null };
}
