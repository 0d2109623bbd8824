// SPDX-License-Identifier: GPL-2.0-only
import type { Lookup } from '../hand-written.js';
import type { LookupAddresses } from '../lookup-addresses.js';
import { LOOKUP_WAT } from './lookup-wat.js';
import { instantiate, type WasmMemory } from './web-assembly.js';

/** What the module exports. Mappings, pages, lists of indices: word addresses. */
export interface WasmLookup extends Lookup {
  /** Find, read what the page holds, put. */
  readPage(mapping: number, index: number): number;
  /** The same for `n` indices that lie in word memory; the sum. */
  readPages(mapping: number, indices: number, n: number): number;
  peekPages(mapping: number, indices: number, n: number): number;
  /** The same for a thread whose readers say nothing (urcu-qsbr). */
  readPageQuiet(mapping: number, index: number): number;
  peekPageQuiet(mapping: number, index: number): number;
  readPagesQuiet(mapping: number, indices: number, n: number): number;
  peekPagesQuiet(mapping: number, indices: number, n: number): number;
  /** For the price of calls and of single accesses. */
  call(x: number): number;
  load(word: number): number;
  atomicAdd(word: number): number;
  loads(word: number, n: number): number;
  stores(word: number, n: number): number;
  adds(word: number, n: number): number;
  exchanges(word: number, n: number): number;
}

/** Translates the module. Throws where the package wabt is not installed: it is a devDependency. */
export async function compileLookup(): Promise<Uint8Array> {
  const { default: wabt } = await import('wabt');
  const text = (await wabt()).parseWat('lookup.wat', LOOKUP_WAT, { threads: true });
  try {
    return text.toBinary({}).buffer;
  } finally {
    text.destroy();
  }
}

/** A thread's instance over the shared words. `freePage`: what becomes of a page whose last reference is put. */
export function instantiateLookup(
  binary: Uint8Array,
  memory: WasmMemory,
  at: LookupAddresses,
  freePage: (page: number) => void,
): WasmLookup {
  const bytes = Object.fromEntries(Object.entries(at).map(([name, word]) => [name, word * 4]));
  const machine = { ...bytes, words: memory, freePage };
  return instantiate(binary, { machine }) as WasmLookup;
}
