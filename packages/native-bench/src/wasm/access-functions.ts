// SPDX-License-Identifier: GPL-2.0-only
import { words } from '@lockless/cpu/native';

/*
 * What is exported here is translated to WebAssembly: single accesses, for the price of a call and of an access.
 */

export function call(x: number): number {
  return x;
}

export function load(word: number): number {
  return words[word];
}

export function atomicAdd(word: number): number {
  return Atomics.add(words, word, 1);
}

/** The same word again and again. */
export function loads(word: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum = (sum + Atomics.load(words, word)) | 0;
  return sum;
}

export function stores(word: number, n: number): number {
  for (let i = 0; i < n; i++) Atomics.store(words, word, i);
  return n;
}

export function adds(word: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum = (sum + Atomics.add(words, word, 1)) | 0;
  return sum;
}

export function exchanges(word: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum = (sum + Atomics.exchange(words, word, i)) | 0;
  return sum;
}
