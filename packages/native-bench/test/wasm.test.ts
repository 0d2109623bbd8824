// SPDX-License-Identifier: GPL-2.0-only
import { bootReserve } from '@lockless/cpu/native';
import { NativeMachine } from '@lockless/native';
import { afterEach, describe, expect, it } from 'vitest';
import * as translatedAccesses from '../dist/wasm/access-functions.wasm.js';
import * as translatedLookups from '../dist/wasm/lookup-functions.wasm.js';
import { contentOf } from '../src/harness/keys.js';
import * as accesses from '../src/wasm/access-functions.js';
import { inWebAssembly } from '../src/wasm/instance.js';
import * as lookups from '../src/wasm/lookup-functions.js';
import { makeWorld } from '../src/world.js';

let machine: NativeMachine;
afterEach(() => machine.detach());

it('single accesses in WebAssembly do what they are called', () => {
  machine = NativeMachine.create({ words: 1 << 21 });
  const word = bootReserve(1);
  const { words } = machine;
  const wasm = inWebAssembly(words, translatedAccesses, accesses);
  words[word] = 5;
  expect([wasm.call(9), wasm.load(word), wasm.atomicAdd(word), wasm.atomicAdd(word)]).toEqual([9, 5, 5, 6]);
  expect([wasm.loads(word, 3), wasm.adds(word, 2), words[word]]).toEqual([21, 15, 9]);
  expect([wasm.exchanges(word, 2), words[word], wasm.stores(word, 4), words[word]]).toEqual([9, 1, 4, 3]);
});

describe.each(['mb', 'qsbr'] as const)('lookups in WebAssembly, one by one and in batches: %s', (rcu) => {
  it('find what the pages hold, and leave no reference', () => {
    const world = makeWorld({ generation: 'freeze-refs', pages: 100, spare: 64, rcu });
    machine = NativeMachine.attach(world.handle);
    const { words } = machine;
    const wasm = inWebAssembly(words, translatedLookups, lookups);
    const { mapping } = world;
    const indices = [0, 1, 63, 64, 99];
    const [list] = world.lists;
    words.set(indices, list);
    const sum = indices.reduce((total, each) => (total + contentOf(each)) | 0, 0);
    for (const { readPage, peekPage, readPages, peekPages } of [wasm, lookups]) {
      const before = words.slice();
      for (const index of indices)
        expect([readPage(mapping, index), peekPage(mapping, index)]).toEqual([contentOf(index), contentOf(index)]);
      expect([readPage(mapping, 100), peekPage(mapping, 2 ** 31)]).toEqual([0, 0]);
      expect([readPages(mapping, list, 5), peekPages(mapping, list, 5), peekPages(mapping, list, 0)]).toEqual([
        sum,
        sum,
        0,
      ]);
      // Counters of this thread, and its word as a reader, are all that changed.
      expect(before.filter((word, at) => word !== words[at]).length).toBeLessThanOrEqual(3);
    }
  });
});
