// SPDX-License-Identifier: GPL-2.0-only
import { Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { findGetPage } from '@lockless/pagecache';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { handWritten, type Lookup } from '../src/hand-written.js';
import { compileLookup, instantiateLookup, type WasmLookup } from '../src/wasm/lookup-module.js';
import { wasmMemory } from '../src/wasm/web-assembly.js';
import { type CachedFile, cachedFile, contentAt } from './cached-file.js';

let binary: Uint8Array;
beforeAll(async () => {
  binary = await compileLookup();
});

interface Copy<L extends Lookup> {
  readonly words: Int32Array;
  readonly lookup: L;
  /** Pages whose last reference was put. */
  readonly freed: number[];
}

function byHand({ engine, at }: CachedFile): Copy<Lookup> {
  const words = new Int32Array(new SharedArrayBuffer(engine.words.byteLength));
  words.set(engine.words);
  const freed: number[] = [];
  return { words, freed, lookup: handWritten(words, at, (page) => freed.push(page)) };
}

function inWasm({ engine, at }: CachedFile): Copy<WasmLookup> {
  const memory = wasmMemory(engine.words.byteLength);
  const words = new Int32Array(memory.buffer);
  words.set(engine.words);
  const freed: number[] = [];
  return { words, freed, lookup: instantiateLookup(binary, memory, at, (page) => freed.push(page)) };
}

/** Which words differ; a WebAssembly memory has some more at its end. */
const differences = (a: Int32Array, b: Int32Array): number[] => {
  const found: number[] = [];
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) found.push(at);
  return found;
};

const index = fc.oneof(fc.nat(70), fc.nat(4200), fc.nat(2 ** 19 - 2), fc.constantFrom(0, 63, 64, 4095, 4096));

describe('the lookup by hand and in WebAssembly does what the kernel code does', () => {
  it('finds the same pages, and leaves every word of memory as the kernel code leaves it', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(index, { maxLength: 24 }),
        fc.array(
          fc.tuple(
            fc.oneof(
              index,
              fc.nat(23).map((n) => -1 - n),
            ),
            fc.boolean(),
          ),
          { maxLength: 40 },
        ),
        (indices, script) => {
          const file = cachedFile(indices);
          const [hand, wasm] = [byHand(file), inWasm(file)];
          for (const [named, put] of script) {
            const wanted = named >= 0 ? named : (indices[-1 - named] ?? 0);
            const page = file.engine.run(findGetPage(file.mapping, wanted));
            expect(page).toBe(file.pages.get(wanted) ?? 0);
            expect(hand.lookup.findGetPage(file.mapping, wanted)).toBe(page);
            expect(wasm.lookup.findGetPage(file.mapping, wanted)).toBe(page);
            if (page !== 0 && put) {
              file.engine.run(putPage(page));
              hand.lookup.putPage(page);
              wasm.lookup.putPage(page);
            }
          }
          expect(differences(file.engine.words, hand.words)).toEqual([]);
          expect(differences(file.engine.words, wasm.words)).toEqual([]);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('peeks without a reference, one by one and in batches', () => {
    const indices = [0, 1, 63, 64, 4095, 4096, 300_000];
    const file = cachedFile(indices);
    const [hand, wasm] = [byHand(file), inWasm(file)];
    const before = wasm.words.slice();
    for (const wanted of [...indices, 2, 5000, 2 ** 31]) {
      const content = file.pages.has(wanted) ? contentAt(wanted) : 0;
      expect(hand.lookup.peekPage(file.mapping, wanted)).toBe(content);
      expect(wasm.lookup.peekPage(file.mapping, wanted)).toBe(content);
      expect(wasm.lookup.peekPageQuiet(file.mapping, wanted)).toBe(content);
      expect(handWritten(hand.words, file.at, () => {}, { quiet: true }).peekPage(file.mapping, wanted)).toBe(content);
    }
    expect(differences(hand.words, wasm.words)).toEqual([]);
    expect(differences(file.engine.words, hand.words)).toEqual([]);
    const list = wasm.words.length - indices.length;
    wasm.words.set(indices, list);
    const sum = indices.reduce((total, each) => (total + contentAt(each)) | 0, 0);
    expect(wasm.lookup.peekPages(file.mapping, list, indices.length)).toBe(sum);
    expect(wasm.lookup.readPages(file.mapping, list, indices.length)).toBe(sum);
    expect(wasm.lookup.readPagesQuiet(file.mapping, list, indices.length)).toBe(sum);
    expect(wasm.lookup.peekPagesQuiet(file.mapping, list, indices.length)).toBe(sum);
    expect(wasm.lookup.readPage(file.mapping, 64)).toBe(contentAt(64));
    expect(wasm.lookup.readPageQuiet(file.mapping, 65)).toBe(0);
    const page = file.pages.get(64) as number;
    expect(wasm.words[page + Page.$offset._count]).toBe(before[page + Page.$offset._count]);
  });

  it('frees the page whose last reference it puts, and no other', () => {
    const file = cachedFile([3]);
    const page = file.pages.get(3) as number;
    for (const { words, lookup, freed } of [byHand(file), inWasm(file)]) {
      lookup.findGetPage(file.mapping, 3);
      expect(words[page + Page.$offset._count]).toBe(2);
      lookup.putPage(page);
      expect(freed).toEqual([]);
      lookup.putPage(page);
      expect(freed).toEqual([page]);
    }
  });
});

it('single accesses in WebAssembly do what they are called', () => {
  const { lookup, words } = inWasm(cachedFile([]));
  const word = words.length - 16;
  words[word] = 5;
  expect([lookup.call(9), lookup.load(word), lookup.atomicAdd(word), lookup.atomicAdd(word)]).toEqual([9, 5, 5, 6]);
  expect([lookup.loads(word, 3), lookup.adds(word, 2), words[word]]).toEqual([21, 15, 9]);
  expect([lookup.exchanges(word, 2), words[word], lookup.stores(word, 4), words[word]]).toEqual([11, 1, 0, 1]);
});
