// SPDX-License-Identifier: GPL-2.0-only
import { EAGAIN, ENOMEM } from '@lockless/mm-types';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { immediate, valueMapLoad, valueMapSize, valueMapTag } from '../src/index.js';
import { all, booted, look, type Plain, put } from './plain.js';

const index = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 4095, 4096, 2 ** 31, 2 ** 32 - 1) },
);
const plain: fc.Arbitrary<Plain> = fc.oneof(
  fc.integer(),
  fc.constantFrom(2 ** 29 - 1, 2 ** 29, -(2 ** 29), -(2 ** 29) - 1),
  fc.record({
    bytes: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constantFrom(44, 45, 108, 109, 4076, 4077, 9000)),
    fill: fc.integer({ min: 1, max: 255 }),
  }),
);
const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('set' as const), index, plain }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compare' as const), index, plain, same: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tag' as const), index, on: fc.boolean() }) },
);

/** As it comes back: nobody can see what no bytes are filled with. */
const seen = (value: Plain | undefined): Plain | undefined =>
  typeof value === 'object' && value.bytes === 0 ? { bytes: 0, fill: 0 } : value;

describe('one thread, against a Map', () => {
  it('behaves alike, command by command, and gives everything back', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const { map, run, chunks, nodes } = booted();
        const model = new Map<number, Plain | undefined>();
        const tagged = new Set<number>();
        for (const c of commands) {
          run(function* () {
            const had = model.has(c.index);
            if (c.do === 'set') {
              expect(yield* put(map, c.index, c.plain)).toBe(had ? 1 : 0);
              model.set(c.index, seen(c.plain));
            } else if (c.do === 'delete') {
              expect(yield* put(map, c.index, undefined)).toBe(had ? 1 : 0);
              model.delete(c.index);
              tagged.delete(c.index);
            } else if (c.do === 'tag') {
              expect(yield* valueMapTag(map, c.index, 1, c.on)).toBe(had);
              if (had && c.on) tagged.add(c.index);
              if (had && !c.on) tagged.delete(c.index);
            } else {
              yield* rcuReadLock();
              const entry = yield* valueMapLoad(map, c.index);
              const other = entry === immediate(77) ? immediate(78) : immediate(77);
              const result = yield* put(map, c.index, c.plain, c.same ? entry : other);
              yield* rcuReadUnlock();
              expect(result).toBe(c.same ? (had ? 1 : 0) : -EAGAIN);
              if (c.same) model.set(c.index, seen(c.plain));
            }
            expect(yield* look(map, c.index)).toEqual(model.get(c.index));
            const sorted = [...model].sort(([a], [b]) => a - b);
            expect(yield* all(map)).toEqual(sorted);
            expect(yield* all(map, c.index, 2)).toEqual(sorted.filter(([i]) => i >= c.index).slice(0, 2));
            expect(yield* all(map, 0, 100, 1)).toEqual(sorted.filter(([i]) => tagged.has(i)));
            expect(yield* valueMapSize(map)).toBe(model.size);
          });
        }
        run(function* () {
          for (const i of model.keys()) yield* put(map, i, undefined);
        });
        expect(chunks()).toBe(0);
        if (commands.length > 0) expect(nodes()).toBeLessThanOrEqual(0);
      }),
      { numRuns: 40 },
    );
  });
});

describe('without memory', () => {
  it('a change fails with ENOMEM, whatever could not be had, and the map is as before', () => {
    for (let successes = 0; ; successes++) {
      let left = Number.POSITIVE_INFINITY;
      const { map, run, chunks } = booted({ failAllocation: () => left-- <= 0 });
      run(() => put(map, 0, { bytes: 10, fill: 1 }));
      left = successes;
      const result = run(() => put(map, 2 ** 20, { bytes: 9000, fill: 2 }));
      left = Number.POSITIVE_INFINITY;
      const found = run(() => all(map));
      expect(found[0]).toEqual([0, { bytes: 10, fill: 1 }]);
      if (result === 0) break;
      expect(result).toBe(-ENOMEM);
      expect(found).toHaveLength(1);
      expect(chunks()).toBe(1);
      expect(successes).toBeLessThan(30);
    }
  });
});
