// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Embed, Null, Ptr, StructOf, Vec } from '../src/index.js';
import {
  containerOf,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  load,
  NULL,
  runSequentially,
  store,
  struct,
} from '../src/index.js';

interface Inner {
  a: number;
  b: number;
}
const Inner: StructOf<Inner> = struct<Inner>('inner', { a: 1, b: 1 });
interface Outer {
  x: number;
  inner: Embed<Inner>;
  list: Vec<number>;
  next: Ptr<Outer> | Null;
}
const Outer: StructOf<Outer> = struct<Outer>('outer', { x: 1, inner: Inner, list: 4, next: 1 }, 16);
const cache = kmemCacheCreate(Outer);

describe('struct', () => {
  it('lays fields out in order, embedded structs and arrays inline, and rounds the size up', () => {
    expect(Outer.$offset).toEqual({ x: 0, inner: 1, list: 3, next: 7 });
    expect(Outer.$size).toBe(16);
    const p = 1600 as Ptr<Outer>;
    expect(Outer.inner(p)).toBe(1601);
    expect(Inner.b(Outer.inner(p))).toBe(1602);
    expect(Outer.list(p, 3)).toBe(1606);
    expect(containerOf(Outer.inner(p), Outer, 'inner')).toBe(p);
  });

  it('keeps every field of every object apart (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 8, maxLength: 8 }), (values) => {
        const seen = runSequentially(function* () {
          const one = yield* kmemCacheAlloc(cache, GFP_KERNEL);
          const two = yield* kmemCacheAlloc(cache, GFP_KERNEL);
          if (one === NULL || two === NULL) throw new Error('no memory');
          const refs = [
            Outer.x(one),
            Inner.a(Outer.inner(one)),
            Inner.b(Outer.inner(one)),
            ...[0, 1, 2, 3].map((i) => Outer.list(one, i)),
            Outer.x(two),
          ];
          for (const [i, ref] of refs.entries()) yield* store(ref, values[i]);
          const out: number[] = [];
          for (const ref of refs) out.push(yield* load(ref));
          return out;
        });
        expect(seen).toEqual(values);
      }),
    );
  });
});
