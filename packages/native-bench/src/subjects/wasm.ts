// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import { type AddressSpace, Page } from '@lockless/mm-types/native';
import { type KeyOptions, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { inWebAssembly } from '../wasm/instance.js';
import * as functions from '../wasm/lookup-functions.js';
import * as translated from '../wasm/lookup-functions.wasm.js';
import type { World } from '../world.js';
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
  readonly keys: KeyOptions;
  readonly form: WasmForm;
  /** Which of the world's lists is this thread's. */
  readonly thread?: 0 | 1;
}

type Run = Subject['run'];

type WasmLookup = typeof functions;

/** The same lookups in WebAssembly, translated from the same source, over the same words. */
export function start({ world, keys, form, thread = 0 }: WasmOptions): Subject {
  const { words, counts, close } = enterWorld(world);
  const list = world.lists[thread];
  const lookup = inWebAssembly(words, translated, functions);
  const schedule = new Keys(keys);
  words.set(schedule.keys, list);
  const run = RUN[form](lookup, world.mapping, schedule, words, list);
  return { run, counts, close, expected: (first, n) => schedule.sum(first, n) };
}

const RUN: Readonly<
  Record<WasmForm, (lookup: WasmLookup, mapping: Ptr<AddressSpace>, keys: Keys, words: Int32Array, list: number) => Run>
> = {
  'find-put': ({ findGetPage, putPage }, mapping, { keys, mask }, words) =>
    function run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) {
        const page = findGetPage(mapping, keys[i & mask]);
        if (page === 0) throw new Error('a page left the cache');
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

function inBatches(batch: WasmLookup['readPages'], mapping: Ptr<AddressSpace>, mask: number, list: number): Run {
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
