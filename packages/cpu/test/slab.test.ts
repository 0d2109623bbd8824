// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import {
  exhaustReserves,
  GFP_ATOMIC,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  NULL,
  runSequentially,
  type StructOf,
  struct,
} from '../src/index.js';

interface Thing {
  value: number;
}
const Thing: StructOf<Thing> = struct<Thing>('thing', { value: 1 });
const cache = kmemCacheCreate(Thing);

describe('reserves', () => {
  const failed = (gfp: number, exhaust: boolean): boolean =>
    runSequentially(function* () {
      if (exhaust) exhaustReserves();
      return (yield* kmemCacheAlloc(cache, gfp)) === NULL;
    });

  it.each([
    ['who may sleep', GFP_KERNEL, false],
    ['who may not', GFP_ATOMIC, true],
  ])('are not there for %s once they are exhausted', (_who, gfp, without) => {
    expect(failed(gfp, false)).toBe(false);
    expect(failed(gfp, true)).toBe(without);
  });
});
