// SPDX-License-Identifier: GPL-2.0-only
import { instantiate, type TranslatedModule } from '@lockless/native';
import { Unavailable } from '../harness/subject.js';

/** Functions in WebAssembly. Throws Unavailable where there is none. */
export function inWebAssembly<F extends object>(words: Int32Array, translated: TranslatedModule, functions: F): F {
  const found = instantiate(words, translated, functions);
  if (found === null) throw new Unavailable('there is no WebAssembly with shared memory here');
  return found;
}
