// SPDX-License-Identifier: GPL-2.0-only
import type * as functions from '../wasm/access-functions.js';

type AccessTo = (words: Int32Array, word: number, n: number, wasm: typeof functions) => number;

/** One access to one word, again and again, each with its result used. */
export const ACCESSES: Readonly<Record<string, AccessTo>> = {
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
