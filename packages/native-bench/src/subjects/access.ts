// SPDX-License-Identifier: GPL-2.0-only
import type { Subject } from '../harness/subject.js';
import { instantiateLookup, type WasmLookup } from '../wasm/lookup-module.js';
import { wasmMemory } from '../wasm/web-assembly.js';
import { neverFree } from './by-hand.js';

type AccessTo = (words: Int32Array, word: number, n: number, wasm: WasmLookup) => number;

/** One access to one word, again and again, each with its result used. */
const ACCESSES: Readonly<Record<string, AccessTo>> = {
  'plain load': (words, word, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + words[word + (i & 1)]) | 0;
    return sum;
  },
  'Atomics.load': (words, word, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + Atomics.load(words, word)) | 0;
    return sum;
  },
  'Atomics.store': (words, word, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + Atomics.store(words, word, i)) | 0;
    return sum;
  },
  'Atomics.exchange': (words, word, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + Atomics.exchange(words, word, i)) | 0;
    return sum;
  },
  'Atomics.add': (words, word, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + Atomics.add(words, word, 1)) | 0;
    return sum;
  },
  'Atomics.compareExchange': (words, word, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + Atomics.compareExchange(words, word, sum, i)) | 0;
    return sum;
  },
  'i32.atomic.load': (_words, word, n, { loads }) => loads(word, n),
  'i32.atomic.store': (_words, word, n, { stores }) => stores(word, n),
  'i32.atomic.rmw.xchg': (_words, word, n, { exchanges }) => exchanges(word, n),
  'i32.atomic.rmw.add': (_words, word, n, { adds }) => adds(word, n),
  'call of wasm': (_words, _word, n, { call }) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + call(i)) | 0;
    return sum;
  },
  'call of wasm, load': (_words, word, n, { load }) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + load(word + (i & 1))) | 0;
    return sum;
  },
  'call of wasm, rmw.add': (_words, word, n, { atomicAdd }) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + atomicAdd(word)) | 0;
    return sum;
  },
};

export const ACCESS_NAMES: readonly string[] = Object.keys(ACCESSES);

export interface AccessOptions {
  /** One of {@link ACCESS_NAMES}. */
  readonly access: string;
  readonly binary: Uint8Array;
}

export function start({ access, binary }: AccessOptions): Subject {
  const memory = wasmMemory(1);
  const words = new Int32Array(memory.buffer);
  const at = { gracePeriod: 16, reader: 32, lookups: 48, refused: 49, moved: 50 };
  const wasm = instantiateLookup(binary, memory, at, neverFree);
  const perform = ACCESSES[access];
  let sink = 0;
  return {
    run(_first, n) {
      sink ^= perform(words, 64, n, wasm);
      return sink;
    },
    counts: () => ({ sink }),
  };
}
