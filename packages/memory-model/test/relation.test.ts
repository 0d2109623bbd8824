// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CycleSearch } from '../src/acyclic.js';
import { addImage, nextMember, Relation, RelationPool } from '../src/relation.js';
import { Naive } from './naive.js';

/** Relations of up to 70 events: one, two or three words a row. */
const relations = (count: number): fc.Arbitrary<{ n: number; pairs: [number, number][][] }> =>
  fc.nat({ max: 70 }).chain((n) =>
    fc
      .tuple(
        ...Array.from({ length: count }, () =>
          fc.array(fc.tuple(fc.nat({ max: Math.max(0, n - 1) }), fc.nat({ max: Math.max(0, n - 1) })), {
            maxLength: 2 * n,
          }),
        ),
      )
      .map((pairs) => ({ n, pairs })),
  );
const fast = (n: number, pairs: readonly [number, number][]): Relation => {
  const relation = new Relation(n);
  for (const [i, j] of pairs) relation.add(i, j);
  return relation;
};
const slow = (n: number, pairs: readonly [number, number][]): Naive => {
  const set = new Set(pairs.map(([i, j]) => i * n + j));
  return new Naive(n, (i, j) => set.has(i * n + j));
};
const same = (a: Relation, b: Naive): void => {
  for (let i = 0; i < b.n; i++)
    for (let j = 0; j < b.n; j++) if (a.has(i, j) !== b.has(i, j)) throw new Error(`differ at ${i}, ${j}`);
};

describe('relations', () => {
  it('agree with a byte a pair: union, composition, closure, pairs, emptiness', () => {
    fc.assert(
      fc.property(relations(2), ({ n, pairs: [a, b] }) => {
        if (n === 0) return;
        same(fast(n, a), slow(n, a));
        same(fast(n, a).union(fast(n, b)), slow(n, a).or(slow(n, b)));
        same(new Relation(n).addComposition(fast(n, a), fast(n, b)), slow(n, a).seq(slow(n, b)));
        same(fast(n, a).close(), slow(n, a).plus());
        expect(fast(n, a).isEmpty()).toBe(a.length === 0);
        expect([...fast(n, a).pairs()].length).toBe(slow(n, a).bits.reduce((sum, bit) => sum + bit, 0));
        same(fast(n, a).copy(fast(n, b)), slow(n, b));
        expect(fast(n, a).clear().isEmpty()).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('cycles and closures are found by search as by closing', () => {
    fc.assert(
      fc.property(relations(1), fc.boolean(), ({ n, pairs: [pairs] }, forward) => {
        if (n === 0) return;
        // Forward edges alone make acyclic relations, the other half of the cases.
        const edges = forward
          ? pairs.flatMap(([i, j]): [number, number][] => (i === j ? [] : [[Math.min(i, j), Math.max(i, j)]]))
          : pairs;
        const search = new CycleSearch(n);
        const closure = new Relation(n);
        const naive = slow(n, edges);
        expect(search.acyclic(fast(n, edges), null)).toBe(naive.acyclic());
        expect(search.acyclic(fast(n, edges), closure)).toBe(naive.acyclic());
        same(closure, naive.plus());
      }),
      { numRuns: 150 },
    );
  });

  it('rows are sets of events: members in order, images', () => {
    const relation = fast(70, [
      [0, 0],
      [0, 31],
      [0, 32],
      [0, 69],
      [31, 5],
      [69, 6],
    ]);
    const members: number[] = [];
    for (let i = nextMember(relation.bits, 0, 3, 0); i !== -1; i = nextMember(relation.bits, 0, 3, i + 1))
      members.push(i);
    expect(members).toEqual([0, 31, 32, 69]);
    const image = new Int32Array(3);
    addImage(image, 0, Int32Array.of(-1 << 31, 0, 0), 0, relation);
    expect(image).toEqual(Int32Array.of(1 << 5, 0, 0));
  });

  it('a pool gives out relations that do not touch, and more than it was made for', () => {
    const pool = new RelationPool(40, 2);
    const three = [pool.take(), pool.take(), pool.take()];
    three.forEach((relation, i) => {
      relation.add(i, 39);
    });
    expect(three.map((relation) => [...relation.pairs()])).toEqual([[[0, 39]], [[1, 39]], [[2, 39]]]);
  });
});
