// SPDX-License-Identifier: GPL-2.0-only
import { instantiate, type NativeMachine } from '@lockless/native';
import * as functions from './map-functions.js';
import * as translated from './map-functions.wasm.js';

/** Lookups in a map of integers. */
export interface MapLookup extends Pick<typeof functions, 'mapPeek'> {
  /** Whether they are WebAssembly. */
  readonly inWebAssembly: boolean;
}

/** For this thread: in WebAssembly if the machine's words lie in a memory of that, else in JavaScript. See {@link pageLookup} of `@lockless/lookup/pages`. */
export function mapLookup({ words }: NativeMachine): MapLookup {
  const found = instantiate(words, translated, functions);
  return { mapPeek: (found ?? functions).mapPeek, inWebAssembly: found !== null };
}
