// SPDX-License-Identifier: MIT
import { bugOn, GFP_KERNEL, kmemCacheAlloc, kmemCacheCreate, struct } from '@lockless/cpu';
import { expect, it } from 'vitest';
import { check } from '../src/index.js';

interface Wide {
  words: number;
}
const small = kmemCacheCreate(struct<Wide>('small_object', { words: 1 }));
const aligned = kmemCacheCreate(struct<Wide>('aligned_object', { words: 3 }), { align: 256 });

it('gives threads objects that are aligned as their cache asks for', async () => {
  const result = await check({
    name: 'aligned',
    *setup() {},
    threads: {
      *allocate() {
        yield* kmemCacheAlloc(small, GFP_KERNEL);
        for (let i = 0; i < 3; i++) bugOn((yield* kmemCacheAlloc(aligned, GFP_KERNEL)) % 256 !== 0, 'not aligned');
      },
    },
  });
  expect(result.verdict).toBe('holds');
});
