// SPDX-License-Identifier: MIT
import { defineWord, type Op, type Ref, readOnce, writeOnce } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import { interleavings } from '../src/interleavings.js';

const x: Ref<number> = defineWord('x');
const y: Ref<number> = defineWord('y');

describe('interleavings under SC', () => {
  it('are (4 choose 2) of two threads of two accesses, with three outcomes of store buffering', () => {
    const thread = (mine: Ref<number>, other: Ref<number>) =>
      function* (): Op<number> {
        yield* writeOnce(mine, 1);
        return yield* readOnce(other);
      };
    const runs = [...interleavings({ name: 'SB', setup: function* () {}, threads: { a: thread(x, y), b: thread(y, x) } })];
    expect(runs.length).toBe(6);
    expect(new Set(runs.map((r) => JSON.stringify(r.results))).size).toBe(3);
  });
});
