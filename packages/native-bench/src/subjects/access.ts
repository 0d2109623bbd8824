// SPDX-License-Identifier: GPL-2.0-only
import { bootReserve } from '@lockless/cpu/native';
import { NativeMachine } from '@lockless/native';
import type { Subject } from '../harness/subject.js';
import * as functions from '../wasm/access-functions.js';
import * as translated from '../wasm/access-functions.wasm.js';
import { inWebAssembly } from '../wasm/instance.js';
import { ACCESSES } from './access-loops.js';

export interface AccessOptions {
  /** Which of access-loops.ts. */
  readonly access: string;
}

export function start({ access }: AccessOptions): Subject {
  const machine = NativeMachine.create({ words: 1 << 21 });
  const { words } = machine;
  const wasm = inWebAssembly(words, translated, functions);
  const word = bootReserve(2);
  const perform = ACCESSES[access];
  let sink = 0;
  return {
    run(_first, n) {
      sink ^= perform(words, word, n, wasm);
      return sink;
    },
    counts: () => ({ sink }),
    close: () => machine.detach(),
  };
}
