// SPDX-License-Identifier: GPL-2.0-only
import { Page } from '@lockless/mm-types';
import { type KeyOptions, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { instantiateLookup, type WasmLookup } from '../wasm/lookup-module.js';
import type { World } from '../world.js';
import { neverFree } from './by-hand.js';
import { enterWorld } from './in-world.js';

const CONTENT = Page.$offset.contentIdentity;

/**
 * Who calls whom how often: `find-put` two calls a lookup, with the page's data read in JavaScript; `read` and `peek` one; the batches one for
 * {@link BATCH} lookups.
 */
export type WasmForm = 'find-put' | 'read' | 'read-batch' | 'peek' | 'peek-batch';
export const BATCH = 64;

export interface WasmOptions {
  readonly world: World;
  readonly binary: Uint8Array;
  readonly keys: KeyOptions;
  readonly form: WasmForm;
  /** Readers say nothing. */
  readonly quiet?: boolean;
  /** Which of the world's lists is this thread's. */
  readonly thread?: 0 | 1;
}

type Run = Subject['run'];

/** The same lookups in WebAssembly, over the same words. */
export function start({ world, binary, keys, form, quiet = false, thread = 0 }: WasmOptions): Subject {
  const { words, at, counts, close } = enterWorld(world);
  const list = world.lists[thread];
  const exported = instantiateLookup(binary, world.memory, at, neverFree);
  const lookup = quiet ? withQuietReaders(exported) : exported;
  const schedule = new Keys(keys);
  words.set(schedule.keys, list);
  const run = RUN[form](lookup, world.mapping, schedule, words, list);
  return { run, counts, close, expected: (first, n) => schedule.sum(first, n) };
}

const withQuietReaders = (lookup: WasmLookup): WasmLookup => ({
  ...lookup,
  readPage: lookup.readPageQuiet,
  peekPage: lookup.peekPageQuiet,
  readPages: lookup.readPagesQuiet,
  peekPages: lookup.peekPagesQuiet,
});

const RUN: Readonly<
  Record<WasmForm, (lookup: WasmLookup, mapping: number, keys: Keys, words: Int32Array, list: number) => Run>
> = {
  'find-put': ({ findGetPage, putPage }, mapping, { keys, mask }, words) =>
    function run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) {
        const page = findGetPage(mapping, keys[i & mask]);
        sum = (sum + words[page + CONTENT]) | 0;
        putPage(page);
      }
      return sum;
    },
  read: ({ readPage }, mapping, { keys, mask }) =>
    function run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + readPage(mapping, keys[i & mask])) | 0;
      return sum;
    },
  peek: ({ peekPage }, mapping, { keys, mask }) =>
    function run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + peekPage(mapping, keys[i & mask])) | 0;
      return sum;
    },
  'read-batch': ({ readPages }, mapping, { mask }, _words, list) => inBatches(readPages, mapping, mask, list),
  'peek-batch': ({ peekPages }, mapping, { mask }, _words, list) => inBatches(peekPages, mapping, mask, list),
};

function inBatches(
  batch: (mapping: number, indices: number, n: number) => number,
  mapping: number,
  mask: number,
  list: number,
): Run {
  return (first, n) => {
    let sum = 0;
    for (let done = 0; done < n; ) {
      const from = (first + done) & mask;
      const size = Math.min(BATCH, n - done, mask + 1 - from);
      sum = (sum + batch(mapping, list + from, size)) | 0;
      done += size;
    }
    return sum;
  };
}
